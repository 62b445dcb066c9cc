"""What the Binance adapter has seen, as one frozen object."""

import msgspec

from tickfloor.feeds.venues.binance.frames import Candle


class BookStatistics(msgspec.Struct, frozen=True):
    """Continuity of one instrument's book; see :class:`~tickfloor.feeds.venues.binance.book_sync.BookSync`."""

    trusted: bool
    update_id: int
    applied: int
    dropped: int
    waiting: int
    sequence_gaps: int
    snapshots_refused: int
    crossings: int
    overflowed: int


class AdapterStatistics(msgspec.Struct, frozen=True):
    """Counts since the adapter began.

    Attributes:
        malformed: frames and bodies refused with a FrameError.
        ignored: what was valid and not used, by stream, event type or reason; unknown types together as ``other``.
        books: by symbol.
        klines: the venue's own bars as last seen, by symbol and interval; they only cross-check ours.
    """

    malformed: int
    ignored: dict[str, int]
    books: dict[str, BookStatistics]
    klines: dict[tuple[str, str], Candle]
