"""Venue times as people read them."""

from datetime import UTC, datetime


def time_text(ts_event: int) -> str:
    """Return a venue time, ns since 1970, in UTC, with milliseconds only if there are any."""
    seconds, rest = divmod(ts_event, 1_000_000_000)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"
    return f"{text}.{rest // 1_000_000:03}" if rest else text
