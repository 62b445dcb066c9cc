"""The signal of the moving average convergence and divergence. Formula: TA-Lib MACD."""

from tickfloor.indicators.macd import MacdAverages
from tickfloor.indicators.protocol import Values


class MacdSignal(MacdAverages):
    """The exponential average of the line."""

    __slots__ = ()

    def _shown(self, fast: float, slow: float, signal: float) -> float:  # noqa: ARG002
        return signal

    def _shown_over(self, line: Values, signal: Values) -> Values:  # noqa: ARG002
        return signal

    def sensitivity(self) -> float:
        """Return the line's share of the signal; that of the seed is not greater."""
        return self._line_sensitivity() * self._signal_weight
