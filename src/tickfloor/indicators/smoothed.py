"""What the lines of the slow stochastic share: the mean of the last values of another indicator over prices."""

from typing import ClassVar

from tickfloor.indicators.composed import Composed
from tickfloor.indicators.protocol import Indicator, Values
from tickfloor.indicators.sma import Sma


class SmoothedPrices(Composed):
    """The mean of the last ``period`` values of an indicator that takes high, low and close."""

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")
    __slots__ = ("_mean", "_smoothed")

    def __init__(self, smoothed: Indicator, period: int) -> None:
        self._smoothed = smoothed
        self._mean = Sma(period)
        super().__init__(self._smoothed, self._mean)

    def value_now(self, high: float, low: float, close: float) -> float:  # hot path
        """Return the mean as if a bar closed with these prices."""
        return self._mean.value_now(self._smoothed.value_now(high, low, close))

    def close(self, high: float, low: float, close: float) -> float:
        """Commit a closed bar's prices."""
        return self._mean.close(self._smoothed.close(high, low, close))

    def over(self, high: Values, low: Values, close: Values) -> Values:
        """Return the mean at each bar."""
        return self._mean.over(self._smoothed.over(high, low, close))

    def sensitivity(self) -> float:
        """Return that of the smoothed indicator by its weight in the mean."""
        return self._smoothed.sensitivity() * self._mean.sensitivity()
