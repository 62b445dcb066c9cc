"""Slow stochastic: the fast one, smoothed. Formula: TA-Lib STOCH with simple averages."""

from typing import ClassVar

from tickfloor.indicators.fast_k import FastK
from tickfloor.indicators.protocol import LONGEST_PERIOD, PERIOD, Parameter
from tickfloor.indicators.smoothed import SmoothedPrices

SMOOTH = Parameter("smooth", 1, LONGEST_PERIOD, 3)


class StochK(SmoothedPrices):
    """The mean of the last ``smooth`` places of the close, 0 to 100, known from index ``period + smooth - 2``."""

    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD, SMOOTH)
    __slots__ = ()

    def __init__(self, period: int, smooth: int = 3) -> None:
        super().__init__(FastK(period), smooth)
