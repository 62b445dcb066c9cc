"""Exactly rounded sums over sliding windows of a whole history: what ``math.fsum`` gives for each window.

Windows are summed by doubling, in pairs of floats: a sum and its rounding error (Knuth's TwoSum; T. J. Dekker, "A
floating-point technique for extending the available precision", 1971). A pair is good to about 2 ** -100 of the
window's absolute sum, and exact for numbers of similar size. Where it does not settle the rounding, the window is
summed by ``fsum``.
"""

import math

import numpy as np

from tickfloor.indicators.protocol import NAN, Values
from tickfloor.indicators.unknown import unknown_windows

_CHUNK = 16_384
"""Windows summed at once; so few that the arrays stay in the processor's cache."""

_Pair = tuple[Values, Values | None]
"""Sums and their errors; None: they are exact."""


def window_sums(values: Values, period: int) -> Values:
    """Return the exactly rounded sum of the last ``period`` values of each bar, NaN where one is NaN or missing."""
    result = np.full(len(values), NAN)
    unknown = unknown_windows(values, period)
    filled = np.nan_to_num(values, nan=0.0)
    for first in range(period - 1, len(values), _CHUNK):
        stop = min(first + _CHUNK, len(values))
        result[first:stop] = _sums(filled[first - period + 1 : stop], period)
    result[unknown] = NAN
    return result


def _sums(values: Values, period: int) -> Values:
    sums, errors = _by_doubling(values, period)
    sizes = np.abs(values)
    greatest = period * float(sizes.max())
    if errors is None or _errors_are_exact(greatest, float(sizes.min(where=sizes > 0.0, initial=np.inf))):
        return sums
    # An addition of pairs errs by less than 4 * 2 ** -106 of what is added, and a value takes part in at most two
    # additions a doubling. The smallest number stands for what is lost in computing the bound.
    bound = 16.0 * period.bit_length() * 2.0**-106 * greatest + 1e-320
    rounded = sums + (errors + bound)
    doubtful = np.flatnonzero(rounded != sums + (errors - bound))
    for index in doubtful.tolist():
        rounded[index] = math.fsum(values[index : index + period].tolist())
    return rounded


def _errors_are_exact(greatest: float, least: float) -> bool:
    """Return whether the errors of pairs can be added without an error of their own.

    Everything is a multiple of the spacing of floats at the least size, and an error, of a sum of at most the
    greatest size, is below 2 ** 53 of these. So it is for prices: their sizes differ by far less than 2 ** 50.
    """
    return greatest * 2.0**-103 <= math.ulp(least)


def _by_doubling(values: Values, period: int) -> _Pair:
    """Return the sums of each ``period`` values in a row, made of windows whose lengths are powers of two."""
    power: _Pair = (values, None)
    length = 1
    taken: _Pair | None = None
    covered = 0
    while True:
        if period & length:
            taken = power if taken is None else _added(taken, power, covered)
            covered += length
        if covered == period:
            assert taken is not None
            return taken
        power = _added(power, power, length)
        length *= 2


def _added(left: _Pair, right: _Pair, offset: int) -> _Pair:
    """Return ``left[i] + right[i + offset]`` wherever both are there."""
    size = min(len(left[0]), len(right[0]) - offset)
    a, b = left[0][:size], right[0][offset : offset + size]
    total = a + b
    part = total - a
    error = (a - (total - part)) + (b - part)
    if left[1] is None and right[1] is None:
        return total, error if error.any() else None
    if left[1] is not None:
        error += left[1][:size]
    if right[1] is not None:
        error += right[1][offset : offset + size]
    high = total + error
    return high, error - (high - total)
