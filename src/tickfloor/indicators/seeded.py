"""A recursive average seeded by the mean of its first n values: what ema and Wilder's average share."""

from collections.abc import Sequence
from typing import ClassVar

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, PERIOD, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.recursive import seeded_average
from tickfloor.indicators.unknown import known_values


class SeededAverage(Recursive):
    """``weight * value + (1 - weight) * average``, known from the ``period``-th value on.

    An unknown value restarts the seeding. ``_level`` is the sum of the seed until ``_count`` reaches the period, and
    the average from then on.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    START: ClassVar[tuple[float, ...]] = (0.0, 0.0)
    __slots__ = ("_count", "_decay", "_level", "_period", "_weight")
    _count: int

    def __init__(self, period: int, weight: float) -> None:
        super().__init__()
        self._period = period
        self._weight = weight
        self._decay = 1.0 - weight

    def value_now(self, value: float) -> float:  # hot path
        """Return the average as if a bar closed with this value."""
        if not -LIMIT < value < LIMIT:
            return NAN
        count = self._count
        if count == self._period:
            return self._weight * value + self._decay * self._level
        return (self._level + value) / self._period if count == self._period - 1 else NAN

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._recent.push(self._numbers())
        if not -LIMIT < value < LIMIT:
            self._set(self.START)
        elif result == result:
            self._count = self._period
            self._level = result
        else:
            self._count += 1
            self._level += value
        return result

    def over(self, values: Values) -> Values:
        """Return the average at each bar."""
        return seeded_average(known_values(values), self._period, self._weight)

    def sensitivity(self) -> float:
        """Return the weight of one value; that of the seed is not greater."""
        return self._weight

    def _numbers(self) -> Numbers:
        return [float(self._count), self._level]

    def _set(self, numbers: Sequence[float]) -> None:
        count, self._level = numbers
        self._count = int(count)
