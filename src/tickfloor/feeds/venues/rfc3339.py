"""Times as venues write them: RFC 3339 in UTC, with up to nine decimals."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from tickfloor.feeds.errors import FrameError

_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_UNITS: Final[tuple[int, ...]] = tuple(10 ** (9 - digits) for digits in range(10))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def time_ns(text: str) -> int:  # hot path: every trade and book message
    """Return a time as ns UTC, exactly.

    Raises:
        FrameError: it is not such a time, or not after the first second of 1970.
    """
    fraction = text[20:-1]
    if text[-1:] != "Z" or len(fraction) > 9:
        raise _refused(text)
    if not fraction:
        if len(text) != 20:
            raise _refused(text)
        return _second_ns(text[:19])
    if text[19] != "." or not fraction.isdecimal() or not fraction.isascii():
        raise _refused(text)
    return _second_ns(text[:19]) + int(fraction) * _UNITS[len(fraction)]


@lru_cache(maxsize=256)
def _second_ns(text: str) -> int:
    """Return ``YYYY-MM-DDTHH:MM:SS`` as ns UTC; many messages share a second."""
    if not _SECOND.fullmatch(text):
        raise _refused(text)
    try:
        since = datetime.fromisoformat(text).replace(tzinfo=UTC) - _EPOCH
    except ValueError as error:
        raise _refused(text) from error
    seconds = since.days * 86_400 + since.seconds
    if seconds <= 0:
        raise _refused(text)
    return seconds * 1_000_000_000


def _refused(text: str) -> FrameError:
    return FrameError(f"{text[:40]!r} is not a time in UTC")
