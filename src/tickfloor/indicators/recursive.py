"""Recursive averages and sums over a whole history, the same floats as bar by bar.

``scipy`` is imported where it is used: live workers go bar by bar and never load it, and who has little to compute is
done before it is loaded.
"""

import sys
from itertools import accumulate, count

import numpy as np

from tickfloor.indicators.protocol import NAN, Values
from tickfloor.indicators.unknown import known_runs

_STEPS = 1000
_LOADING = 5_000
"""Thousands of steps that take as long, one by one, as it takes to load scipy."""

_walked = count()
"""How many thousands have been taken one by one."""


def seeded_average(values: Values, period: int, weight: float, skipped: int = 0) -> Values:
    """Return the recursive average of each run of known values.

    It starts with the mean of ``period`` values, the first ``skipped`` of the run left out, and goes on with
    ``weight * value + (1 - weight) * average``.
    """
    result = np.full(len(values), NAN)
    for start, stop in known_runs(values, skipped + period):
        first = start + skipped + period - 1
        level = _sum(values[first - period + 1 : first + 1]) / period
        result[first] = level
        result[first + 1 : stop] = _followed(level, weight * values[first + 1 : stop], 1.0 - weight)
    return result


def decayed_sum(values: Values, period: int) -> Values:
    """Return Wilder's sum of each run of known values: of its first ``period - 1``, then shrinking by 1 / period a bar.

    It is known from the run's ``period``-th value on.
    """
    result = np.full(len(values), NAN)
    for start, stop in known_runs(values, period):
        first = start + period - 1
        level = _sum(values[start:first])
        result[first:stop] = _followed(level, values[first:stop], 1.0 - 1.0 / period)
    return result


def _sum(values: Values) -> float:
    """Return the sum from left to right, which ``numpy.sum`` is not."""
    return float(np.add.accumulate(values)[-1]) if len(values) else 0.0


def _followed(level: float, added: Values, decay: float) -> Values:
    """Return ``level = added + decay * level`` for each.

    The weights are already in ``added``: the filter then multiplies and adds with one rounding each, even where a
    compiler fuses the two.
    """
    if not len(added):
        return added
    if "scipy.signal" not in sys.modules and next(_walked) + len(added) // _STEPS < _LOADING:
        for _ in range(len(added) // _STEPS):
            next(_walked)
        steps = accumulate(added.tolist(), lambda before, each: each + decay * before, initial=level)
        next(steps)
        return np.fromiter(steps, np.float64, len(added))
    from scipy.signal import lfilter

    followed: Values
    followed, _ = lfilter([1.0, 0.0], [1.0, -decay], added, zi=[decay * level])
    return followed
