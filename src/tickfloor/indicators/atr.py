"""Average true range: Wilder's average of the true range. Formula: TA-Lib TRANGE and ATR."""

from tickfloor.indicators.protocol import NAN
from tickfloor.indicators.seeded import SeededAverage


def true_range(high: float, low: float, previous_close: float) -> float:
    """Return the greatest of the bar's range and its distances to the close before; NaN without one."""
    if high != high or low != low or previous_close != previous_close:
        return NAN
    return max(high - low, abs(high - previous_close), abs(low - previous_close))


class Atr(SeededAverage):
    """Wilder's average of :func:`true_range`, known from index ``period``: the first bar has no true range."""

    __slots__ = ()

    def _follow(self, level: float, value: float) -> float:
        return (level * (self._period - 1) + value) / self._period
