"""What rises and falls share: for how many bars in a row a value has moved one way."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.unknown import before, known_values


class Run(Recursive):
    """Bars in a row, this one included, whose value is beyond that of the bar before; 0 if this one's is not.

    Unknown while the value or the one before is. Only known moves are counted: an unknown value ends a row.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    START: ClassVar[tuple[float, ...]] = (NAN, 0.0)
    __slots__ = ("_moves", "_previous", "_sign")

    def __init__(self, sign: float) -> None:
        """Count values above the one before if ``sign`` is 1, below it if it is -1."""
        super().__init__()
        self._sign = sign

    def value_now(self, value: float) -> float:  # hot path
        """Return the moves in a row as if a bar closed with this value."""
        change = (value - self._previous) * self._sign
        if not -LIMIT < value < LIMIT or change != change:
            return NAN
        return self._moves + 1.0 if change > 0.0 else 0.0

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._recent.push(self._numbers())
        self._previous = value if -LIMIT < value < LIMIT else NAN
        self._moves = result if result == result else 0.0
        return result

    def over(self, values: Values) -> Values:
        """Return the moves in a row at every bar of a history."""
        values = known_values(values)
        bars = np.arange(len(values))
        changes = (values - before(values)) * self._sign
        ended = np.maximum.accumulate(np.where(changes > 0.0, 0, bars))
        return np.where(np.isnan(changes), NAN, bars - ended)

    def sensitivity(self) -> float:
        """Return infinity: a row ends, or goes on, with the smallest move."""
        return math.inf

    def _numbers(self) -> Numbers:
        return [self._previous, self._moves]

    def _set(self, numbers: Sequence[float]) -> None:
        self._previous, self._moves = numbers
