"""Moving average convergence and divergence: a fast exponential average less a slow one. Formula: TA-Lib MACD."""

from collections.abc import Sequence
from typing import ClassVar

from tickfloor.indicators.protocol import COLUMN, LIMIT, LONGEST_PERIOD, NAN, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.recursive import seeded_average
from tickfloor.indicators.unknown import known_values

MACD_PARAMETERS = (
    Parameter("fast", 2, LONGEST_PERIOD, 12),
    Parameter("slow", 2, LONGEST_PERIOD, 26),
    Parameter("signal", 1, LONGEST_PERIOD, 9),
)


class MacdAverages(Recursive):
    """What the line, its signal and the histogram go on from: the three averages.

    Both averages of the value are seeded at the same bar, the slow one's first. The signal is the exponential average
    of the line. As in TA-Lib all are known from index ``slow + signal - 2`` on, and the greater period is the slow
    one's, whichever was named first. An unknown value restarts the seeding.

    ``_fast``, ``_slow`` and ``_signal`` are sums of their seeds until ``_count`` values have completed these.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = MACD_PARAMETERS
    START: ClassVar[tuple[float, ...]] = (0.0, 0.0, 0.0, 0.0)
    __slots__ = (
        "_count",
        "_fast",
        "_fast_period",
        "_fast_weight",
        "_last_unknown",
        "_signal",
        "_signal_period",
        "_signal_weight",
        "_slow",
        "_slow_period",
        "_slow_weight",
    )
    _count: int

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        super().__init__()
        self._fast_period, self._slow_period, self._signal_period = min(fast, slow), max(fast, slow), signal
        self._fast_weight = 2.0 / (self._fast_period + 1)
        self._slow_weight = 2.0 / (self._slow_period + 1)
        self._signal_weight = 2.0 / (signal + 1)
        self._last_unknown = self._slow_period + signal - 2

    def _averages(self, value: float) -> tuple[float, float, float]:  # hot path
        """Return the fast, the slow and the signal's average, or the sums of their seeds, after one more value."""
        if self._count <= self._last_unknown:
            return self._seeds(value)
        fast = self._fast_weight * value + (1.0 - self._fast_weight) * self._fast
        slow = self._slow_weight * value + (1.0 - self._slow_weight) * self._slow
        return fast, slow, self._signal_weight * (fast - slow) + (1.0 - self._signal_weight) * self._signal

    def _seeds(self, value: float) -> tuple[float, float, float]:
        count = self._count + 1
        fast, slow, signal = self._fast, self._slow, self._signal
        if count <= self._slow_period:
            slow += value
            if count > self._slow_period - self._fast_period:
                fast += value
            if count < self._slow_period:
                return fast, slow, signal
            fast /= self._fast_period
            slow /= self._slow_period
        else:
            fast = self._fast_weight * value + (1.0 - self._fast_weight) * fast
            slow = self._slow_weight * value + (1.0 - self._slow_weight) * slow
        signal += fast - slow
        return fast, slow, signal / self._signal_period if count > self._last_unknown else signal

    def _shown(self, fast: float, slow: float, signal: float) -> float:
        """Return the indicator's value from the averages."""
        raise NotImplementedError

    def _shown_over(self, line: Values, signal: Values) -> Values:
        """Return the indicator's values from the line and its signal."""
        raise NotImplementedError

    def value_now(self, value: float) -> float:  # hot path
        """Return the value as if a bar closed with this input."""
        if self._count < self._last_unknown or not -LIMIT < value < LIMIT:
            return NAN
        return self._shown(*self._averages(value))

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        self._recent.push(self._numbers())
        if not -LIMIT < value < LIMIT:
            self._set(self.START)
            return NAN
        self._fast, self._slow, self._signal = self._averages(value)
        self._count = min(self._count + 1, self._last_unknown + 1)
        if self._count <= self._last_unknown:
            return NAN
        return self._shown(self._fast, self._slow, self._signal)

    def over(self, values: Values) -> Values:
        """Return the value at each bar."""
        values = known_values(values)
        skipped = self._slow_period - self._fast_period
        line = seeded_average(values, self._fast_period, self._fast_weight, skipped)
        line -= seeded_average(values, self._slow_period, self._slow_weight)
        return self._shown_over(line, seeded_average(line, self._signal_period, self._signal_weight))

    def _line_sensitivity(self) -> float:
        """Return the greatest difference of the averages' weights, while seeding and later."""
        seeding = 1.0 / self._fast_period - 1.0 / self._slow_period
        return max(self._fast_weight - self._slow_weight, seeding if self._signal_period == 1 else 0.0)

    def _numbers(self) -> Numbers:
        return [float(self._count), self._fast, self._slow, self._signal]

    def _set(self, numbers: Sequence[float]) -> None:
        count, self._fast, self._slow, self._signal = numbers
        self._count = int(count)


class Macd(MacdAverages):
    """The line: the fast average less the slow one."""

    __slots__ = ()

    def _shown(self, fast: float, slow: float, signal: float) -> float:  # noqa: ARG002
        return fast - slow

    def _shown_over(self, line: Values, signal: Values) -> Values:
        line[signal != signal] = NAN
        return line

    def sensitivity(self) -> float:
        """Return the difference of the averages' weights."""
        return self._line_sensitivity()
