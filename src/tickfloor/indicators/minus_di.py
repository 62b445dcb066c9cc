"""Minus directional indicator: the movement down in percent of the true range. Formula: TA-Lib MINUS_DI."""

from tickfloor.indicators.directional_indicator import DirectionalIndicator


class MinusDi(DirectionalIndicator):
    """The movement down in percent of the true range."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, 1)
