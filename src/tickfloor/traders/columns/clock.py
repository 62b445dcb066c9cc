"""The parts of a venue's time that rules read."""

from datetime import UTC, datetime, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

from tickfloor.traders.language.nodes import Clock

MINUTE_NS = 60_000_000_000


def time_of(clock: Clock, minute: int) -> float:
    """Return a part of the time in a minute, counted from 1970 UTC."""
    then = datetime.fromtimestamp(minute * 60, _zone(clock.zone))
    match clock.kind:
        case "hour":
            return float(then.hour)
        case "minute":
            return float(then.minute)
        case "weekday":
            return float(then.weekday())
        case _:
            return float(then.hour * 60 + then.minute)


@cache
def _zone(name: str) -> tzinfo:
    return ZoneInfo(name) if name else UTC
