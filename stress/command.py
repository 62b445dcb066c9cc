"""The command line that all stress tests share."""

import argparse
import random
import sys
import time
from collections.abc import Callable

from stress.outcomes import Tally

Run = Callable[[float, random.Random], Tally]
"""Runs a test for some seconds with a source of randomness, and returns what was seen."""


def main(description: str | None, run: Run, seconds: float = 10.0) -> None:
    """Run a test from the command line; exit with 1 if something forbidden was seen."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seconds", type=float, default=seconds, help="how long to press (default %(default)s)")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000, help="of the deaths and pauses")
    parser.add_argument("--json", action="store_true", help="print the table as JSON")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    tally = run(arguments.seconds, random.Random(arguments.seed))
    print(tally.as_json() if arguments.json else tally.as_table())
    sys.exit(0 if tally.passed else 1)
