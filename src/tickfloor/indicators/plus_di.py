"""Plus directional indicator: the movement up in percent of the true range. Formula: TA-Lib PLUS_DI."""

from tickfloor.indicators.directional_indicator import DirectionalIndicator


class PlusDi(DirectionalIndicator):
    """The movement up in percent of the true range."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(period, 0)
