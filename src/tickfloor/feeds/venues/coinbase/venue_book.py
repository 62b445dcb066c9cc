"""One product's book, and which connection keeps it whole."""

from collections.abc import Iterable
from typing import Final

from tickfloor.market.book import Level, OrderBook

ASK_AGAIN_NS: Final = 10_000_000_000


class VenueBook:
    """A book that begins with a snapshot and goes on with the changes of the same connection.

    The venue numbers frames, not changes, so those of two connections cannot be mixed: the one that has brought the
    newest snapshot keeps the book, and what another brings meanwhile is left out.

    Attributes:
        book: empty while not trusted.
        keeper: the connection that keeps it, by whatever tells connections apart; None before a snapshot.
        former: the one that kept it before; what it still brings is not needed.
        trusted: every change since the snapshot is in it.
        updates: snapshots and changes applied; there is no other number to tell books apart by.
        gaps: times that it was given up because something was lost.
    """

    __slots__ = ("_asked_ns", "_kept_ns", "book", "former", "gaps", "keeper", "trusted", "updates")

    def __init__(self) -> None:
        self.book = OrderBook()
        self.keeper: object | None = None
        self.former: object | None = None
        self.trusted = False
        self.updates = 0
        self.gaps = 0
        self._asked_ns = 0
        self._kept_ns = 0

    def begin(self, keeper: object, recv_ns: int, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Start over from a snapshot, which may hand the book over to another connection."""
        self.book.bids.replace(bids)
        self.book.asks.replace(asks)
        if keeper is not self.keeper:
            self.former, self.keeper = self.keeper, keeper
        self.trusted = True
        self.updates += 1
        self._kept_ns = recv_ns

    def change(self, keeper: object, recv_ns: int, bids: Iterable[Level], asks: Iterable[Level]) -> bool:
        """Apply changes; return False where they say nothing about this book."""
        if not self.trusted or keeper is not self.keeper:
            return False
        self.book.apply(bids, asks)
        self.updates += 1
        self._kept_ns = recv_ns
        return True

    def give_up(self, recv_ns: int) -> bool:
        """Forget the book until a snapshot, which is asked for; return False if it had been given up before."""
        self._asked_ns = recv_ns
        if not self.trusted:
            return False
        self.book.clear()
        self.trusted = False
        self.gaps += 1
        return True

    def needs_snapshot(self, recv_ns: int) -> bool:
        """Say whether to ask for a snapshot when changes say nothing about this book, and note that it is done.

        Either there is none to apply them to, or whoever keeps the book has fallen silent.
        """
        newest = max(self._asked_ns, self._kept_ns if self.trusted else 0)
        if recv_ns - newest < ASK_AGAIN_NS:
            return False
        self._asked_ns = recv_ns
        return True
