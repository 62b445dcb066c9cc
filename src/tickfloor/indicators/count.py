"""How often something was true in the last n bars."""

import math
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, PERIOD, Parameter, State, Values
from tickfloor.indicators.unknown import known_values, unknown_windows
from tickfloor.indicators.window import RecentValues


class Count:
    """How many of the last ``period`` values are true, which is anything but 0; unknown if one of them is unknown.

    Known from the bar with index ``period - 1``.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    __slots__ = ("_period", "_true", "_unknown", "_window")

    def __init__(self, period: int) -> None:
        self._period = period
        self._window = RecentValues(period)
        self._count_closed()

    def _count_closed(self) -> None:
        carried = self._period - 1
        values = self._window.values[-carried:] if carried else ()
        self._unknown = sum(value != value for value in values) + carried - len(values)
        self._true = sum(value != 0.0 and value == value for value in values)

    def value_now(self, value: float) -> float:  # hot path
        """Return the count over this and the ``period - 1`` values before it."""
        if self._unknown or not -LIMIT < value < LIMIT:
            return NAN
        return float(self._true + (value != 0.0))

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        if not -LIMIT < value < LIMIT:
            value = NAN
        values = self._window.values
        self._window.push(value)
        leaving = values[-self._period] if len(values) >= self._period else NAN
        self._unknown += (value != value) - (leaving != leaving)
        self._true += (value != 0.0 and value == value) - (leaving != 0.0 and leaving == leaving)
        return result

    def over(self, values: Values) -> Values:
        """Return the count of every window of a history."""
        values = known_values(values)
        counts = np.cumsum(values != 0.0).astype(np.float64)
        counts[self._period :] -= counts[: -self._period].copy()
        counts[unknown_windows(values, self._period)] = NAN
        return counts

    def sensitivity(self) -> float:
        """Return infinity: it jumps when the value leaves 0."""
        return math.inf

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)
        self._count_closed()

    def state(self) -> State:
        """Return the kept values, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the count that gave this state."""
        self._window.restore(state)
        self._count_closed()
