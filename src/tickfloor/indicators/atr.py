"""Average true range: Wilder's average of the true range. Formula: TA-Lib ATR."""

from typing import ClassVar

from tickfloor.indicators.composed import Composed
from tickfloor.indicators.protocol import NAN, PERIOD, Parameter, State, Values
from tickfloor.indicators.true_range import true_range, true_ranges
from tickfloor.indicators.wilder import Wilder
from tickfloor.indicators.window import RecentValues


class Atr(Composed):
    """Wilder's average of the true range, known from index ``period``: the first bar has no true range."""

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    __slots__ = ("_average", "_closes", "_previous")

    def __init__(self, period: int) -> None:
        self._average = Wilder(period)
        self._closes = RecentValues(1)
        self._previous = NAN
        super().__init__(self._average, self._closes)

    def value_now(self, high: float, low: float, close: float) -> float:  # noqa: ARG002  hot path
        """Return the average as if a bar closed with these prices."""
        return self._average.value_now(true_range(high, low, self._previous))

    def close(self, high: float, low: float, close: float) -> float:
        """Commit a closed bar's prices."""
        result = self._average.close(true_range(high, low, self._previous))
        self._closes.push(close)
        self._previous = close
        return result

    def over(self, high: Values, low: Values, close: Values) -> Values:
        """Return the average at each bar."""
        return self._average.over(true_ranges(high, low, close))

    def sensitivity(self) -> float:
        """Return twice the weight of one value: high and low may move apart, the close before is fixed."""
        return 2.0 * self._average.sensitivity()

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        super().rewind(bars)
        self._look_back()

    def restore(self, state: State) -> None:
        """Become the average that gave this state."""
        super().restore(state)
        self._look_back()

    def _look_back(self) -> None:
        self._previous = self._closes.values[-1] if self._closes.values else NAN
