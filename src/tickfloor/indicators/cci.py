"""Commodity channel index. Formula: TA-Lib CCI."""

import math
from bisect import bisect_right
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import NAN, Parameter, State, Values
from tickfloor.indicators.sliding import TWO_BARS_OR_MORE, over_windows
from tickfloor.indicators.typical import ROUNDING, typical_price, typical_prices
from tickfloor.indicators.unknown import known_values
from tickfloor.indicators.window import RecentValues

CELLS = 2**17
"""Numbers sorted at a time over a history: about a megabyte."""


class Cci:
    """How many times 0.015 mean deviations the typical price is above its mean over ``period`` bars.

    Known from the bar with index ``period - 1``; 0 if the typical price stood still.

    The mean deviation needs the sum of distances to a mean that moves with the forming bar. The closed part is
    therefore kept sorted, with running sums: what is below the mean, and what is above, is one bisection. It is kept
    as distances to the oldest price of the window, so that large prices lose nothing.
    """

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    parameters: ClassVar[tuple[Parameter, ...]] = (TWO_BARS_OR_MORE,)
    __slots__ = ("_oldest", "_period", "_rounding", "_sorted", "_sums", "_window")

    def __init__(self, period: int) -> None:
        self._period = period
        self._rounding = ROUNDING * period
        self._window = RecentValues(period)
        self._sort_closed()

    def _sort_closed(self) -> None:
        carried = self._period - 1
        values = self._window.values
        self._oldest = values[-carried] if len(values) >= carried else NAN
        distances = np.sort(np.array(values[-carried:]) - self._oldest)
        self._sorted: list[float] = distances.tolist()
        self._sums: list[float] = [0.0, *np.add.accumulate(distances).tolist()]

    def value_now(self, high: float, low: float, close: float) -> float:  # hot path
        """Return the index as if a bar closed with these prices."""
        distance = typical_price(high, low, close) - self._oldest
        sums = self._sums
        total = sums[-1]
        mean = (total + distance) / self._period
        if mean != mean:
            return NAN
        below = bisect_right(self._sorted, mean)
        under = sums[below]
        above = self._period - 1 - below
        deviation = (below * mean - under) + (total - under - above * mean) + abs(distance - mean)
        if deviation <= self._rounding * abs(self._oldest):
            return 0.0
        return (distance - mean) / (0.015 * (deviation / self._period))

    def close(self, high: float, low: float, close: float) -> float:
        """Commit a closed bar's prices."""
        result = self.value_now(high, low, close)
        self._window.push(typical_price(high, low, close))
        self._sort_closed()
        return result

    def _over_block(self, values: Values) -> Values:
        carried = self._period - 1
        oldest = values[: len(values) - carried]
        closed = np.lib.stride_tricks.sliding_window_view(values[:-1], carried)
        distances = np.sort(closed - oldest[:, np.newaxis], axis=1)
        sums = np.zeros((len(oldest), self._period))
        np.add.accumulate(distances, axis=1, out=sums[:, 1:])
        total = sums[:, -1]
        distance = values[carried:] - oldest
        mean = (total + distance) / self._period
        below = np.count_nonzero(distances <= mean[:, np.newaxis], axis=1)
        under = np.take_along_axis(sums, below[:, np.newaxis], axis=1)[:, 0]
        deviation = (below * mean - under) + (total - under - (carried - below) * mean) + abs(distance - mean)
        stood_still = deviation <= self._rounding * abs(oldest)
        deviation[stood_still] = 1.0
        return np.where(stood_still, 0.0, (distance - mean) / (0.015 * (deviation / self._period)))

    def over(self, high: Values, low: Values, close: Values) -> Values:
        """Return the index of every window of a history."""
        prices = typical_prices(*map(known_values, (high, low, close)))
        block = max(1, CELLS // self._period)
        return over_windows(self._period, self._over_block, prices, block=block)

    def sensitivity(self) -> float:
        """Return infinity: where prices hardly moved, the smallest move can turn the index around."""
        return math.inf

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)
        self._sort_closed()

    def state(self) -> State:
        """Return the kept typical prices, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the index that gave this state."""
        self._window.restore(state)
        self._sort_closed()
