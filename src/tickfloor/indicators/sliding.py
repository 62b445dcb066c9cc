"""A history cut into windows of n bars: what the columnar form of windowed indicators shares."""

from collections.abc import Callable

import numpy as np

from tickfloor.indicators.protocol import LONGEST_PERIOD, NAN, Parameter, Values

TWO_BARS_OR_MORE = Parameter("period", 2, LONGEST_PERIOD)
"""The period of an indicator that says nothing about a single value."""

PRODUCT_LIMIT = 1e150
"""Inputs that are multiplied with each other are unknown from here on: sums of their products cannot overflow."""

BLOCK = 8192
"""Windows at a time: what is worked on stays in the processor's cache."""


def known_factors(values: Values, least: float = -PRODUCT_LIMIT) -> Values:
    """Return the values with NaN for those that may not be multiplied, and those below ``least``."""
    return np.where((np.abs(values) < PRODUCT_LIMIT) & (values >= least), values, NAN)


def over_windows(period: int, value: Callable[..., Values], *inputs: Values, block: int = BLOCK) -> Values:
    """Return one value for every window of ``period`` bars, at its last bar; NaN for the bars before the first.

    Args:
        period: bars in a window.
        value: takes as much of each input as ``m`` windows cover, ``m + period - 1`` bars, and returns ``m`` values.
        inputs: as long as the history.
        block: how many windows ``value`` is given at most.
    """
    result = np.full(len(inputs[0]), NAN)
    windows = len(result) - period + 1
    for first in range(0, windows, block):
        end = min(first + block, windows) + period - 1
        result[first + period - 1 : end] = value(*(each[first:end] for each in inputs))
    return result
