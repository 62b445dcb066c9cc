"""Turns what an adapter misses into requests, and hands it the answers.

Trades that an answer did not bring are asked for again by their join, page after page; see
:mod:`tickfloor.feeds.joining.trade_joins`. A book is asked for until the adapter has taken one.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

import msgspec

from tickfloor.contracts.ports import LogPort
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.live.backoff import Backoff
from tickfloor.feeds.live.repairing.repair_queue import Priority, RepairQueue, may_pass
from tickfloor.feeds.live.repairing.rest import Answer
from tickfloor.feeds.venue import Channel, Dialect, Missing, StreamKey


class HttpReader(Protocol):
    """What is needed of :class:`~tickfloor.feeds.venue.Adapter`."""

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        """Take in a REST answer; raises a FrameError if it is malformed."""


class LiveRepairsStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the beginning.

    Attributes:
        answered: answers that were taken in.
        failed: requests that the venue did not answer in spite of repetition, or refused.
        malformed: answers that could not be read.
        resubscribed: books subscribed anew because only that brings them.
    """

    answered: int
    failed: int
    malformed: int
    resubscribed: int


class _BookQuestions:
    """When one book was asked for, and whether the answer is outstanding."""

    __slots__ = ("asked_ns", "backoff", "outstanding")

    def __init__(self, backoff: Backoff) -> None:
        self.backoff = backoff
        self.asked_ns = 0
        self.outstanding = False


class LiveRepairs:
    """One venue's ``Repairs``; :meth:`attach` it before its queue runs."""

    def __init__(
        self,
        dialect: Dialect,
        queue: RepairQueue,
        *,
        clock: Callable[[], int] = time.time_ns,
        backoff: Callable[[], Backoff] = Backoff,
        log: LogPort | None = None,
    ) -> None:
        """Ask for nothing yet.

        Args:
            clock: ns UTC.
            backoff: makes what says how long to wait before a book is asked for again.
            log: told of what cannot be had.
        """
        self._dialect = dialect
        self._queue = queue
        self._clock = clock
        self._backoff = backoff
        self._log = log
        self._reader: HttpReader | None = None
        self._resubscribe: Callable[[tuple[StreamKey, ...]], None] | None = None
        self._ranges: dict[str, list[tuple[int, int]]] = {}
        self._books: dict[str, _BookQuestions] = {}
        self._answered = self._failed = self._malformed = self._resubscribed = 0

    def attach(self, reader: HttpReader, resubscribe: Callable[[tuple[StreamKey, ...]], None]) -> None:
        """Say who reads the answers, and who subscribes streams anew: they are made later than this."""
        self._reader = reader
        self._resubscribe = resubscribe

    def trades(self, symbol: str, missing: Missing) -> None:
        """Ask for trades; the answer may hold a part of them."""
        ids = missing.first_id, missing.last_id
        ranges = self._ranges.setdefault(symbol, [])
        if any(first <= ids[0] and ids[1] <= last for first, last in ranges):
            return
        ranges.append(ids)
        request = self._dialect.trades(symbol, missing)
        then = partial(self._on_trades, symbol, ids)
        self._queue.ask(request, key=("trades", symbol, ids), priority=Priority.TRADES, then=then)

    def book(self, symbol: str) -> None:
        """Ask for a snapshot of a book; the more often within a minute, the later it is sent."""
        request = self._dialect.snapshot(symbol)
        if request is None:
            self._subscribe_anew(symbol)
            return
        questions = self._books.get(symbol)
        if questions is None:
            questions = self._books[symbol] = _BookQuestions(self._backoff())
            delay_seconds = 0.0
        elif questions.outstanding:
            return
        else:
            delay_seconds = questions.backoff.seconds((self._clock() - questions.asked_ns) / 1e9)
        questions.asked_ns = self._clock()
        questions.outstanding = True
        then = partial(self._on_book, symbol)
        self._queue.ask(request, key=("book", symbol), priority=Priority.BOOKS, then=then, delay_seconds=delay_seconds)

    def statistics(self) -> LiveRepairsStatistics:
        """Return what was asked for so far, and how it ended."""
        return LiveRepairsStatistics(
            answered=self._answered,
            failed=self._failed,
            malformed=self._malformed,
            resubscribed=self._resubscribed,
        )

    def _on_trades(self, symbol: str, ids: tuple[int, int], answer: Answer) -> None:
        # First, because taking it in may ask for the next page.
        self._ranges[symbol].remove(ids)
        self._take(answer, f"trades {ids[0]} to {ids[1]} of {symbol}")

    def _on_book(self, symbol: str, answer: Answer) -> None:
        self._books[symbol].outstanding = False
        taken = self._take(answer, f"the book of {symbol}")
        if not taken and (answer.ok or may_pass(answer.status)):
            self.book(symbol)  # nobody else asks again for a book that never came

    def _take(self, answer: Answer, what: str) -> bool:
        """Hand an answer to the reader and say whether it was taken in."""
        if not answer.ok:
            self._failed += 1
            why = answer.body[:200].decode(errors="replace")
            self._warn(f"{what} cannot be had", why, answer.status)
            return False
        assert self._reader is not None, "attach() comes before the queue runs"
        try:
            self._reader.on_http(answer.recv_ns, answer.path, answer.body)
        except FrameError as error:
            self._malformed += 1
            self._warn(f"the answer for {what} cannot be read", error.reason, answer.status)
            return False
        self._answered += 1
        return True

    def _subscribe_anew(self, symbol: str) -> None:
        assert self._resubscribe is not None, "attach() comes before the first frame"
        self._resubscribed += 1
        self._resubscribe((StreamKey(Channel.BOOK, symbol),))

    def _warn(self, event: str, reason: str, status: int) -> None:
        if self._log is not None:
            self._log.warning(event, venue=self._dialect.venue, status=status, reason=reason)
