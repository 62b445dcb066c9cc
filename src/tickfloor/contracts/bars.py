"""A bar as eleven numbers, the same in shared memory, in the feed and in the traders."""

from enum import IntEnum

Bar = list[float]
"""Eleven floats in the order of :class:`BarField`. A list, because the forming bar changes in place."""


class BarField(IntEnum):
    """Index of a bar's number. Times are venue milliseconds UTC, exact in a float."""

    START_MS = 0
    OPEN = 1
    HIGH = 2
    LOW = 3
    CLOSE = 4
    VOLUME = 5
    QUOTE_VOLUME = 6
    BUY_VOLUME = 7
    """volume whose taker bought"""
    TRADES = 8
    FIRST_MS = 9
    """time of the trade that set OPEN"""
    LAST_MS = 10
    """time of the trade that set CLOSE"""


BAR_WORDS = len(BarField)
