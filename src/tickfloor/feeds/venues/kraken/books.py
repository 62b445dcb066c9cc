"""Keeps books whole by their checksums, and chooses whose is published while two connections bring the same one.

Kraken numbers no book events, so two streams of one book cannot be mixed: each connection keeps a copy of its own
from its own snapshot. Every message has the venue's time: the copy that is further on is the one to publish, as long
as its connection lives.
"""

from collections.abc import Sequence
from typing import Final

from tickfloor.feeds.publishing.instrument_writer import NO_TIME, InstrumentWriter
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import StreamKey
from tickfloor.feeds.venues.kraken.checksum_book import ChecksumBook, WrittenLevel, written
from tickfloor.feeds.venues.kraken.connection_life import ConnectionLife
from tickfloor.feeds.venues.kraken.frames import BookEvent
from tickfloor.feeds.venues.kraken.state_time import state_time

DEPTHS: Final = (10, 25, 100, 500, 1000)
FIRST_RETRY_NS: Final = 5_000_000_000
LAST_RETRY_NS: Final = 60_000_000_000


class CheckedEvent:
    """One book message in which nothing can be refused any more."""

    __slots__ = ("asks", "bids", "checksum", "snapshot", "symbol", "ts_event")

    def __init__(self, event: BookEvent, publisher: MarketPublisher, recv_ns: int, *, snapshot: bool) -> None:
        """Read a message; nothing is changed.

        Raises:
            FrameError: a number is none, or the time cannot be.
        """
        self.symbol = event.symbol
        self.snapshot = snapshot
        self.bids: Sequence[WrittenLevel] = written(event.bids) if event.bids else ()
        self.asks: Sequence[WrittenLevel] = written(event.asks) if event.asks else ()
        self.checksum = event.checksum
        self.ts_event = state_time(event.timestamp, publisher, recv_ns)


class PublishedBook:
    """The book of one instrument, as far as others see it.

    Attributes:
        leader: whose book was published last; None while none is whole.
        newest_ns: venue time of what it has published last, ns UTC; 0: not known.
        updates: how often it was published; there is no other number to tell books apart by.
        mismatches: times a copy did not have the venue's checksum.
    """

    __slots__ = ("_writer", "leader", "mismatches", "newest_ns", "updates")

    def __init__(self, writer: InstrumentWriter) -> None:
        self._writer = writer
        self.leader: BookCopy | None = None
        self.newest_ns = 0
        self.updates = 0
        self.mismatches = 0

    def publish(self, copy: "BookCopy", ts_event: int, recv_ns: int, *, snapshot: bool) -> bool:
        """Publish a whole copy; return False where what another has published is further on."""
        if self._others_lead(copy, recv_ns) and (ts_event < self.newest_ns if snapshot else ts_event <= self.newest_ns):
            return False
        if self.leader is not copy or ts_event != NO_TIME:
            self.newest_ns = ts_event
        self.leader = copy
        self.updates += 1
        self._writer.book(ts_event, recv_ns, copy.book, self.updates)
        return True

    def lose(self, copy: "BookCopy", ts_event: int, recv_ns: int) -> None:
        """Note that a copy is not whole; unless another is published, there is a gap until one is."""
        if not self._others_lead(copy, recv_ns):
            self.leader = None
            self._writer.book_gap(ts_event, recv_ns)

    def _others_lead(self, copy: "BookCopy", recv_ns: int) -> bool:
        leader = self.leader
        return leader is not None and leader is not copy and leader.trusted and not leader.life.is_over(recv_ns)


class BookCopy:
    """One connection's copy of a book.

    Attributes:
        book: the copy; empty while not trusted.
        key: its stream.
        life: its connection's.
        trusted: it had the venue's checksum after every message since a snapshot.
        behind: it is whole, and another one was published instead of its newest state.
    """

    __slots__ = ("_depth", "_published", "_retry_at_ns", "_retry_ns", "behind", "book", "key", "life", "trusted")

    def __init__(self, published: PublishedBook, key: StreamKey, depth: int | None, life: ConnectionLife) -> None:
        """Wait for a snapshot.

        Args:
            depth: what was subscribed to; None: nobody said, the snapshot tells.
        """
        self.key = key
        self.life = life
        self._published = published
        self._depth = depth
        self._retry_at_ns = 0
        self._retry_ns = FIRST_RETRY_NS
        self.book = ChecksumBook(depth or DEPTHS[-1])
        self.trusted = False
        self.behind = False

    def take(self, event: CheckedEvent, recv_ns: int) -> bool:  # hot path: most of what Kraken sends
        """Take in a message; messages without a snapshot before them are left out.

        Returns:
            Whether a new snapshot is to be asked for: at once when the book is found wrong, then now and then
            until there is one.
        """
        book = self.book
        if event.snapshot:
            self._begin(event)
        elif self.trusted:
            book.update(event.bids, event.asks)
        else:
            self._published.lose(self, event.ts_event, recv_ns)
            return self._retries(recv_ns)
        if book.checksum() == event.checksum:
            self.trusted = True
            if not event.snapshot:
                self._retry_ns = FIRST_RETRY_NS
            self.behind = not self._published.publish(self, event.ts_event, recv_ns, snapshot=event.snapshot)
            return False
        self._published.mismatches += 1
        return self.lose(event.ts_event, recv_ns)

    def lose(self, ts_event: int, recv_ns: int) -> bool:
        """Give up the copy: it is wrong, or a message is missing; return as :meth:`take`."""
        self.trusted = self.behind = False
        self.book.clear()
        self._published.lose(self, ts_event, recv_ns)
        return self._retries(recv_ns)

    def offer(self, recv_ns: int) -> None:
        """Publish a copy that was behind if the one that was further on has ended since."""
        self.behind = not self._published.publish(self, NO_TIME, recv_ns, snapshot=False)

    def end(self) -> None:
        """Wait for a snapshot; the book stays as it is, since it may be the one that others see."""
        self.trusted = self.behind = False

    def limit(self, depth: int) -> None:
        """Take the depth that the venue has confirmed."""
        self._depth = self.book.depth = depth

    def _begin(self, event: CheckedEvent) -> None:
        """Start over from a snapshot."""
        if self._depth is None:
            levels = max(len(event.bids), len(event.asks))
            self.book.depth = next((depth for depth in DEPTHS if depth >= levels), levels)
        self.book.begin(event.bids, event.asks)

    def _retries(self, recv_ns: int) -> bool:
        if recv_ns < self._retry_at_ns:
            return False
        self._retry_at_ns = recv_ns + self._retry_ns
        self._retry_ns = min(2 * self._retry_ns, LAST_RETRY_NS)
        return True
