"""Kraken's times as ns UTC: RFC3339 texts on the WebSocket, decimal seconds in REST answers."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from tickfloor.feeds.errors import FrameError

_SECOND: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", re.ASCII)
_FRACTION: Final = re.compile(r"\d{1,9}", re.ASCII)
_UNIX: Final = re.compile(r"(\d{1,10})(?:\.(\d{1,9}))?", re.ASCII)
_UNITS: Final[tuple[int, ...]] = tuple(10 ** (9 - digits) for digits in range(10))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def time_ns(text: str) -> int:  # hot path: once per trade and book message
    """Return an RFC3339 time with up to nine decimals as ns UTC, exactly. Kraken always writes ``Z``.

    Raises:
        FrameError: it is no such time, or not after 1970-01-01.
    """
    if len(text) == 27 and text[19] == "." and text[26] == "Z":
        # Microseconds, as all market data has: a second is shared by many of them.
        fraction = text[20:26]
        if fraction.isdecimal() and fraction.isascii():
            return _second_ns(text[:19]) + int(fraction) * 1_000
    return _any_ns(text)


def unix_ns(text: str) -> int:
    """Return decimal seconds since 1970 as ns, exactly.

    Raises:
        FrameError: it is no such time, or before the first second of 1970 has passed.
    """
    found = _UNIX.fullmatch(text)
    if found is None:
        raise _refused(text)
    seconds, fraction = found.groups(default="")
    if not int(seconds):
        raise _refused(text)
    return int(seconds) * 1_000_000_000 + int(fraction or "0") * _UNITS[len(fraction)]


def _any_ns(text: str) -> int:
    second, rest = text[:19], text[19:]
    if rest == "Z":
        return _second_ns(second)
    fraction = rest[1:-1]
    if rest[:1] != "." or rest[-1:] != "Z" or not _FRACTION.fullmatch(fraction):
        raise _refused(text)
    return _second_ns(second) + int(fraction) * _UNITS[len(fraction)]


@lru_cache(maxsize=64)
def _second_ns(text: str) -> int:
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
    return FrameError(f"{text[:40]!r} is not a time")
