"""Whether anything was lost on a connection.

``sequence_num`` counts the frames of a connection over all its channels, and ``heartbeat_counter`` its heartbeats.
"""

from enum import Enum
from typing import Final

NONE_YET: Final = -1


class Step(Enum):
    """How a frame follows what came before on its connection."""

    NEXT = "next"
    LOST = "lost"
    """frames before it are missing, or the numbering has begun anew"""
    OLD = "old"
    """it was received before, or overtaken"""


class Sequence:
    """The numbering of one connection's frames.

    A number below the one due is an old frame; two of them in a row, though, are a numbering that has begun anew:
    otherwise every later frame would be an old one.
    """

    __slots__ = ("_counter", "_doubted", "_last")

    def __init__(self) -> None:
        self._last = NONE_YET
        self._counter = NONE_YET
        self._doubted = NONE_YET

    def judge(self, number: int) -> Step:
        """Say how a frame with this number follows; changes nothing."""
        last = self._last
        if number == last + 1 or last == NONE_YET:
            return Step.NEXT
        if number > last or (self._doubted != NONE_YET and number == self._doubted + 1):
            return Step.LOST
        return Step.OLD

    def accept(self, number: int, step: Step) -> None:
        """Go on from a frame that was applied."""
        if step is Step.OLD:
            self._doubted = number
            return
        if step is Step.LOST:
            self._counter = NONE_YET
        self._last = number
        self._doubted = NONE_YET

    def misses_heartbeats(self, counter: int) -> bool:
        """Take in a heartbeat; say whether one before it is missing."""
        last, self._counter = self._counter, counter
        return last != NONE_YET and counter != last + 1
