"""Kraken's times in REST answers: decimal seconds since 1970."""

import re
from typing import Final

from tickfloor.feeds.errors import FrameError

_UNIX: Final = re.compile(r"(\d{1,10})(?:\.(\d{1,9}))?", re.ASCII)


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
    return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))


def _refused(text: str) -> FrameError:
    return FrameError(f"{text[:40]!r} is not a time in seconds")
