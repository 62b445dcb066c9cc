"""When something that gathers must be passed on: a fixed time after the first of it."""

import math
from collections.abc import Callable


class Deadline:
    """Runs from :meth:`start`; starting it again while it runs does not put it off."""

    def __init__(self, seconds: float, clock: Callable[[], int]) -> None:
        """Make one that does not run.

        Args:
            seconds: from start to passing.
            clock: monotonic ns.

        Raises:
            ValueError: the time is not a positive number.
        """
        if not 0 < seconds < math.inf:
            raise ValueError(f"a deadline of {seconds} s is not possible: it must be a positive number")
        self._after_ns = round(seconds * 1e9)
        self._clock = clock
        self._at_ns: int | None = None

    def start(self) -> None:
        """Run from now on."""
        if self._at_ns is None:
            self._at_ns = self._clock() + self._after_ns

    def stop(self) -> None:
        """Run no longer."""
        self._at_ns = None

    @property
    def passed(self) -> bool:
        """Whether it runs and its time has come."""
        return self._at_ns is not None and self._clock() >= self._at_ns

    def due_in(self) -> float:
        """Return the seconds until it passes; 0 when it has, infinity while it does not run."""
        if self._at_ns is None:
            return math.inf
        return max(0, self._at_ns - self._clock()) / 1e9
