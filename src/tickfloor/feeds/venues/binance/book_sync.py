"""Keeps a book whole by the venue's own sequence rules (``wire-facts.md`` §2.4, §3.4).

Spot numbers every update: an event of ids ``U`` to ``u`` follows one that ended at ``U - 1``. Futures share one
numbering among symbols and name the event before: ``pu``. Events wait until a snapshot comes; those it holds
already are dropped; the next one must reach back to it. After a hole nothing is trusted until another snapshot.

A snapshot ends somewhere. Before the price comes to its end another one is fetched, and events are kept for it while
the book goes on.
"""

from enum import Enum
from typing import Final

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.instrument_writer import BOOK_LEVELS
from tickfloor.feeds.venues.binance.told_book import ToldBook
from tickfloor.feeds.venues.binance.waiting_events import BookEvent, WaitingRoom
from tickfloor.market.book import Level

ENOUGH_LEVELS: Final = 100
"""With fewer levels of a side known for sure, another snapshot is fetched: five times what is shown."""
PLENTY_OF_LEVELS: Final = 200
"""With so many, the snapshot that was fetched is not needed any more."""
SETTLED_NS: Final = 15_000_000_000
"""So long after the price has left what a snapshot told, the levels around it have been told by their changes.

In a recording of BTCUSDT, of 1,217 books beyond their snapshot two had other best prices than the venue, the later one
after 12 s.
"""
RENUMBERED_NS: Final = 1_000_000_000
"""An event with an old id and a venue time this much newer than the newest is no repetition."""


class Outcome(Enum):
    """What an event or a snapshot did to the book."""

    APPLIED = "applied"
    THIN = "thin"
    """applied, and the price comes near the end of what the snapshot told: fetch another"""
    UNSURE = "unsure"
    """applied, but levels may be missing from the best ones: fetch a snapshot"""
    OLD = "old"
    """the book holds it already"""
    WAITING = "waiting"
    """kept until a snapshot comes"""
    FIRST = "first"
    """kept, and nothing that it follows: fetch a snapshot"""
    GAP = "gap"
    """events are missing, or the book was crossed: it was given up; fetch a snapshot"""
    REFUSED = "refused"
    """a snapshot older than the first event kept: fetch another"""


class BookSync:
    """The book of one instrument and what is known of its continuity.

    Attributes:
        book: the book; empty while not trusted.
        trusted: a snapshot and every event since are in it.
        update_id: the newest id in it.
        ts_event: venue time of the newest event in it, ns UTC; 0 before one.
        applied, dropped: events, of those received; dropped ones were in the book already. Those that were kept for
            another snapshot count once more.
        sequence_gaps: times an event did not follow the one before, or the ids began anew.
        snapshots_refused: snapshots that did not reach the events kept, or that no event reached.
        crossings: times the book was given up because a bid was no lower than an ask.
    """

    __slots__ = (
        "_fresh",
        "_futures",
        "_stream_id",
        "_stream_ts",
        "_unsure_since",
        "_waiting",
        "applied",
        "book",
        "crossings",
        "dropped",
        "sequence_gaps",
        "snapshots_refused",
        "trusted",
        "ts_event",
        "update_id",
    )

    def __init__(self, *, futures: bool, room: WaitingRoom | None = None) -> None:
        """Wait for a snapshot.

        Args:
            futures: the venue names the event before each one.
            room: shared with other books; None: there are none.
        """
        self._futures = futures
        self._stream_id: int | None = None
        self._stream_ts = 0
        self._unsure_since = 0
        self._fresh = False
        self._waiting = (room or WaitingRoom()).queue()
        self.book = ToldBook()
        self.trusted = False
        self.update_id = -1
        self.ts_event = 0
        self.applied = 0
        self.dropped = 0
        self.sequence_gaps = 0
        self.snapshots_refused = 0
        self.crossings = 0

    @property
    def waiting(self) -> int:
        """Events kept until a snapshot comes."""
        return len(self._waiting)

    @property
    def overflowed(self) -> int:
        """Events forgotten because no snapshot came for too long."""
        return self._waiting.overflowed

    def check(self, event: BookEvent) -> None:
        """Refuse an event whose ids make no sense; changes nothing.

        Raises:
            FrameError: its last id is before its first, or a futures event names no previous one.
        """
        if event.last_id < event.first_id:
            raise FrameError(f"depth event ends at id {event.last_id}, before its first, {event.first_id}")
        if self._futures and event.previous_id is None:
            raise FrameError("futures depth event without pu")

    def on_event(self, event: BookEvent) -> Outcome:  # hot path: a COIN-M book sends 100 a second
        """Take in an event that passed :meth:`check`."""
        before = self._stream_id
        if before is not None:
            if event.last_id <= before:
                if event.ts_event <= self._stream_ts + RENUMBERED_NS:
                    self.dropped += 1
                    return Outcome.OLD
                return self._lose(event)
            if (event.previous_id != before) if self._futures else (event.first_id > before + 1):
                return self._lose(event)
        self._stream_id, self._stream_ts = event.last_id, event.ts_event
        if not self.trusted:
            return self._wait(event)
        if self._fresh:
            if self._holds(event):
                self.dropped += 1
                return Outcome.OLD
            if not self._reaches(event, self.update_id):
                self.snapshots_refused += 1
                return self._distrust(event)
            self._fresh = False
        self._apply(event)
        return self._judge(event)

    def on_snapshot(self, update_id: int, bids: list[Level], asks: list[Level], *, most: int | None = None) -> Outcome:
        """Take in a REST snapshot, and every event that has waited for it.

        Args:
            most: levels that each side of it could have had; None: it is the whole book.

        Returns:
            APPLIED, THIN, UNSURE, OLD (the book is newer), REFUSED, or GAP (it is crossed).
        """
        if self.trusted and update_id <= self.update_id and not self._waiting:
            return Outcome.OLD
        follows = next((event for event in self._waiting if not self._holds(event, update_id)), None)
        if follows is not None and not self._reaches(follows, update_id):
            self.snapshots_refused += 1
            return Outcome.REFUSED
        self.book.begin(bids, asks, most)
        self.trusted = True
        self._fresh = True
        self.update_id = update_id
        for event in self._waiting:
            if self._fresh and self._holds(event):
                self.dropped += 1
            else:
                self._fresh = False
                self._apply(event)
        self._waiting.clear()
        if self.book.crossed:
            self.crossings += 1
            self._give_up()
            return Outcome.GAP
        return self._sureness()

    def _holds(self, event: BookEvent, update_id: int | None = None) -> bool:
        """Say whether a snapshot (of this book, unless given) holds an event already."""
        known = self.update_id if update_id is None else update_id
        return event.last_id < known if self._futures else event.last_id <= known

    def _reaches(self, event: BookEvent, update_id: int) -> bool:
        """Say whether nothing lies between a snapshot and an event.

        Futures documentation asks for ``U <= lastUpdateId <= u``. The ids are shared by all symbols, so a snapshot
        may fall between two events of one symbol; then ``pu <= lastUpdateId``, and nothing is missing either.
        """
        if self._futures:
            return event.first_id <= update_id or (event.previous_id or 0) <= update_id
        return event.first_id <= update_id + 1

    def _apply(self, event: BookEvent) -> None:
        self.book.apply(event.bids, event.asks)
        self.update_id = event.last_id
        self.ts_event = event.ts_event
        self.applied += 1

    def _judge(self, event: BookEvent) -> Outcome:  # hot path
        """Say what the book is worth after an event."""
        book, waiting = self.book, self._waiting
        if book.crossed:
            self.crossings += 1
            return self._distrust(event)
        outcome = self._sureness()
        if outcome is not Outcome.APPLIED:
            waiting.append(event)
        elif waiting:
            # The price comes back. A snapshot may be on its way: it is still of use near the edge.
            if book.knows(PLENTY_OF_LEVELS):
                waiting.clear()
            else:
                waiting.append(event)
        return outcome

    def _sureness(self) -> Outcome:
        book = self.book
        if book.knows(BOOK_LEVELS):
            self._unsure_since = 0
            return Outcome.APPLIED if book.knows(ENOUGH_LEVELS) else Outcome.THIN
        self._unsure_since = self._unsure_since or self.ts_event
        if self.ts_event - self._unsure_since < SETTLED_NS or not book.may_be_whole(BOOK_LEVELS):
            return Outcome.UNSURE
        self._unsure_since = 0
        book.believe(ENOUGH_LEVELS)
        return Outcome.THIN

    def _lose(self, event: BookEvent) -> Outcome:
        """Note that an event does not follow the one before."""
        self.sequence_gaps += 1
        self._stream_id, self._stream_ts = event.last_id, event.ts_event
        return self._distrust(event)

    def _distrust(self, event: BookEvent) -> Outcome:
        """Give up the book; only a snapshot that this event follows, or that holds it, can help."""
        trusted = self.trusted
        self._give_up()
        kept = self._wait(event)
        return Outcome.GAP if trusted else kept

    def _give_up(self) -> None:
        """Forget the book, and all events until now."""
        self.trusted = False
        self._unsure_since = 0
        self.book.clear()
        self._waiting.clear()

    def _wait(self, event: BookEvent) -> Outcome:
        """Keep an event; FIRST where it is the only one, or older ones had to be forgotten."""
        return Outcome.FIRST if self._waiting.append(event) else Outcome.WAITING
