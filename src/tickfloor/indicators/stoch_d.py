"""The signal line of the slow stochastic. Formula: TA-Lib STOCH with simple averages."""

from typing import ClassVar

from tickfloor.indicators.protocol import LONGEST_PERIOD, PERIOD, Parameter
from tickfloor.indicators.smoothed import SmoothedPrices
from tickfloor.indicators.stoch_k import SMOOTH, StochK


class StochD(SmoothedPrices):
    """The mean of the last ``d`` values of the slow stochastic, known from index ``period + smooth + d - 3``."""

    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD, SMOOTH, Parameter("d", 1, LONGEST_PERIOD, 3))
    __slots__ = ()

    def __init__(self, period: int, smooth: int = 3, d: int = 3) -> None:
        super().__init__(StochK(period, smooth), d)
