"""Market time: from a beginning on, at a speed, with rests."""

import time
from collections.abc import Callable
from typing import Final

FOREVER_NS: Final = 1 << 62


class MarketClock:
    """Runs from a market time on; speed 0 means that the market may go as far as it can."""

    def __init__(self, start_ns: int, speed: float, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._speed = speed
        self._clock = clock
        self._from_market = start_ns
        self._from_real = clock()
        self.running = True

    def now_ns(self) -> int:
        """Return the market time that it should be, ns UTC."""
        if not self.running:
            return self._from_market
        if not self._speed:
            return FOREVER_NS
        return self._from_market + int((self._clock() - self._from_real) * self._speed)

    def stop(self, market_ns: int) -> None:
        """Rest at a market time."""
        self.running = False
        self._from_market = market_ns

    def go(self) -> None:
        """Go on from where it rests."""
        self._from_real = self._clock()
        self.running = True
