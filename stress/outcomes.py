"""What a stress test saw, and whether it may be seen: tables in the manner of JCStress."""

import json
import mmap
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

_LANES = 64


class Verdict(StrEnum):
    """Whether an outcome may happen."""

    ACCEPTABLE = "ACCEPTABLE"
    INTERESTING = "INTERESTING"
    """allowed, and worth a look: it says how hard the test pressed"""
    FORBIDDEN = "FORBIDDEN"


class Outcome(NamedTuple):
    """One thing that can be seen."""

    name: str
    verdict: Verdict
    meaning: str


class Tally:
    """Counts of outcomes in memory that every process of a test shares, so that no count dies with its process.

    Every process counts in a lane of its own; a lane may be handed on when its process is dead.
    """

    def __init__(self, test: str, outcomes: Sequence[Outcome]) -> None:
        self.test = test
        self.outcomes = tuple(outcomes)
        self._index = {outcome.name: index for index, outcome in enumerate(outcomes)}
        self._counts = memoryview(mmap.mmap(-1, 8 * _LANES * len(outcomes))).cast("Q")

    def add(self, lane: int, name: str, count: int = 1) -> None:
        """Count an outcome."""
        self._counts[lane * len(self.outcomes) + self._index[name]] += count

    def count(self, name: str) -> int:
        """Return how often an outcome was seen by all processes."""
        return sum(self._counts[self._index[name] :: len(self.outcomes)].tolist())

    @property
    def passed(self) -> bool:
        """Whether nothing forbidden was seen."""
        return not any(self.count(outcome.name) for outcome in self.outcomes if outcome.verdict is Verdict.FORBIDDEN)

    def as_json(self) -> str:
        """Return the table for programs."""
        outcomes = [
            {"outcome": outcome.name, "verdict": outcome.verdict, "count": self.count(outcome.name)}
            for outcome in self.outcomes
        ]
        return json.dumps({"test": self.test, "passed": self.passed, "outcomes": outcomes})

    def as_table(self) -> str:
        """Return the table for people."""
        width = max(len(outcome.name) for outcome in self.outcomes)
        lines = [f"{self.test}: {'passed' if self.passed else 'FAILED'}"]
        for name, verdict, meaning in self.outcomes:
            lines.append(f"  {name:<{width}}  {self.count(name):>14,}  {verdict:<11}  {meaning}")
        return "\n".join(lines)
