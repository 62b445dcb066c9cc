"""Relative strength index with Wilder's averages, 0 to 100. Formula: TA-Lib RSI."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, PERIOD, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.recursive import seeded_average
from tickfloor.indicators.unknown import before, known_values


class Rsi(Recursive):
    """Relative strength index, known from the bar with index ``period``; an unknown value restarts the seeding.

    Without any movement it is 0, as in TA-Lib.

    ``_gain`` and ``_loss`` are the sums of the seed until ``_count`` changes reach the period, averages from then on.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    START: ClassVar[tuple[float, ...]] = (0.0, NAN, 0.0, 0.0)
    __slots__ = ("_count", "_decay", "_gain", "_loss", "_period", "_previous", "_weight")
    _count: int
    _previous: float

    def __init__(self, period: int) -> None:
        super().__init__()
        self._period = period
        self._weight = 1.0 / period
        self._decay = 1.0 - self._weight

    def value_now(self, value: float) -> float:  # hot path
        """Return the index as if a bar closed with this value."""
        if self._count != self._period or not -LIMIT < value < LIMIT:
            return self._first_value(value)
        gain = self._decay * self._gain
        loss = self._decay * self._loss
        change = self._weight * (value - self._previous)
        if change > 0.0:
            gain += change
        else:
            loss -= change
        total = gain + loss
        return 100.0 * (gain / total) if total else 0.0

    def _first_value(self, value: float) -> float:
        """Return the index with which the seed is complete, NaN before."""
        if self._count != self._period - 1 or not -LIMIT < value < LIMIT or self._previous != self._previous:
            return NAN
        gain, loss = self._averages(value)
        total = gain + loss
        return 100.0 * (gain / total) if total else 0.0

    def _averages(self, value: float) -> tuple[float, float]:
        """Return the averages of gain and loss, or their sums while seeding, after one more value."""
        change = value - self._previous
        if self._count == self._period:
            change *= self._weight
            gain = self._decay * self._gain
            loss = self._decay * self._loss
        else:
            gain, loss = self._gain, self._loss
        gain += max(change, 0.0)
        loss += max(-change, 0.0)
        if self._count == self._period - 1:
            return gain / self._period, loss / self._period
        return gain, loss

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._recent.push(self._numbers())
        if not -LIMIT < value < LIMIT:
            self._set(self.START)
            return result
        if self._previous == self._previous:
            self._gain, self._loss = self._averages(value)
            self._count = min(self._count + 1, self._period)
        self._previous = value
        return result

    def over(self, values: Values) -> Values:
        """Return the index at each bar."""
        values = known_values(values)
        change = values - before(values)
        gain = seeded_average(np.maximum(change, 0.0), self._period, self._weight)
        loss = seeded_average(np.maximum(-change, 0.0), self._period, self._weight)
        total = gain + loss
        return 100.0 * np.divide(gain, total, out=np.zeros(len(values)), where=total != 0.0)

    def sensitivity(self) -> float:
        """Return the slope where the value equals the one before: it is steepest there.

        With gains g and losses l from the closed bars and a change c of weight w, the index is 100 (g + wc) / (g + wc +
        l) for a rise, and mirrored for a fall.
        """
        share = self._weight if self._count < self._period else self._decay
        total = share * (self._gain + self._loss)
        if not total:
            return math.inf
        return 100.0 * self._weight / total * (share * max(self._gain, self._loss) / total)

    def _numbers(self) -> Numbers:
        return [float(self._count), self._previous, self._gain, self._loss]

    def _set(self, numbers: Sequence[float]) -> None:
        count, self._previous, self._gain, self._loss = numbers
        self._count = int(count)
