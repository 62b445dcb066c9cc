"""How long ago something was true."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import COLUMN, LIMIT, NAN, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.unknown import known_values


class Since(Recursive):
    """Bars since the value was last true, which is anything but 0; 0 if it is now. Unknown before the first time.

    An unknown value counts as not true: what was true before it stays as long ago as it is.
    """

    inputs: ClassVar[tuple[str, ...]] = (COLUMN,)
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    START: ClassVar[tuple[float, ...]] = (NAN,)
    __slots__ = ("_bars",)

    def value_now(self, value: float) -> float:  # hot path
        """Return how long ago it was true as if a bar closed with this value."""
        return 0.0 if value and -LIMIT < value < LIMIT else self._bars + 1.0

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        self._recent.push(self._numbers())
        self._bars = self.value_now(value)
        return self._bars

    def over(self, values: Values) -> Values:
        """Return how long ago it was true at every bar of a history."""
        values = known_values(values)
        bars = np.arange(len(values))
        last = np.maximum.accumulate(np.where((values != 0.0) & ~np.isnan(values), bars, -1))
        return np.where(last < 0, NAN, bars - last)

    def sensitivity(self) -> float:
        """Return infinity: it falls to 0 when the value leaves 0."""
        return math.inf

    def _numbers(self) -> Numbers:
        return [self._bars]

    def _set(self, numbers: Sequence[float]) -> None:
        (self._bars,) = numbers
