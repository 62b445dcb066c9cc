"""Simple moving average: the mean of the last n values. Formula: TA-Lib SMA."""

import math

from tickfloor.indicators.protocol import LIMIT, NAN, State
from tickfloor.indicators.window import RecentValues


def add_exactly(parts: list[float], value: float) -> list[float]:
    """Return non-overlapping floats whose exact sum is that of ``parts`` and ``value`` (Shewchuk 1997)."""
    grown = []
    total = value
    for part in parts:
        large, small = (total, part) if abs(total) >= abs(part) else (part, total)
        total = large + small
        lost = small - (total - large)
        if lost:
            grown.append(lost)
    if total:
        grown.append(total)
    return grown


class Sma:
    """Mean of the last ``period`` values, known from the bar with index ``period - 1``.

    The running sum is exact and rounded once, so it does not drift, and the value depends on the window's
    numbers only, however they came there.
    """

    __slots__ = ("_carried", "_period", "_unknown", "_window")

    def __init__(self, period: int) -> None:
        self._period = period
        self._window = RecentValues(period)
        self._recount()

    def _recount(self) -> None:
        carried = self._period - 1
        values = self._window.values[-carried:] if carried else []
        self._carried: list[float] = []
        self._unknown = 0
        for value in values:
            self._count(value, 1)

    def _count(self, value: float, sign: int) -> None:
        if value == value:
            self._carried = add_exactly(self._carried, sign * value)
        else:
            self._unknown += sign

    def value_now(self, value: float) -> float:
        """Return the mean of this and the ``period - 1`` values before it."""
        if self._unknown or len(self._window.values) < self._period - 1 or not -LIMIT < value < LIMIT:
            return NAN
        return math.fsum((*self._carried, value)) / self._period

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        if not -LIMIT < value < LIMIT:
            value = NAN
        values = self._window.values
        self._window.push(value)
        self._count(value, 1)
        if len(values) >= self._period:
            self._count(values[-self._period], -1)
        return result

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
