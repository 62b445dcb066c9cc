"""The venue's time of many moments at once, as rules read it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from tickfloor.indicators.protocol import Values
from tickfloor.traders.history.bars import Times
from tickfloor.traders.language.nodes import Clock

_QUARTER_MS = 15 * 60_000
"""Time zones change their offset at whole quarters of an hour UTC."""
_MINUTE_MS = 60_000
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


def clock_values(clock: Clock, times_ms: Times) -> Values:
    """Return what a clock shows at each time."""
    local_ms = times_ms + _offsets_ms(clock.zone, times_ms) if clock.zone else times_ms
    minutes = local_ms // _MINUTE_MS
    match clock.kind:
        case "hour":
            found = minutes // 60 % 24
        case "minute":
            found = minutes % 60
        case "weekday":
            found = (minutes // (24 * 60) + _EPOCH_WEEKDAY) % 7
        case "minute_of_day":
            found = minutes % (24 * 60)
        case _:
            raise TypeError(f"there is no clock {clock.kind}")
    return found.astype(np.float64)


def _offsets_ms(zone: str, times_ms: Times) -> Times:
    """Return how far a zone is ahead of UTC at each time; looked up once for each quarter of an hour."""
    quarters, places = np.unique(times_ms // _QUARTER_MS, return_inverse=True)
    place = ZoneInfo(zone)
    offsets = []
    for quarter in quarters.tolist():
        local = datetime.fromtimestamp(quarter * _QUARTER_MS / 1000, UTC).astimezone(place)
        offset = local.utcoffset()
        assert offset is not None
        offsets.append(round(offset.total_seconds() * 1000))
    return np.array(offsets, dtype=np.int64)[places]
