"""A short run of every stress test of shared memory, with both kinds of fences."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("backend", ["atomicshm", "libatomic"])
@pytest.mark.parametrize("name", ["torn_rows", "tape_readers", "doorbell", "replay_backpressure"])
def test_nothing_forbidden_is_seen(name: str, backend: str) -> None:
    command = [sys.executable, "-m", f"stress.{name}", "--seconds", "1.5", "--json"]
    environment = {**os.environ, "TICKFLOOR_FENCES": backend}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    table = json.loads(done.stdout)
    assert table["passed"]
    for outcome in table["outcomes"]:
        if outcome["verdict"] == "FORBIDDEN":
            assert outcome["count"] == 0, outcome
    assert sum(outcome["count"] for outcome in table["outcomes"] if outcome["verdict"] == "ACCEPTABLE") > 1000
