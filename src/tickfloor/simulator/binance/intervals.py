"""Binance's bar intervals, as far as minutes add up to them."""

from typing import Final

MINUTE_MS: Final = 60_000
INTERVALS: Final = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480,
    "12h": 720, "1d": 1440,
}  # fmt: skip
"""Minutes by name."""


def length_ms(interval: str) -> int | None:
    """Return an interval's length, or None if there is no such one."""
    minutes = INTERVALS.get(interval)
    return None if minutes is None else minutes * MINUTE_MS
