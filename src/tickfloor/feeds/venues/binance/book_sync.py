"""Keeps a book whole by the venue's own sequence rules (``wire-facts.md`` §2.4, §3.4).

Spot numbers every update: an event of ids ``U`` to ``u`` follows one that ended at ``U - 1``. Futures share one
numbering among symbols and name the event before: ``pu``. Events wait until a snapshot comes; those it holds
already are dropped; the next one must reach back to it. After a hole nothing is trusted until another snapshot.
"""

from collections import deque
from enum import Enum
from typing import NamedTuple

from tickfloor.feeds.errors import FrameError
from tickfloor.market.book import Level, OrderBook

MAX_WAITING_EVENTS = 10_000
MAX_WAITING_LEVELS = 1_000_000
RENUMBERED_NS = 1_000_000_000
"""An event with an old id and a venue time this much newer than the newest is no repetition."""


class Outcome(Enum):
    """What an event or a snapshot did to the book."""

    APPLIED = "applied"
    OLD = "old"
    """the book holds it already"""
    WAITING = "waiting"
    """kept until a snapshot comes"""
    FIRST = "first"
    """kept, and nothing that it follows: fetch a snapshot"""
    GAP = "gap"
    """events are missing: a trusted book was given up; fetch a snapshot"""
    REFUSED = "refused"
    """a snapshot older than the first event kept: fetch another"""


class BookEvent(NamedTuple):
    """One event: first, last and previous id, venue time in ns, and the levels."""

    first_id: int
    last_id: int
    previous_id: int | None
    ts_event: int
    bids: list[Level]
    asks: list[Level]


class BookSync:
    """The book of one instrument and what is known of its continuity.

    Attributes:
        book: the book; empty while not trusted.
        trusted: a snapshot and every event since are in it.
        update_id: the newest id in it.
        ts_event: venue time of the newest event in it, ns UTC; 0 before one.
        applied, dropped: events, of those received; dropped ones were in the book already.
        sequence_gaps: times an event did not follow the one before, or the ids began anew.
        snapshots_refused: snapshots that did not reach the events kept, or that no event reached.
        overflowed: events forgotten because no snapshot came for too long.
    """

    __slots__ = (
        "_fresh",
        "_futures",
        "_stream_id",
        "_stream_ts",
        "_waiting",
        "_waiting_levels",
        "applied",
        "book",
        "dropped",
        "overflowed",
        "sequence_gaps",
        "snapshots_refused",
        "trusted",
        "ts_event",
        "update_id",
    )

    def __init__(self, *, futures: bool) -> None:
        self._futures = futures
        self._stream_id: int | None = None
        self._stream_ts = 0
        self._fresh = False
        self._waiting: deque[BookEvent] = deque()
        self._waiting_levels = 0
        self.book = OrderBook()
        self.trusted = False
        self.update_id = -1
        self.ts_event = 0
        self.applied = 0
        self.dropped = 0
        self.sequence_gaps = 0
        self.snapshots_refused = 0
        self.overflowed = 0

    @property
    def waiting(self) -> int:
        """Events kept until a snapshot comes."""
        return len(self._waiting)

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
        return Outcome.APPLIED

    def on_snapshot(self, update_id: int, bids: list[Level], asks: list[Level]) -> Outcome:
        """Take in a REST snapshot, and every event that has waited for it.

        Returns:
            APPLIED, OLD (the book is newer) or REFUSED.
        """
        if self.trusted and update_id <= self.update_id:
            return Outcome.OLD
        follows = next((event for event in self._waiting if not self._holds(event, update_id)), None)
        if follows is not None and not self._reaches(follows, update_id):
            self.snapshots_refused += 1
            return Outcome.REFUSED
        self.book.replace(bids, asks)
        self.trusted = True
        self._fresh = True
        self.update_id = update_id
        waiting, self._waiting, self._waiting_levels = self._waiting, deque(), 0
        for event in waiting:
            if self._fresh and self._holds(event):
                self.dropped += 1
            else:
                self._fresh = False
                self._apply(event)
        return Outcome.APPLIED

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

    def _lose(self, event: BookEvent) -> Outcome:
        """Note that an event does not follow the one before."""
        self.sequence_gaps += 1
        self._stream_id, self._stream_ts = event.last_id, event.ts_event
        return self._distrust(event)

    def _distrust(self, event: BookEvent) -> Outcome:
        """Forget the book and all events before a hole; only a snapshot from after it can help."""
        trusted, self.trusted = self.trusted, False
        self.book.clear()
        self._waiting.clear()
        self._waiting_levels = 0
        kept = self._wait(event)
        return Outcome.GAP if trusted else kept

    def _wait(self, event: BookEvent) -> Outcome:
        """Keep an event; FIRST where it is the only one, or older ones had to be forgotten."""
        outcome = Outcome.WAITING if self._waiting else Outcome.FIRST
        self._waiting.append(event)
        self._waiting_levels += len(event.bids) + len(event.asks)
        while len(self._waiting) > MAX_WAITING_EVENTS or self._waiting_levels > MAX_WAITING_LEVELS:
            oldest = self._waiting.popleft()
            self._waiting_levels -= len(oldest.bids) + len(oldest.asks)
            self.overflowed += 1
            outcome = Outcome.FIRST
        return outcome
