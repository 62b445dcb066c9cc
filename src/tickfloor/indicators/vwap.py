"""Volume-weighted average price of the last n bars."""

import math
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import NAN, Parameter, State, Values
from tickfloor.indicators.recent_columns import RecentColumns
from tickfloor.indicators.sliding import PRODUCT_LIMIT, TWO_BARS_OR_MORE, known_factors, over_windows
from tickfloor.indicators.typical import typical_price, typical_prices


class Vwap:
    """Mean of the typical prices of the last ``period`` bars, weighted by volume; unknown if they have no volume.

    Known from the bar with index ``period - 1``. Prices and volumes from 1e150 on, and volumes below zero, are unknown.

    Summed are distances to the oldest price of the window: a price that stands still is exactly its own average.
    """

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close", "volume")
    parameters: ClassVar[tuple[Parameter, ...]] = (TWO_BARS_OR_MORE,)
    __slots__ = ("_bars", "_oldest", "_period", "_volume", "_weighted")

    def __init__(self, period: int) -> None:
        self._period = period
        self._bars = RecentColumns(2, period)
        """typical prices and volumes"""
        self._sum_closed()

    def _sum_closed(self) -> None:
        carried = self._period - 1
        prices, volumes = (column.values for column in self._bars.columns)
        self._oldest = self._weighted = self._volume = NAN
        if len(prices) >= carried:
            self._oldest = prices[-carried]
            volume = np.array(volumes[-carried:])
            weighted = (np.array(prices[-carried:]) - self._oldest) * volume
            self._weighted, self._volume = np.add.accumulate(np.array((weighted, volume)), axis=1)[:, -1].tolist()

    def value_now(self, high: float, low: float, close: float, volume: float) -> float:  # hot path
        """Return the average as if a bar closed with these prices and this volume."""
        total = self._volume + volume
        if not 0.0 <= volume < PRODUCT_LIMIT or not total:
            return NAN
        oldest = self._oldest
        return oldest + (self._weighted + (typical_price(high, low, close, PRODUCT_LIMIT) - oldest) * volume) / total

    def close(self, high: float, low: float, close: float, volume: float) -> float:
        """Commit a closed bar's prices and volume."""
        result = self.value_now(high, low, close, volume)
        price = typical_price(high, low, close, PRODUCT_LIMIT)
        self._bars.push(price, volume if 0.0 <= volume < PRODUCT_LIMIT else NAN)
        self._sum_closed()
        return result

    def _over_block(self, prices: Values, volumes: Values) -> Values:
        windows = len(prices) - self._period + 1
        oldest = prices[:windows]
        weighted, total = np.zeros(windows), np.zeros(windows)
        for index in range(self._period):
            volume = volumes[index : index + windows]
            weighted += (prices[index : index + windows] - oldest) * volume
            total += volume
        total[total == 0.0] = NAN
        return oldest + weighted / total

    def over(self, high: Values, low: Values, close: Values, volume: Values) -> Values:
        """Return the average of every window of a history."""
        prices = typical_prices(*map(known_factors, (high, low, close)))
        volumes = known_factors(volume, least=0.0)
        return over_windows(self._period, self._over_block, prices, volumes)

    def sensitivity(self) -> float:
        """Return infinity: volume moves on another scale than the price."""
        return math.inf

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._bars.rewind(bars)
        self._sum_closed()

    def state(self) -> State:
        """Return the kept prices and volumes."""
        return self._bars.state()

    def restore(self, state: State) -> None:
        """Become the average that gave this state."""
        self._bars.restore(state)
        self._sum_closed()
