"""Rate of change over n bars, in percent. Formula: TA-Lib ROC."""

import math

import numpy as np

from tickfloor.indicators.compared import ComparedWithEarlier
from tickfloor.indicators.protocol import LIMIT, NAN, Values
from tickfloor.indicators.unknown import before, known_values


class Roc(ComparedWithEarlier):
    """By how many percent the value is above the one ``period`` bars before.

    Unknown where the earlier value is 0 (TA-Lib gives 0 there).
    """

    __slots__ = ()

    def value_now(self, value: float) -> float:  # hot path
        """Return the rise of this value over the one ``period`` bars before."""
        if not self._earlier or not -LIMIT < value < LIMIT:
            return NAN
        rate = (value / self._earlier - 1.0) * 100.0
        return rate if -LIMIT < rate < LIMIT else NAN

    def over(self, values: Values) -> Values:
        """Return the rate at each bar."""
        values = known_values(values)
        with np.errstate(all="ignore"):  # what is divided by zero or overflows becomes unknown
            return known_values((values / before(values, self._period) - 1.0) * 100.0)

    def sensitivity(self) -> float:
        """Return 100 / the earlier value."""
        base = abs(self._earlier)
        return 100.0 / base if base > 0.0 else math.inf
