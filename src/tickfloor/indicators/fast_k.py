"""Where the close stands in the range of the last n bars: the fast stochastic. Formula: TA-Lib STOCHF."""

import math
from typing import ClassVar

import numpy as np

from tickfloor.indicators.composed import Composed
from tickfloor.indicators.highest import Highest
from tickfloor.indicators.lowest import Lowest
from tickfloor.indicators.protocol import LIMIT, NAN, PERIOD, Parameter, Values
from tickfloor.indicators.unknown import known_values


class FastK(Composed):
    """0 at the lowest low, 100 at the highest high, 0 if they are equal, known from index ``period - 1``."""

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    __slots__ = ("_highest", "_lowest")

    def __init__(self, period: int) -> None:
        self._highest = Highest(period)
        self._lowest = Lowest(period)
        super().__init__(self._highest, self._lowest)

    def value_now(self, high: float, low: float, close: float) -> float:  # hot path
        """Return the place of this close."""
        return _place(self._highest.value_now(high), self._lowest.value_now(low), close)

    def close(self, high: float, low: float, close: float) -> float:
        """Commit a closed bar's prices."""
        return _place(self._highest.close(high), self._lowest.close(low), close)

    def over(self, high: Values, low: Values, close: Values) -> Values:
        """Return the place of each bar's close."""
        lowest = self._lowest.over(low)
        span = self._highest.over(high) - lowest
        above = known_values(close) - lowest
        with np.errstate(over="ignore"):  # a close far outside the range: unknown
            place = 100.0 * np.divide(above, span, out=np.zeros(len(span)), where=span != 0.0)
        place[np.isnan(above)] = NAN
        return place

    def sensitivity(self) -> float:
        """Return 200 / the range of the bars before.

        Within the range R the close moves the place by 100 / R, and high and low by 100 / R together; R is at least
        what it was.
        """
        span = self._highest.closed_part - self._lowest.closed_part
        return 200.0 / span if span > 0.0 else math.inf


def _place(highest: float, lowest: float, close: float) -> float:
    if not -LIMIT < close < LIMIT or highest != highest or lowest != lowest:
        return NAN
    span = highest - lowest
    return 100.0 * ((close - lowest) / span) if span else 0.0
