"""Wilder's moving average, seeded by the mean of the first n values. Formula: TA-Lib, inside ATR and RSI."""

from tickfloor.indicators.seeded import SeededAverage


class Wilder(SeededAverage):
    """Exponential moving average with weight ``1 / period``, known from index ``period - 1``."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, 1.0 / period)
