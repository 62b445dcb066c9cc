"""The tape record: 64 bytes, one cache line, the same for every venue.

===========  ====  =========================================================
field        type  meaning
===========  ====  =========================================================
sequence     u64   position on the tape, from 0, without holes
ts_event     i64   venue time, ns UTC (bars: the bar's end)
ts_init      i64   time received, ns UTC
instrument   u32   row on the board
kind         u8    :class:`Kind`
code         u8    by kind: :class:`Side`, :class:`~.intervals.Interval`,
                   :class:`Quality`, or the :class:`StatsPart`
flags        u16   :class:`Flag`
a b c d      f64   by kind, see :class:`Kind`
===========  ====  =========================================================
"""

import struct
from enum import IntEnum, IntFlag

RECORD = struct.Struct("<QqqIBBHdddd")
"""One record; field order as in the table above."""

RECORD_BYTES = RECORD.size
assert RECORD_BYTES == 64


class Kind(IntEnum):
    """What happened, and what the four payload words mean."""

    TRADE = 1
    """price, quantity, venue trade id (exact below 2**53), number of trades it aggregates"""
    QUOTE = 2
    """bid, bid size, ask, ask size"""
    STATS = 3
    """24 h statistics; by :class:`StatsPart`"""
    BAR_CLOSE = 4
    """board slot of the closed bar, close, volume, trades; ts_event is the bar's end"""
    BAR_REVISED = 5
    """as BAR_CLOSE, for a bar that had closed and was changed by a late trade"""
    QUALITY = 6
    """the instrument's data quality changed; no payload"""
    BOOK = 7
    """the book changed; best bid, bid size, best ask, ask size after the change"""
    CLOCK = 8
    """the feed's venue time has passed ts_event without any other record saying so; no payload"""


class Side(IntEnum):
    """The taker's side of a trade."""

    UNKNOWN = 0
    BUY = 1
    SELL = 2


class StatsPart(IntEnum):
    """Which 24 h statistics a STATS record carries."""

    PRICES = 0
    """open, high, low, change in percent"""
    VOLUMES = 1
    """volume, quote volume, trades, 0"""


class Quality(IntEnum):
    """How far an instrument's data can be trusted."""

    UNKNOWN = 0
    LIVE = 1
    STALE = 2
    REPAIRING = 3
    GAP = 4


class Flag(IntFlag):
    """Marks on a record."""

    MORE = 1
    """another record of the same event follows: do not decide before it"""
    LATE = 2
    """a trade whose minute bar had closed: revise, emit nothing"""
    BACKFILL = 4
    """a trade that was fetched afterwards, not seen live"""
    OVERTAKEN = 8
    """a trade that newer ones have overtaken: among those of its moment it is not the last"""
