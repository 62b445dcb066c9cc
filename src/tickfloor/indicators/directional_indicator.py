"""What plus_di and minus_di share: one direction's movement in percent of the true range."""

import math
from typing import ClassVar

import numpy as np

from tickfloor.indicators.directional import DIRECTIONAL_PERIOD, DirectionalMovement
from tickfloor.indicators.protocol import NAN, Parameter, State, Values


class DirectionalIndicator:
    """Wilder's sum of one direction's movement in percent of that of the true range, known from index ``period``.

    0 without any range.
    """

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    parameters: ClassVar[tuple[Parameter, ...]] = (DIRECTIONAL_PERIOD,)
    __slots__ = ("_direction", "_movement")

    def __init__(self, period: int, direction: int) -> None:
        self._movement = DirectionalMovement(period)
        self._direction = direction

    def value_now(self, high: float, low: float, close: float) -> float:  # noqa: ARG002  hot path
        """Return the percentage as if a bar closed with these prices."""
        sums = self._movement.sums_now(high, low)
        if sums is None:
            return NAN
        return 100.0 * (sums[self._direction] / sums[2]) if sums[2] else 0.0

    def close(self, high: float, low: float, close: float) -> float:
        """Commit a closed bar's prices."""
        result = self.value_now(high, low, close)
        self._movement.close(high, low, close)
        return result

    def over(self, high: Values, low: Values, close: Values) -> Values:
        """Return the percentage at each bar."""
        sums = self._movement.over(high, low, close)
        return 100.0 * np.divide(sums[self._direction], sums[2], out=np.zeros(len(high)), where=sums[2] != 0.0)

    def sensitivity(self) -> float:
        """Return infinity: a bar counts as movement up or down, whichever is greater, and jumps from one to another."""
        return math.inf

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._movement.rewind(bars)

    def state(self) -> State:
        """Return the state of the sums."""
        return self._movement.state()

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        self._movement.restore(state)
