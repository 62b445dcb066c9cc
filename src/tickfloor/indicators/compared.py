"""What indicators share that compare a value with the one n bars before."""

from typing import ClassVar

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, PERIOD, Parameter, State
from tickfloor.indicators.window import RecentValues


class ComparedWithEarlier:
    """A value from the newest one and the one ``period`` bars before, known from the bar with index ``period``."""

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    __slots__ = ("_earlier", "_period", "_window")

    def __init__(self, period: int) -> None:
        self._period = period
        self._window = RecentValues(period)
        self._earlier = NAN

    def value_now(self, value: float) -> float:
        """Return the comparison of this value with ``_earlier``."""
        raise NotImplementedError

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._window.push(value if -LIMIT < value < LIMIT else NAN)
        self._look_back()
        return result

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)
        self._look_back()

    def state(self) -> State:
        """Return the kept values, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        self._window.restore(state)
        self._look_back()

    def _look_back(self) -> None:
        values = self._window.values
        self._earlier = values[-self._period] if len(values) >= self._period else NAN
