"""The greatest or least of each sliding window of a whole history."""

import numpy as np

from tickfloor.indicators.protocol import NAN, Values


def window_extremes(values: Values, period: int, pick: np.ufunc) -> Values:
    """Return ``pick``, ``numpy.maximum`` or ``numpy.minimum``, of the last ``period`` values of each bar.

    NaN where a value of the window is NaN or missing.
    """
    result = np.full(len(values), NAN)
    if len(values) >= period:
        power = values
        length = 1
        while 2 * length <= period:
            power = pick(power[:-length], power[length:])
            length *= 2
        rest = period - length  # two windows of that length, overlapping, cover the period
        result[period - 1 :] = pick(power[: len(power) - rest], power[rest:])
    return result
