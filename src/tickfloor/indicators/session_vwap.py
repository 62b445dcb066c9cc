"""Volume-weighted average price since midnight UTC."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import LIMIT, NAN, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.sliding import PRODUCT_LIMIT, known_factors
from tickfloor.indicators.typical import typical_price, typical_prices
from tickfloor.indicators.unknown import known_values

DAY_MS = 86_400_000.0


class SessionVwap(Recursive):
    """Mean of the typical prices of a UTC day's bars, weighted by volume, from the first bar seen of that day on.

    Unknown while the day has no volume, and from an unknown bar to the end of its day. Prices and volumes from 1e150
    on, and volumes below zero, are unknown.

    Summed are distances to the day's first price: a price that stands still is exactly its own average.
    """

    inputs: ClassVar[tuple[str, ...]] = ("start", "high", "low", "close", "volume")
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    START: ClassVar[tuple[float, ...]] = (NAN, NAN, 0.0, 0.0)
    __slots__ = ("_day", "_first", "_volume", "_weighted")

    def _next(self, start: float, price: float, volume: float) -> Numbers:
        """Return the state after one more bar."""
        day = start // DAY_MS if -LIMIT < start < LIMIT else NAN
        if not 0.0 <= volume < PRODUCT_LIMIT:
            volume = NAN
        if day != self._day:
            return [day, price, 0.0, volume]
        return [day, self._first, self._weighted + (price - self._first) * volume, self._volume + volume]

    def value_now(self, start: float, high: float, low: float, close: float, volume: float) -> float:  # hot path
        """Return the average as if a bar that starts at ``start``, ms UTC, closed with these prices and this volume."""
        day, first, weighted, total = self._next(start, typical_price(high, low, close, PRODUCT_LIMIT), volume)
        return first + weighted / total if total and day == day else NAN

    def close(self, start: float, high: float, low: float, close: float, volume: float) -> float:
        """Commit a closed bar's start, prices and volume."""
        result = self.value_now(start, high, low, close, volume)
        self._recent.push(self._numbers())
        self._set(self._next(start, typical_price(high, low, close, PRODUCT_LIMIT), volume))
        return result

    def over(self, start: Values, high: Values, low: Values, close: Values, volume: Values) -> Values:
        """Return the average of every bar of a history."""
        days = known_values(start) // DAY_MS
        prices = typical_prices(*map(known_factors, (high, low, close)))
        volumes = known_factors(volume, least=0.0)
        begins = [0, *(np.flatnonzero(days[1:] != days[:-1]) + 1).tolist(), len(days)]
        result = np.full(len(days), NAN)
        for begin, end in pairwise(begins):
            if begin < end and days[begin] == days[begin]:
                total = np.cumsum(volumes[begin:end])
                total[total == 0.0] = NAN
                weighted = np.cumsum((prices[begin:end] - prices[begin]) * volumes[begin:end])
                result[begin:end] = prices[begin] + weighted / total
        return result

    def sensitivity(self) -> float:
        """Return infinity: volume moves on another scale than the price."""
        return math.inf

    def _numbers(self) -> Numbers:
        return [self._day, self._first, self._weighted, self._volume]

    def _set(self, numbers: Sequence[float]) -> None:
        self._day, self._first, self._weighted, self._volume = numbers
