"""Lowest of the last n values. Formula: TA-Lib MIN."""

from tickfloor.indicators.extreme import Extreme


class Lowest(Extreme):
    """The lowest of the last ``period`` values."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, min)
