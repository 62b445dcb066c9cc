"""Slope of the straight line through the last n values. Formula: TA-Lib LINEARREG_SLOPE."""

import numpy as np

from tickfloor.indicators.weighted import WeightedWindow


class Slope(WeightedWindow):
    """Slope, per bar, of the least squares line through the last ``period`` values."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        twice_from_middle = np.arange(1.0 - period, period, 2.0)
        super().__init__(twice_from_middle, period * (period * period - 1) / 6, is_average=False)
