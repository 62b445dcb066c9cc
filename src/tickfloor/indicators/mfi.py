"""Money flow index, 0 to 100. Formula: TA-Lib MFI."""

import math
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import NAN, Parameter, State, Values
from tickfloor.indicators.recent_columns import RecentColumns
from tickfloor.indicators.sliding import PRODUCT_LIMIT, TWO_BARS_OR_MORE, known_factors, over_windows
from tickfloor.indicators.typical import ROUNDING, typical_price, typical_prices
from tickfloor.indicators.unknown import before


class Mfi:
    """Share, in percent, of the money of ``period`` bars that went into bars whose typical price rose.

    A bar's money is typical price times volume; bars whose typical price did not change count for neither side. Known
    from the bar with index ``period``: the first bar has no bar before it. 0 if no money flowed at all, as in TA-Lib.
    Prices and volumes from 1e150 on, and volumes below zero, are unknown.
    """

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close", "volume")
    parameters: ClassVar[tuple[Parameter, ...]] = (TWO_BARS_OR_MORE,)
    __slots__ = ("_down", "_flows", "_period", "_previous", "_up")

    def __init__(self, period: int) -> None:
        self._period = period
        self._flows = RecentColumns(3, period)
        """money of the bars that rose, of those that fell, and typical prices"""
        self._sum_closed()

    def _sum_closed(self) -> None:
        carried = self._period - 1
        ups, downs, prices = (column.values for column in self._flows.columns)
        self._previous = prices[-1] if prices else NAN
        self._up = self._down = NAN
        if len(ups) >= carried:
            flows = np.array((ups[-carried:], downs[-carried:]))
            self._up, self._down = np.add.accumulate(flows, axis=1)[:, -1].tolist()

    def _flow(self, price: float, volume: float) -> tuple[float, float]:  # hot path
        """Return the money of a bar that rose and of one that fell; one of the two is 0."""
        previous = self._previous
        change = price - previous
        if change != change or not 0.0 <= volume < PRODUCT_LIMIT:
            return NAN, NAN
        if abs(change) <= ROUNDING * abs(previous):
            return 0.0, 0.0
        return (price * volume, 0.0) if change > 0.0 else (0.0, price * volume)

    def value_now(self, high: float, low: float, close: float, volume: float) -> float:  # hot path
        """Return the index as if a bar closed with these prices and this volume."""
        up, down = self._flow(typical_price(high, low, close, PRODUCT_LIMIT), volume)
        up += self._up
        total = up + (self._down + down)
        return 100.0 * (up / total) if total else 0.0

    def close(self, high: float, low: float, close: float, volume: float) -> float:
        """Commit a closed bar's prices and volume."""
        result = self.value_now(high, low, close, volume)
        price = typical_price(high, low, close, PRODUCT_LIMIT)
        self._flows.push(*self._flow(price, volume), price)
        self._sum_closed()
        return result

    def _over_block(self, ups: Values, downs: Values) -> Values:
        windows = len(ups) - self._period + 1
        up, down = np.zeros(windows), np.zeros(windows)
        for index in range(self._period):
            up += ups[index : index + windows]
            down += downs[index : index + windows]
        total = up + down
        return 100.0 * np.divide(up, total, out=np.zeros(windows), where=total != 0.0)

    def over(self, high: Values, low: Values, close: Values, volume: Values) -> Values:
        """Return the index at each bar."""
        price = typical_prices(*map(known_factors, (high, low, close)))
        previous = before(price)
        change = price - previous
        money = price * known_factors(volume, least=0.0)
        money[np.isnan(change)] = NAN
        unchanged = np.abs(change) <= ROUNDING * np.abs(previous)
        ups = np.where(unchanged | (change < 0.0), 0.0 * money, money)
        downs = np.where(unchanged | (change > 0.0), 0.0 * money, money)
        return over_windows(self._period, self._over_block, ups, downs)

    def sensitivity(self) -> float:
        """Return infinity: a bar's money changes sides with the smallest move."""
        return math.inf

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._flows.rewind(bars)
        self._sum_closed()

    def state(self) -> State:
        """Return the kept flows and prices."""
        return self._flows.state()

    def restore(self, state: State) -> None:
        """Become the index that gave this state."""
        self._flows.restore(state)
        self._sum_closed()
