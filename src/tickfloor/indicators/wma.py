"""Moving average whose weights grow linearly towards the newest value. Formula: TA-Lib WMA."""

import numpy as np

from tickfloor.indicators.weighted import WeightedWindow


class Wma(WeightedWindow):
    """Mean of the last ``period`` values with the weights 1, 2, ... ``period``, the newest weighing most."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(np.arange(1.0, period + 1), period * (period + 1) / 2, is_average=True)
