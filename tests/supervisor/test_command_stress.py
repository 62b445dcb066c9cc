"""A short run of the stress test of commands, which stands in ``stress/`` with a million of them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_no_command_is_lost_or_applied_twice():
    command = [sys.executable, "-m", "stress.commands", "--commands", "20000", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = json.loads(done.stdout)
    seen = {outcome["outcome"]: outcome["count"] for outcome in table["outcomes"]}
    forbidden = [outcome["outcome"] for outcome in table["outcomes"] if outcome["verdict"] == "FORBIDDEN"]
    assert table["passed"]
    assert {seen[outcome] for outcome in forbidden} == {0}, done.stderr
    assert seen["applied and answered"] > 15_000
    assert seen["desired is real"] == 4
