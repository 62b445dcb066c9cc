"""Lowest of the last n values. Formula: TA-Lib MIN."""

import math

import numpy as np

from tickfloor.indicators.extreme import Extreme
from tickfloor.indicators.protocol import LIMIT, NAN


class Lowest(Extreme):
    """The lowest of the last ``period`` values."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, min, np.minimum, math.inf)

    def value_now(self, value: float) -> float:  # hot path
        """Return the lowest of this and the ``period - 1`` values before it."""
        if not -LIMIT < value < LIMIT:
            return NAN
        closed_part = self.closed_part  # if unknown, no value beats it
        return value if value < closed_part else closed_part
