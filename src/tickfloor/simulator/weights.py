"""How much of a venue's REST budget was used, by the minute, and who asked for too much."""

import time
from collections.abc import Callable
from typing import Final

BAN_AFTER: Final = 10
"""Refused requests within a minute after which the address is banned."""
BAN_SECONDS: Final = 120


class WeightMeter:
    """Counts fixed minutes, as the venues' headers do; a budget of 0 is none, and nothing is refused.

    Attributes:
        used: weight in this minute.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.time) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._minute = -1
        self._refused = 0
        self._banned_until = 0.0
        self.used = 0

    def check(self) -> tuple[int, int]:
        """Return the status that a request gets before it is looked at, and after how many seconds to come again.

        Returns:
            0 and 0 if all is well, else 429 or 418.
        """
        now = self._clock()
        if now < self._banned_until:
            return 418, max(1, int(self._banned_until - now))
        self._turn(now)
        if self.used < self._per_minute or not self._per_minute:
            return 0, 0
        self._refused += 1
        if self._refused >= BAN_AFTER:
            self._banned_until = now + BAN_SECONDS
            return 418, BAN_SECONDS
        return 429, max(1, int(60 - now % 60))

    def add(self, weight: int) -> int:
        """Count a request that was answered; return what was used of this minute."""
        self._turn(self._clock())
        self.used += weight
        return self.used

    def _turn(self, now: float) -> None:
        minute = int(now // 60)
        if minute != self._minute:
            self._minute, self.used, self._refused = minute, 0, 0
