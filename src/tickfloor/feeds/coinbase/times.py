"""Coinbase's times: RFC 3339 in UTC, with up to nine decimals."""

import re
from datetime import UTC, datetime
from functools import lru_cache

from tickfloor.feeds.errors import FrameError

_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS: tuple[int, ...] = tuple(10 ** (9 - digits) for digits in range(10))


def time_ns(text: str) -> int:
    """Return a time as ns UTC, exactly.

    Raises:
        FrameError: it is not such a time, or before 1970.
    """
    head, _, fraction = text[:-1].partition(".")
    seconds = head[17:]
    if text[-1:] != "Z" or len(seconds) != 2 or len(fraction) > 9:
        raise _not_a_time(text)
    digits = seconds + fraction
    if not digits.isdigit() or not digits.isascii() or seconds > "59":
        raise _not_a_time(text)
    return _minute_ns(head[:17]) + int(digits) * _UNITS[len(fraction)]


@lru_cache(maxsize=64)
def _minute_ns(text: str) -> int:
    """Return ``YYYY-MM-DDTHH:MM:`` as ns UTC; the same minute is asked for again and again."""
    if not _MINUTE.fullmatch(text):
        raise _not_a_time(text)
    try:
        since = datetime.fromisoformat(f"{text}00+00:00") - _EPOCH
    except ValueError as error:
        raise _not_a_time(text) from error
    if since.days < 0:
        raise _not_a_time(text)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000


def _not_a_time(text: str) -> FrameError:
    return FrameError(f"{text[:40]!r} is not a time in UTC")
