"""The typical price of a bar: the mean of its high, low and close. Formula: TA-Lib TYPPRICE."""

from tickfloor.indicators.protocol import LIMIT, NAN, Values

ROUNDING = 1e-13
"""Typical prices that differ by less than this part of themselves are equal: the rest is rounding, (1 + 2 + 6) / 3."""


def typical_price(high: float, low: float, close: float, limit: float = LIMIT) -> float:
    """Return the typical price; NaN if one of the prices is unknown, as all are from ``limit`` on."""
    if -limit < high < limit and -limit < low < limit and -limit < close < limit:
        return (high + low + close) / 3.0
    return NAN


def typical_prices(high: Values, low: Values, close: Values) -> Values:
    """Return :func:`typical_price` of every bar; NaN stands for unknown prices already."""
    return (high + low + close) / 3.0
