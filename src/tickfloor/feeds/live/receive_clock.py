"""When something was received: a clock that no setting of the wall clock moves."""

import time
from collections.abc import Callable
from typing import Final

MAX_PPM: Final = 500
"""How much faster or slower than the monotonic clock it may run, in millionths."""
CORRECTION_NS: Final = 10_000_000_000
"""A small difference to the wall clock is made up for within about this time."""


class ReceiveClock:
    """Tells ns UTC from the monotonic clock, and never goes back.

    The wall clock is read once for where to begin. After that it is only leant towards, at most 500 millionths of
    the time that passes: a wall clock that is set does not move the data's times, and hours do not drift. A machine
    that slept is as far behind as it slept, because its monotonic clock stood.
    """

    __slots__ = ("_anchor_ns", "_base_ns", "_monotonic", "_ppm", "_wall")

    def __init__(
        self, *, monotonic: Callable[[], int] = time.monotonic_ns, wall: Callable[[], int] = time.time_ns
    ) -> None:
        """Begin at the wall clock's time; both clocks are in ns."""
        self._monotonic = monotonic
        self._wall = wall
        self._anchor_ns = monotonic()
        self._base_ns = wall()
        self._ppm = 0

    def now(self) -> int:  # hot path: once a frame
        """Return the time, ns UTC."""
        elapsed = self._monotonic() - self._anchor_ns
        return self._base_ns + elapsed + elapsed * self._ppm // 1_000_000

    def adjust(self) -> None:
        """Lean towards the wall clock. To be called every second or more often, by as many as like."""
        monotonic = self._monotonic()
        elapsed = monotonic - self._anchor_ns
        self._base_ns += elapsed + elapsed * self._ppm // 1_000_000
        self._anchor_ns = monotonic
        wanted = self.behind_ns * 1_000_000 // CORRECTION_NS
        self._ppm = max(-MAX_PPM, min(MAX_PPM, wanted))

    @property
    def behind_ns(self) -> int:
        """How far the wall clock is ahead of this one, ns."""
        return self._wall() - self.now()
