"""Standard deviation of the last n values, of the whole population. Formula: TA-Lib STDDEV with one deviation."""

import math
from typing import ClassVar

import numpy as np

from tickfloor.indicators.moments import RecentMoments, moments_over
from tickfloor.indicators.protocol import COLUMN, LIMIT, LONGEST_PERIOD, NAN, Parameter, State, Values
from tickfloor.indicators.unknown import before, known_values


class Stdev:
    """Square root of the mean squared deviation from the mean, known from the bar with index ``period - 1``.

    Unknown where squared deviations are no float any more, from about 1e154 on.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("period", 2, LONGEST_PERIOD),)
    __slots__ = ("_period", "_recent", "_share")

    def __init__(self, period: int) -> None:
        self._period = period
        self._share = (period - 1) / period
        self._recent = RecentMoments(period - 1)

    def value_now(self, value: float) -> float:  # hot path
        """Return the deviation of this and the ``period - 1`` values before it."""
        mean, squares = self._recent.moments
        distance = value - mean
        squares += distance * distance * self._share
        return math.sqrt(squares / self._period) if squares < math.inf and -LIMIT < value < LIMIT else NAN

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._recent.push(value if -LIMIT < value < LIMIT else NAN)
        return result

    def over(self, values: Values) -> Values:
        """Return the deviation at each bar."""
        values = known_values(values)
        with np.errstate(over="ignore", invalid="ignore"):  # squares that are no float: unknown
            means, squares = moments_over(values, self._period - 1)
            distance = values - before(means)
            total = before(squares) + distance * distance * self._share
            return np.where(total < np.inf, np.sqrt(total / self._period), NAN)

    def sensitivity(self) -> float:
        """Return sqrt(n - 1) / n: no value is further than sqrt(n - 1) deviations from the mean (P. A. Samuelson)."""
        return math.sqrt(self._period - 1) / self._period

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._recent.rewind(bars)

    def state(self) -> State:
        """Return the kept values."""
        return self._recent.state()

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        self._recent.restore(state)
