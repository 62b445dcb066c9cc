"""Whether a list of what is traded is believed."""

from typing import Final

from tickfloor.feeds.errors import FrameError

LEAST_SHARE: Final = 0.5
"""A list that has less of the last one is doubted: rather something is wrong with it than with most markets."""
MOST_DOUBTS: Final = 10
"""So often in a row, over some two minutes. An empty list is never believed."""


class Doubts:
    """Compares the length of each list with that of the last one that was believed."""

    def __init__(self) -> None:
        """Begin with no list."""
        self._believed = 0
        self._doubts = 0

    def check(self, length: int) -> None:
        """Doubt a list that lacks most of what was listed before.

        Raises:
            FrameError: it is not believed yet.
        """
        if not length:
            raise FrameError("its list is empty")
        if length < LEAST_SHARE * self._believed and self._doubts < MOST_DOUBTS:
            self._doubts += 1
            raise FrameError(f"its list has {length:,} instruments, and had {self._believed:,}")
        self._believed, self._doubts = length, 0
