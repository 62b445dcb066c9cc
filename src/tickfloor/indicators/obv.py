"""On-balance volume. Formula: TA-Lib OBV."""

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import LIMIT, NAN, Numbers, Parameter, Values
from tickfloor.indicators.recent import Recursive
from tickfloor.indicators.unknown import before, known_runs, known_values


class Obv(Recursive):
    """Volume of the bars that closed higher less that of the bars that closed lower, since the first bar seen.

    The first bar counts as higher, as in TA-Lib; after an unknown input the sum begins anew. Its level therefore
    depends on where it began: compare it with its own past, as in ``obv > sma(obv, 20)``, not with a number.
    """

    inputs: ClassVar[tuple[str, ...]] = ("close", "volume")
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    START: ClassVar[tuple[float, ...]] = (0.0, NAN)
    __slots__ = ("_level", "_previous")

    def value_now(self, close: float, volume: float) -> float:  # hot path
        """Return the sum as if a bar closed with this price and volume."""
        if not (-LIMIT < close < LIMIT and -LIMIT < volume < LIMIT):
            return NAN
        previous = self._previous
        if close < previous:
            return self._level - volume
        return self._level if close == previous else self._level + volume

    def close(self, close: float, volume: float) -> float:
        """Commit a closed bar's price and volume."""
        result = self.value_now(close, volume)
        self._recent.push(self._numbers())
        self._set([result, close] if result == result else self.START)
        return result

    def over(self, close: Values, volume: Values) -> Values:
        """Return the sum at every bar of a history."""
        volume = known_values(volume)
        close = np.where(np.isnan(volume), NAN, known_values(close))
        previous = before(close)
        changes = np.where(close < previous, -volume, np.where(close == previous, 0.0, volume))
        result = np.full(len(close), NAN)
        for begin, end in known_runs(close, 1):
            result[begin:end] = np.cumsum(changes[begin:end])
        return result

    def sensitivity(self) -> float:
        """Return infinity: a bar's volume changes sides with the smallest move."""
        return math.inf

    def _numbers(self) -> Numbers:
        return [self._level, self._previous]

    def _set(self, numbers: Sequence[float]) -> None:
        self._level, self._previous = numbers
