"""What the Binance adapter has seen, as one frozen object."""

import msgspec

from tickfloor.feeds.binance.frames import Candle


class BookStatistics(msgspec.Struct, frozen=True):
    """Continuity of one instrument's book; see :class:`~tickfloor.feeds.binance.book_sync.BookSync`."""

    trusted: bool
    update_id: int
    applied: int
    dropped: int
    waiting: int
    sequence_gaps: int
    snapshots_refused: int
    overflowed: int


class TradeStatistics(msgspec.Struct, frozen=True):
    """Continuity of one instrument's trades; ``kind`` is the stream that feeds it."""

    kind: str
    count: int
    id_gaps: int
    missed: int
    duplicates: int
    late: int


class AdapterStatistics(msgspec.Struct, frozen=True):
    """Counts since the adapter began.

    Attributes:
        frames: frames given to the adapter, of every kind.
        malformed: frames and bodies refused with a FrameError.
        ignored: valid frames not used, by stream or event type; unknown types together as ``other``.
        refused_instruments: symbols for which the board had no room.
        stale_quotes: best prices dropped because a newer one had come.
        control_replies, control_errors: answers to our own messages.
        connections: connections opened.
        shutdown_notices: times the venue said that a server goes away.
        trades, books: by symbol.
        klines: the venue's own bars as last seen, by symbol and interval; they only cross-check ours.
    """

    frames: int
    malformed: int
    ignored: dict[str, int]
    refused_instruments: int
    stale_quotes: int
    control_replies: int
    control_errors: int
    connections: int
    shutdown_notices: int
    trades: dict[str, TradeStatistics]
    books: dict[str, BookStatistics]
    klines: dict[tuple[str, str], Candle]
