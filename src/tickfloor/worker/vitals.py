"""A worker's vital signs, in a page that its supervisor holds: seen without asking, and still there after a death."""

import mmap
from time import monotonic_ns

from tickfloor.board import segment

_STEPS, _BUSY, _STEP_BEGAN, _BLAMED, _BLAMED_SINCE = range(5)


def create(slot: str) -> int:
    """Return the descriptor of a page of vital signs, all zero.

    Raises:
        OutOfMemoryError: the host lacks the memory.
    """
    return segment.create_page(f"{slot}-vitals")


class Vitals:
    """One incarnation's page, on either side; the worker writes and the supervisor reads.

    Times are monotonic ns, which all processes of a host share.
    """

    def __init__(self, fd: int) -> None:
        self._mapping = mmap.mmap(fd, segment.PAGE)
        self._words = memoryview(self._mapping).cast("Q")

    @property
    def steps(self) -> int:
        """Pieces of work begun."""
        return self._words[_STEPS]

    @property
    def busy_ns(self) -> int:
        """Time spent in pieces of work that have ended."""
        return self._words[_BUSY]

    @property
    def step_began_ns(self) -> int:
        """When the piece of work began that is under way; 0 between two."""
        return self._words[_STEP_BEGAN]

    @property
    def blamed(self) -> int:
        """Number of the trader whose own code is running, by contracts.traders.trader_number; 0 while none is."""
        return self._words[_BLAMED]

    @property
    def blamed_since_ns(self) -> int:
        """When that code was entered."""
        return self._words[_BLAMED_SINCE]

    def begin_step(self) -> None:  # hot path
        """Note that a piece of work begins."""
        words = self._words
        words[_STEP_BEGAN] = monotonic_ns()
        words[_STEPS] += 1

    def end_step(self) -> None:  # hot path
        """Note that it has ended."""
        words = self._words
        words[_BUSY] += monotonic_ns() - words[_STEP_BEGAN]
        words[_STEP_BEGAN] = 0

    def enter(self, number: int) -> None:
        """Note that a trader's own code runs from now on: if this process dies or hangs, that trader did it."""
        self._words[_BLAMED_SINCE] = monotonic_ns()
        self._words[_BLAMED] = number

    def leave(self) -> None:
        """Note that it has returned."""
        self._words[_BLAMED] = 0

    def close(self) -> None:
        """Unmap the page."""
        self._words.release()
        self._mapping.close()
