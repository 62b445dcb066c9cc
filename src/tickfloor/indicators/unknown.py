"""Unknown values in columns: which values are known, and in which windows and runs all are."""

import numpy as np
from numpy.typing import NDArray

from tickfloor.indicators.protocol import LIMIT, NAN, Values


def known_values(values: Values) -> Values:
    """Return the values with NaN for those at or beyond :data:`~tickfloor.indicators.protocol.LIMIT`."""
    return np.where(np.abs(values) < LIMIT, values, NAN)


def before(values: Values, bars: int = 1) -> Values:
    """Return for each bar the value ``bars`` bars earlier, NaN where there is none."""
    earlier = np.full(len(values), NAN)
    earlier[bars:] = values[: max(len(values) - bars, 0)]
    return earlier


def unknown_windows(values: Values, period: int) -> NDArray[np.bool_]:
    """Return for each bar whether the ``period`` values that end with it are too few or hold a NaN."""
    unknown = np.isnan(values)
    if unknown.any():
        seen = np.cumsum(unknown)
        result = seen > 0
        result[period:] = seen[period:] > seen[:-period]
    else:
        result = unknown
    result[: period - 1] = True
    return result


def known_runs(values: Values, least: int) -> list[tuple[int, int]]:
    """Return start and stop of every longest run without a NaN that has at least ``least`` values."""
    edges = np.flatnonzero(np.diff(np.isnan(values), prepend=True, append=True))
    starts, stops = edges[::2], edges[1::2]
    long = stops - starts >= least
    return list(zip(starts[long].tolist(), stops[long].tolist(), strict=True))
