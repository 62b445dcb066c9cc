"""The board's row of one instrument: how it stands now."""

import struct
from enum import IntEnum

ROW = struct.Struct("<Qqq31d")
"""One row; fields in the order of :class:`Field`."""


class Field(IntEnum):
    """Index of a row's value. Unknown is NaN; times are ns UTC."""

    SEQUENCE = 0
    """tape sequence of the last record that is part of this row"""
    TS_EVENT = 1
    TS_INIT = 2
    LAST = 3
    LAST_QTY = 4
    LAST_SIDE = 5
    BID = 6
    BID_SIZE = 7
    ASK = 8
    ASK_SIZE = 9
    OPEN_24H = 10
    HIGH_24H = 11
    LOW_24H = 12
    CHANGE_24H = 13
    """percent"""
    VOLUME_24H = 14
    QUOTE_VOLUME_24H = 15
    TRADES_24H = 16
    DAY_OPEN = 17
    """first price of the UTC day of venue time"""
    DAY_HIGH = 18
    DAY_LOW = 19
    CUMULATIVE_DELTA = 20
    """taker-bought minus taker-sold quantity since the run began"""
    BUY_VOLUME = 21
    SELL_VOLUME = 22
    TRADES = 23
    LATE_TRADES = 24
    QUALITY = 25
    PRICE_DECIMALS = 26
    QTY_DECIMALS = 27
    TICK_SIZE = 28
    LOT_SIZE = 29
    LAST_US = 30
    """venue time of LAST, microseconds UTC; 0 before the first trade. A trade that is older leaves LAST alone."""
    BARS_AHEAD = 31
    """0; else bars on the board are newer than this row, until it follows at the end of the batch, and every record
    before this tape sequence less 1 is whole on the tape, published or not"""
    TRADE_ID = 32
    """the venue's id of the newest trade; -1 before the first"""
    MISSING_FROM = 33
    """the lowest id before TRADE_ID that is missing and asked for; -1: none is"""


ROW_WORDS = 34
assert ROW.size == ROW_WORDS * 8


def empty_row() -> list[float]:
    """Return the row of an instrument of which nothing is known yet."""
    row: list[float] = [0, 0, 0, *[float("nan")] * (ROW_WORDS - 3)]
    for field in (Field.CUMULATIVE_DELTA, Field.BUY_VOLUME, Field.SELL_VOLUME, Field.TRADES,
                  Field.LATE_TRADES, Field.QUALITY, Field.LAST_US, Field.BARS_AHEAD):  # fmt: skip
        row[field] = 0.0
    row[Field.TRADE_ID] = row[Field.MISSING_FROM] = -1.0
    return row
