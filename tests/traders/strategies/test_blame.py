"""A strategy that ends its process is still to be seen in the page of vital signs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tickfloor.contracts.traders import trader_number
from tickfloor.worker import vitals

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["Exits", "Aborts"])
def test_the_strategy_that_ended_its_process_is_named(name):
    fd = vitals.create("strategy")
    page = vitals.Vitals(fd)
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "tests.traders.strategies.dying", name, str(fd)],
            pass_fds=[fd],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert finished.stderr == ""
        assert page.blamed == trader_number(name)
        assert page.blamed_since_ns
    finally:
        page.close()
        os.close(fd)
