"""Exponential moving average, seeded by the mean of the first n values. Formula: TA-Lib EMA."""

from tickfloor.indicators.seeded import SeededAverage


class Ema(SeededAverage):
    """Exponential moving average with weight ``2 / (period + 1)``, known from index ``period - 1``."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, 2.0 / (period + 1))
