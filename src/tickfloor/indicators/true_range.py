"""True range: the bar's range, the close before included. Formula: TA-Lib TRANGE."""

import numpy as np

from tickfloor.indicators.protocol import LIMIT, NAN, Values
from tickfloor.indicators.unknown import before, known_values


def true_range(high: float, low: float, previous: float) -> float:  # hot path
    """Return the greatest of the bar's range and its distances to the close before; NaN if one is unknown."""
    if not (-LIMIT < high < LIMIT and -LIMIT < low < LIMIT and -LIMIT < previous < LIMIT):
        return NAN
    greatest = high - low
    if abs(high - previous) > greatest:
        greatest = abs(high - previous)
    if abs(low - previous) > greatest:
        greatest = abs(low - previous)
    return greatest


def true_ranges(high: Values, low: Values, close: Values) -> Values:
    """Return the true range of each bar."""
    high, low, previous = known_values(high), known_values(low), before(known_values(close))
    return np.maximum(np.maximum(high - low, np.abs(high - previous)), np.abs(low - previous))
