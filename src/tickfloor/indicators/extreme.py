"""What highest and lowest share: the extreme of a window, known at once for the forming bar."""

from collections.abc import Callable
from math import isnan

from tickfloor.indicators.protocol import LIMIT, NAN, State
from tickfloor.indicators.window import RecentValues


class Extreme:
    """The extreme of the last ``period`` values, known from the bar with index ``period - 1``.

    The extreme of the closed part is kept, so the forming bar costs one comparison; the window is scanned at a
    close only when the value that leaves it was the extreme or unknown.
    """

    __slots__ = ("_closed_part", "_period", "_pick", "_window")

    def __init__(self, period: int, pick: Callable[..., float]) -> None:
        self._period = period
        self._pick = pick
        self._window = RecentValues(period)
        self._closed_part = NAN

    def _scan(self) -> float:
        carried = self._period - 1
        values = self._window.values
        if not carried or len(values) < carried:
            return NAN
        window = values[-carried:]
        return NAN if isnan(sum(window)) else self._pick(window)

    def value_now(self, value: float) -> float:
        """Return the extreme of this and the ``period - 1`` values before it."""
        if not -LIMIT < value < LIMIT:
            return NAN
        if self._period == 1:
            return value
        closed_part = self._closed_part
        return self._pick(closed_part, value) if closed_part == closed_part else NAN

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        if not -LIMIT < value < LIMIT:
            value = NAN
        values = self._window.values
        leaving = values[-(self._period - 1)] if 1 < self._period <= len(values) + 1 else NAN
        self._window.push(value)
        if leaving != leaving or leaving == self._closed_part or value != value:
            self._closed_part = self._scan()
        else:
            self._closed_part = self._pick(self._closed_part, value)
        return result

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)
        self._closed_part = self._scan()

    def state(self) -> State:
        """Return the kept values, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        self._window.restore(state)
        self._closed_part = self._scan()
