"""Highest of the last n values. Formula: TA-Lib MAX."""

from tickfloor.indicators.extreme import Extreme


class Highest(Extreme):
    """The highest of the last ``period`` values."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, max)
