"""Supertrend: a line that trails the price by a multiple of the average true range. Formula: TA-Lib SUPERTREND.

``(high + low) / 2 +- multiplier * atr`` are the bands of a bar. The lower one only rises, and the upper one only
falls, until a close beyond it lets it go where the bar's is. While the trend is up the line is the lower band; a close
below it turns the trend down, and the line is the upper band until a close above that.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tickfloor.indicators.atr import Atr
from tickfloor.indicators.composed import Composed
from tickfloor.indicators.protocol import LIMIT, LONGEST_PERIOD, NAN, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.unknown import known_values

_Trail = tuple[float, float, float, bool]
"""Lower and upper band, close, and whether the trend is up; NaN before the first known bar."""

_START: _Trail = (NAN, NAN, NAN, True)


def _trailed(trail: _Trail, middle: float, distance: float, close: float) -> _Trail:  # hot path
    """Return the bands and the trend after one more bar."""
    before_lower, before_upper, before, rising = trail
    lower, upper = middle - distance, middle + distance
    if before != before:
        return lower, upper, close, True
    if lower <= before_lower <= before:
        lower = before_lower
    if upper >= before_upper >= before:
        upper = before_upper
    return lower, upper, close, close >= lower if rising else close > upper


class _LastTrail(Recursive):
    """The trail at the last close."""

    START: ClassVar[tuple[float, ...]] = _START
    __slots__ = ("trail",)

    def close(self, trail: _Trail) -> None:
        """Go on from a closed bar."""
        self._recent.push(self._numbers())
        self.trail = trail

    def _numbers(self) -> Numbers:
        return [*self.trail]

    def _set(self, numbers: Sequence[float]) -> None:
        lower, upper, close, rising = numbers
        self.trail = lower, upper, close, rising == 1.0


class Supertrend(Composed):
    """The trailing line, known from index ``period``; the trend is up first, and after an unknown bar."""

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("period", 2, LONGEST_PERIOD, 10),
        Parameter("multiplier", 0.0, 1_000.0, 3.0, whole=False),
    )
    __slots__ = ("_atr", "_last", "_multiplier")

    def __init__(self, period: int = 10, multiplier: float = 3.0) -> None:
        self._atr = Atr(period)
        self._last = _LastTrail()
        self._multiplier = multiplier
        super().__init__(self._atr, self._last)

    def _after(self, atr: float, high: float, low: float, close: float) -> _Trail:
        """Return the trail after a bar; it starts anew after an unknown one."""
        if atr != atr or not -LIMIT < close < LIMIT:
            return _START
        return _trailed(self._last.trail, (high + low) / 2.0, self._multiplier * atr, close)

    def value_now(self, high: float, low: float, close: float) -> float:  # hot path
        """Return the line as if a bar closed with these prices."""
        lower, upper, _, rising = self._after(self._atr.value_now(high, low, close), high, low, close)
        return lower if rising else upper

    def close(self, high: float, low: float, close: float) -> float:
        """Commit a closed bar's prices."""
        trail = self._after(self._atr.close(high, low, close), high, low, close)
        self._last.close(trail)
        lower, upper, _, rising = trail
        return lower if rising else upper

    def over(self, high: Values, low: Values, close: Values) -> Values:
        """Return the line at each bar."""
        atr = self._atr.over(high, low, close)
        high, low, close = known_values(high), known_values(low), known_values(close)
        unknown = np.isnan(atr) | np.isnan(close)
        columns = ((high + low) / 2.0, self._multiplier * atr, close, unknown)
        trail = _START
        line = []
        for middle, distance, price, skipped in zip(*[column.tolist() for column in columns], strict=True):
            trail = _START if skipped else _trailed(trail, middle, distance, price)
            line.append(trail[0] if trail[3] else trail[1])
        return np.array(line, dtype=np.float64)

    def sensitivity(self) -> float:
        """Return infinity: the line jumps to the other band."""
        return math.inf
