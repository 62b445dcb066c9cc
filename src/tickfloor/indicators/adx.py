"""Average directional index: how one-sided movement is, 0 to 100. Formula: TA-Lib ADX."""

import math
from typing import ClassVar

import numpy as np

from tickfloor.indicators.composed import Composed
from tickfloor.indicators.directional import DIRECTIONAL_PERIOD, DirectionalMovement
from tickfloor.indicators.protocol import NAN, Parameter, Values
from tickfloor.indicators.wilder import Wilder


class Adx(Composed):
    """Wilder's average of the difference of the two directions in percent of their sum.

    Known from index ``2 * period - 1``. Bars before any movement count as 0.
    """

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    parameters: ClassVar[tuple[Parameter, ...]] = (DIRECTIONAL_PERIOD,)
    __slots__ = ("_average", "_movement")

    def __init__(self, period: int) -> None:
        self._movement = DirectionalMovement(period)
        self._average = Wilder(period)
        super().__init__(self._movement, self._average)

    def _index(self, high: float, low: float) -> float:
        sums = self._movement.sums_now(high, low)
        if sums is None:
            return NAN
        up, down, _ = sums
        total = up + down
        return 100.0 * (abs(up - down) / total) if total else 0.0

    def value_now(self, high: float, low: float, close: float) -> float:  # noqa: ARG002  hot path
        """Return the average as if a bar closed with these prices."""
        return self._average.value_now(self._index(high, low))

    def close(self, high: float, low: float, close: float) -> float:
        """Commit a closed bar's prices."""
        result = self._average.close(self._index(high, low))
        self._movement.close(high, low, close)
        return result

    def over(self, high: Values, low: Values, close: Values) -> Values:
        """Return the average at each bar."""
        up, down, _ = self._movement.over(high, low, close)
        total = up + down
        index = 100.0 * np.divide(np.abs(up - down), total, out=np.zeros(len(total)), where=total != 0.0)
        return self._average.over(index)

    def sensitivity(self) -> float:
        """Return infinity: a bar counts as movement up or down, whichever is greater, and jumps from one to another."""
        return math.inf
