"""Simple moving average: the mean of the last n values. Formula: TA-Lib SMA."""

import math
from collections.abc import Iterable
from typing import ClassVar

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, PERIOD, Parameter, State, Values
from tickfloor.indicators.unknown import known_values
from tickfloor.indicators.window import RecentValues
from tickfloor.indicators.window_sums import window_sums


def exact_parts(terms: Iterable[float]) -> list[float]:
    """Return floats, usually one or two, whose exact sum is the exact sum of the terms."""
    rest = list(terms)
    parts = []
    while part := math.fsum(rest):
        parts.append(part)
        rest.append(-part)
    return parts


class Sma:
    """Mean of the last ``period`` values, known from the bar with index ``period - 1``.

    The running sum is exact and rounded once, so it does not drift, and the value depends on the window's
    numbers only, however they came there.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    __slots__ = ("_carried", "_period", "_unknown", "_window")

    def __init__(self, period: int) -> None:
        self._period = period
        self._window = RecentValues(period)
        self._recount()

    def _recount(self) -> None:
        carried = self._period - 1
        values = self._window.values[-carried:] if carried else ()
        known = [value for value in values if value == value]
        self._unknown = carried - len(known)
        """values that are unknown, or not there yet, among the closed ones of the window"""
        self._carried = exact_parts(known)

    def value_now(self, value: float) -> float:  # hot path
        """Return the mean of this and the ``period - 1`` values before it."""
        if self._unknown or not -LIMIT < value < LIMIT:
            return NAN
        return math.fsum((*self._carried, value)) / self._period

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        if not -LIMIT < value < LIMIT:
            value = NAN
        values = self._window.values
        self._window.push(value)
        leaving = values[-self._period] if len(values) >= self._period else NAN
        self._unknown += (value != value) - (leaving != leaving)
        self._carried = exact_parts([*self._carried, *(term for term in (value, -leaving) if term == term)])
        return result

    def over(self, values: Values) -> Values:
        """Return the mean at each bar."""
        return window_sums(known_values(values), self._period) / self._period

    def sensitivity(self) -> float:
        """Return the weight of one value."""
        return 1.0 / self._period

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)
        self._recount()

    def state(self) -> State:
        """Return the kept values, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the average that gave this state."""
        self._window.restore(state)
        self._recount()
