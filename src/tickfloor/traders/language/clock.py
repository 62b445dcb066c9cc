"""Times and time zones as rules write them."""

import re
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

_TIME = re.compile(r"([01]\d|2[0-4]):([0-5]\d)")
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){1,2}")
"""Place names only: what else a machine offers, such as its own ``localtime``, is not the same on every machine."""

MINUTES_A_DAY = 24 * 60


def minute_of(text: str) -> int | None:
    """Return the minute of the day of a time such as ``09:30``, up to ``24:00``; None if it is not one."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    minute = int(found[1]) * 60 + int(found[2])
    return minute if minute <= MINUTES_A_DAY else None


@lru_cache(maxsize=1024)
def is_zone(name: str) -> bool:
    """Return whether a time zone of this name is known, for example ``America/New_York``."""
    if _ZONE.fullmatch(name) is None:
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # no such file, no such name, or a folder
        return False
    return True


@cache
def zones() -> tuple[str, ...]:
    """Return the names of the time zones that are known."""
    return tuple(sorted(name for name in available_timezones() if _ZONE.fullmatch(name)))
