"""What highest and lowest share: the extreme of a window, known at once for the forming bar."""

from collections.abc import Callable
from math import isnan
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, PERIOD, Parameter, State, Values
from tickfloor.indicators.unknown import known_values
from tickfloor.indicators.window import RecentValues
from tickfloor.indicators.window_extremes import window_extremes


class Extreme:
    """The extreme of the last ``period`` values, known from the bar with index ``period - 1``.

    The extreme of the closed part is kept, so the forming bar costs one comparison; the window is scanned at a
    close only when the value that leaves it was the extreme or unknown.

    Attributes:
        closed_part: the extreme of the last ``period - 1`` closed values; NaN while unknown. For a period of 1 the
            infinity that every value beats.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    __slots__ = ("_beaten", "_period", "_pick", "_pick_each", "_window", "closed_part")

    def __init__(self, period: int, pick: Callable[..., float], pick_each: np.ufunc, beaten: float) -> None:
        self._period = period
        self._pick = pick
        self._pick_each = pick_each
        self._beaten = beaten
        self._window = RecentValues(period)
        self.closed_part = self._scan()

    def _scan(self) -> float:
        carried = self._period - 1
        values = self._window.values
        if not carried:
            return self._beaten
        if len(values) < carried:
            return NAN
        window = values[-carried:]
        return NAN if isnan(sum(window)) else self._pick(window)

    def value_now(self, value: float) -> float:
        """Return the extreme of this and the ``period - 1`` values before it."""
        raise NotImplementedError

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        if not -LIMIT < value < LIMIT:
            value = NAN
        values = self._window.values
        leaving = values[-(self._period - 1)] if 1 < self._period <= len(values) + 1 else NAN
        self._window.push(value)
        if leaving != leaving or leaving == self.closed_part or value != value:
            self.closed_part = self._scan()
        else:
            self.closed_part = self._pick(self.closed_part, value)
        return result

    def over(self, values: Values) -> Values:
        """Return the extreme at each bar."""
        return window_extremes(known_values(values), self._period, self._pick_each)

    def sensitivity(self) -> float:
        """Return 1: the value itself may be the extreme."""
        return 1.0

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)
        self.closed_part = self._scan()

    def state(self) -> State:
        """Return the kept values, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        self._window.restore(state)
        self.closed_part = self._scan()
