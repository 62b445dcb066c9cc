"""Where the newest value stands among the last n."""

import math
from bisect import bisect_left, bisect_right, insort
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, PERIOD, Parameter, State, Values
from tickfloor.indicators.sliding import over_windows
from tickfloor.indicators.unknown import known_values, unknown_windows
from tickfloor.indicators.window import RecentValues


class Percentile:
    """Percent of the last ``period`` values, this one included, that are not above this one.

    Above 0 and at most 100, which is the highest value or one equal to it; known from the bar with index
    ``period - 1``. The closed part is kept sorted, so the forming bar costs one bisection.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    __slots__ = ("_period", "_sorted", "_window")

    def __init__(self, period: int) -> None:
        self._period = period
        self._window = RecentValues(period)
        self._sorted: list[float] = []
        """known values of the closed part: all of it, or the indicator is unknown"""

    def value_now(self, value: float) -> float:  # hot path
        """Return the percentile of this among the ``period - 1`` values before it."""
        ordered = self._sorted
        if len(ordered) < self._period - 1 or not -LIMIT < value < LIMIT:
            return NAN
        return 100.0 * (bisect_right(ordered, value) + 1) / self._period

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        if not -LIMIT < value < LIMIT:
            value = NAN
        values, ordered = self._window.values, self._sorted
        self._window.push(value)
        if value == value:
            insort(ordered, value)
        if len(values) >= self._period:
            leaving = values[-self._period]
            if leaving == leaving:
                del ordered[bisect_left(ordered, leaving)]
        return result

    def _over_block(self, values: Values) -> Values:
        windows = len(values) - self._period + 1
        newest = values[self._period - 1 :]
        not_above = np.zeros(windows, np.int64)
        for index in range(self._period):
            not_above += values[index : index + windows] <= newest
        return 100.0 * not_above / self._period

    def over(self, values: Values) -> Values:
        """Return the percentile at every window of a history."""
        values = known_values(values)
        result = over_windows(self._period, self._over_block, values)
        result[unknown_windows(values, self._period)] = NAN
        return result

    def sensitivity(self) -> float:
        """Return infinity: it jumps where the value passes another one."""
        return math.inf if self._period > 1 else 0.0

    def _sort_closed(self) -> None:
        carried = self._period - 1
        values = self._window.values[-carried:] if carried else ()
        self._sorted = sorted(value for value in values if value == value)

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)
        self._sort_closed()

    def state(self) -> State:
        """Return the kept values, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the percentile that gave this state."""
        self._window.restore(state)
        self._sort_closed()
