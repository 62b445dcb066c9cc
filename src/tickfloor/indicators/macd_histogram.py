"""The histogram of the moving average convergence and divergence. Formula: TA-Lib MACD."""

from tickfloor.indicators.macd import MacdAverages
from tickfloor.indicators.protocol import Values


class MacdHistogram(MacdAverages):
    """The line less its signal."""

    __slots__ = ()

    def _shown(self, fast: float, slow: float, signal: float) -> float:
        return fast - slow - signal

    def _shown_over(self, line: Values, signal: Values) -> Values:
        return line - signal

    def sensitivity(self) -> float:
        """Return what the signal leaves of the line: most while it is seeded."""
        return self._line_sensitivity() * (1.0 - 1.0 / self._signal_period)
