"""What wma and slope share: a weighted sum over a window."""

from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, Parameter, State, Values
from tickfloor.indicators.sliding import TWO_BARS_OR_MORE, over_windows
from tickfloor.indicators.unknown import known_values
from tickfloor.indicators.window import RecentValues


class WeightedWindow:
    """A weighted sum of the last ``period`` values, known from the bar with index ``period - 1``.

    Summed are distances to the oldest value of the window, not the values: nothing is lost where the values are
    large and their distances small, and a value that stands still gives exactly itself, or a slope of exactly zero.
    The closed part is summed at a close, oldest first, so the forming bar costs one multiplication.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (TWO_BARS_OR_MORE,)
    __slots__ = (
        "_carried", "_divisor", "_is_average", "_level", "_oldest", "_period", "_weight", "_weights", "_window",
    )  # fmt: skip

    def __init__(self, weights: Values, divisor: float, *, is_average: bool) -> None:
        """Begin with whole weights, oldest first, that add up to the divisor for an average, and else to zero."""
        self._period = len(weights)
        self._weights = weights
        self._weight = float(weights[-1])
        self._divisor = divisor
        self._is_average = is_average
        self._window = RecentValues(self._period)
        self._oldest = self._level = self._carried = NAN

    def _sum_closed(self) -> None:
        carried = self._period - 1
        values = self._window.values
        if len(values) < carried:
            self._oldest = self._level = self._carried = NAN
            return
        self._oldest = values[-carried]
        self._level = self._oldest if self._is_average else 0.0
        distances = np.array(values[-carried:]) - self._oldest
        self._carried = float(np.add.accumulate(self._weights[:-1] * distances)[-1])

    def value_now(self, value: float) -> float:  # hot path
        """Return the sum of this and the ``period - 1`` values before it."""
        if not -LIMIT < value < LIMIT:
            return NAN
        return self._level + (self._carried + self._weight * (value - self._oldest)) / self._divisor

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._window.push(value if -LIMIT < value < LIMIT else NAN)
        self._sum_closed()
        return result

    def _over_block(self, values: Values) -> Values:
        windows = len(values) - self._period + 1
        oldest = values[:windows]
        total = np.zeros(windows)
        for index, weight in enumerate(self._weights.tolist()):
            total += weight * (values[index : index + windows] - oldest)
        total /= self._divisor
        return oldest + total if self._is_average else total

    def over(self, values: Values) -> Values:
        """Return the sum of every window of a history."""
        return over_windows(self._period, self._over_block, known_values(values))

    def sensitivity(self) -> float:
        """Return the weight of the newest value."""
        return self._weight / self._divisor

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        self._window.rewind(bars)
        self._sum_closed()

    def state(self) -> State:
        """Return the kept values, oldest first."""
        return self._window.state()

    def restore(self, state: State) -> None:
        """Become the sum that gave this state."""
        self._window.restore(state)
        self._sum_closed()
