"""Wilder's directional movement, what adx and the two directional indicators share. Formula: TA-Lib PLUS_DM, TRANGE."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import LIMIT, LONGEST_PERIOD, NAN, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.recursive import decayed_sum
from tickfloor.indicators.true_range import true_range, true_ranges
from tickfloor.indicators.unknown import before, known_values

DIRECTIONAL_PERIOD = Parameter("period", 2, LONGEST_PERIOD)

Sums = tuple[float, float, float]
"""Movement up, movement down, true range."""


class DirectionalMovement(Recursive):
    """Wilder's sums of movement up, movement down and true range, known from index ``period``.

    They are sums of ``period - 1`` bars first; from then on each bar takes 1 / period off. An unknown price restarts
    them. ``_count`` bars have moved since, at most ``period``.
    """

    START: ClassVar[tuple[float, ...]] = (0.0, 0.0, 0.0, 0.0, NAN, NAN, NAN)
    __slots__ = (
        "_count",
        "_decay",
        "_down",
        "_period",
        "_previous_close",
        "_previous_high",
        "_previous_low",
        "_range",
        "_up",
    )
    _count: int

    def __init__(self, period: int) -> None:
        super().__init__()
        self._period = period
        self._decay = 1.0 - 1.0 / period

    def _sums(self, high: float, low: float) -> Sums | None:  # hot path
        """Return the sums, or those of the seed so far, after one more bar; None if it is unknown."""
        moved = true_range(high, low, self._previous_close)
        rise = high - self._previous_high
        fall = self._previous_low - low
        if moved != moved or rise != rise or fall != fall:
            return None
        decay = self._decay if self._count >= self._period - 1 else 1.0
        up, down = decay * self._up, decay * self._down
        if rise > fall:
            if rise > 0.0:
                up += rise
        elif fall > rise and fall > 0.0:
            down += fall
        return up, down, decay * self._range + moved

    def sums_now(self, high: float, low: float) -> Sums | None:
        """Return the sums as if a bar closed with these prices; None while unknown."""
        return self._sums(high, low) if self._count >= self._period - 1 else None

    def close(self, high: float, low: float, close: float) -> None:
        """Commit a closed bar's prices."""
        sums = self._sums(high, low)
        self._recent.push(self._numbers())
        if sums is None:
            self._set(self.START)
        else:
            self._up, self._down, self._range = sums
            self._count = min(self._count + 1, self._period)
        known = -LIMIT < high < LIMIT and -LIMIT < low < LIMIT
        self._previous_high, self._previous_low = (high, low) if known else (NAN, NAN)
        self._previous_close = close

    def over(self, high: Values, low: Values, close: Values) -> tuple[Values, Values, Values]:
        """Return the sums at each bar, NaN where they are unknown."""
        moved = true_ranges(high, low, close)
        high, low = known_values(high), known_values(low)
        rise, fall = high - before(high), before(low) - low
        unknown = np.isnan(moved) | np.isnan(rise) | np.isnan(fall)
        moved[unknown] = NAN
        up = np.where((rise > fall) & (rise > 0.0), rise, 0.0)
        down = np.where((fall > rise) & (fall > 0.0), fall, 0.0)
        up[unknown] = down[unknown] = NAN
        return (
            decayed_sum(up, self._period),
            decayed_sum(down, self._period),
            decayed_sum(moved, self._period),
        )

    def _numbers(self) -> Numbers:
        previous = [self._previous_high, self._previous_low, self._previous_close]
        return [float(self._count), self._up, self._down, self._range, *previous]

    def _set(self, numbers: Sequence[float]) -> None:
        count, self._up, self._down, self._range, *previous = numbers
        self._previous_high, self._previous_low, self._previous_close = previous
        self._count = int(count)
