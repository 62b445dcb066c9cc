"""Books of ``l2_data`` frames: a snapshot, then changes with absolute quantities."""

from collections.abc import Collection
from typing import Final, NamedTuple

from tickfloor.feeds.publishing.instrument_writer import MAX_LATE_NS, NO_TIME, InstrumentWriter
from tickfloor.feeds.venue import StreamKey
from tickfloor.feeds.venues.coinbase.frames import Bid, BookEvent, Books, Offer
from tickfloor.feeds.venues.coinbase.products import NO_ROW, ProductFeed, ProductFeeds
from tickfloor.feeds.venues.coinbase.venue_book import VenueBook
from tickfloor.feeds.venues.rfc3339 import time_ns

UNUSABLE: Final = "book changes without the snapshot that they belong to"
LEARNT_LEVELS: Final = 20


class CheckedBookEvent(NamedTuple):
    """A book event in which nothing can be refused any more."""

    feed: ProductFeed
    snapshot: bool
    ts_event: int
    updates: list[Bid | Offer]


class BookStreams:
    """Publishes books, and gives up those that a connection has lost something of."""

    def __init__(self, products: ProductFeeds) -> None:
        self._products = products

    def on_frame(self, recv_ns: int, frame: Books, connection: object) -> list[StreamKey]:
        """Take in a frame; return the streams that a snapshot is needed of.

        Raises:
            FrameError: it cannot be; nothing of it was applied.
        """
        return [
            event.feed.level2
            for event in [self._checked(recv_ns, event) for event in frame.events]
            if not self._apply(recv_ns, event, connection)
        ]

    def give_up(self, recv_ns: int, connection: object, symbols: Collection[str]) -> list[StreamKey]:
        """Trust no more those of these books of which a connection may have lost something; return their streams.

        What it has lost of a book that it has never kept may have been the snapshot. One that has handed a book over to
        another connection is not needed for it.
        """
        found = []
        for feed in self._products.all():
            if feed.level2.symbol not in symbols or feed.book.former is connection:
                continue
            found.append(feed.level2)
            feed.book.give_up(recv_ns)
            if feed.writer is not None:
                feed.writer.book_gap(NO_TIME, recv_ns)
        return found

    def kept_by(self, connection: object) -> set[str]:
        """Return whose books a connection keeps."""
        return {feed.level2.symbol for feed in self._products.all() if feed.book.keeper is connection}

    def _checked(self, recv_ns: int, event: BookEvent) -> CheckedBookEvent:
        updates = event.updates
        ts_event = self._time(recv_ns, updates[-1].event_time) if updates else NO_TIME
        return CheckedBookEvent(self._products.of(event.product_id), event.type == "snapshot", ts_event, updates)

    def _time(self, recv_ns: int, text: str) -> int:
        """Return when a book changed. The documentation has snapshots of 1970: those say nothing."""
        publisher = self._products.publisher
        ts_event = time_ns(text)
        if ts_event < max(recv_ns, publisher.venue_ns) - MAX_LATE_NS:
            return NO_TIME
        publisher.check_time(ts_event, recv_ns)
        return ts_event

    def _apply(self, recv_ns: int, event: CheckedBookEvent, connection: object) -> bool:
        """Apply an event; return False if its book needs a snapshot."""
        feed, snapshot, ts_event, updates = event
        self._products.heard[feed.level2] = recv_ns
        writer, book = feed.writer, feed.book
        if writer is None:
            self._products.left_out[NO_ROW] += 1
            return True
        # Tens of thousands of levels as they are needed: lists of them would cost the collector as much again.
        bids = ((level.price_level, level.new_quantity) for level in updates if type(level) is Bid)
        asks = ((level.price_level, level.new_quantity) for level in updates if type(level) is Offer)
        if snapshot:
            book.begin(connection, recv_ns, bids, asks)
            _learn(writer, book)
        elif not book.change(connection, recv_ns, bids, asks):
            self._products.left_out[UNUSABLE] += 1
            needed = book.needs_snapshot(recv_ns)
            if needed:
                book.give_up(recv_ns)
            if not book.trusted:
                writer.book_gap(ts_event, recv_ns)
            return not needed
        writer.book(ts_event, recv_ns, book.book, book.updates)
        return True


def _learn(writer: InstrumentWriter, book: VenueBook) -> None:
    """Learn decimals from the levels near the price."""
    for side in book.book.top(LEARNT_LEVELS):
        for price, size in side:
            writer.learn_decimals(price, size)
