"""Change over n bars. Formula: TA-Lib MOM."""

from tickfloor.indicators.protocol import LIMIT, NAN, State
from tickfloor.indicators.window import RecentValues


class Change:
    """The value minus the value ``period`` bars before, known from the bar with index ``period``."""

    __slots__ = ("_period", "_window")

    def __init__(self, period: int) -> None:
        self._period = period
        self._window = RecentValues(period)

    def value_now(self, value: float) -> float:
        """Return this value minus the one ``period`` bars before."""
        values = self._window.values
        if len(values) < self._period or not -LIMIT < value < LIMIT:
            return NAN
        return value - values[-self._period]

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._window.push(value if -LIMIT < value < LIMIT else NAN)
        return result

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)

    def state(self) -> State:
        """Return the kept values, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        self._window.restore(state)
