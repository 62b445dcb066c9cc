"""Joins one instrument's live trades and those fetched, by id; see :mod:`tickfloor.feeds.joining.trade_joins`."""

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple, Protocol

from tickfloor.board.row import Field
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import Flag, Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.holes import Hole, Holes
from tickfloor.feeds.publishing.ports import Join
from tickfloor.feeds.publishing.trade_ids import MOST_MISSING
from tickfloor.feeds.venue import BacklogTrade, Missing, Repairs

BACKFILL: Final = int(Flag.BACKFILL)
MOST_HELD: Final = 50_000
MOST_HOLES: Final = 1_000
MOST_ABSENT: Final = 64
"""Ranges of ids that an answer has left out and that are still taken if they come after all."""
MANY: Final = 50
"""An answer of so many trades is asked to go on at once."""
NEVER_NS: Final = 1 << 63


class Writer(Protocol):
    """What is needed of :class:`~tickfloor.feeds.publishing.instrument_writer.InstrumentWriter`."""

    instrument: Instrument
    expected_id: int
    holding: bool
    join: Join | None
    row: list[float]
    flags: int
    missing_from: int
    inherited: Sequence[tuple[int, int]]

    def begin_after(self, trade_id: int, ts_event: int, /) -> None:
        """Let the trades begin after one that was made before anybody listened."""

    def trade(
        self, ts_event: int, ts_init: int, price: float, qty: float, side: int, trade_id: int, count: int, /
    ) -> bool:
        """Publish a trade; a jump of its id is a gap."""

    def missed_trade(
        self, ts_event: int, ts_init: int, price: float, qty: float, side: int, trade_id: int, count: int, /,
        *, overtaken: bool,
    ) -> None:  # fmt: skip
        """Publish a trade that later ones have overtaken; ``overtaken``: one of its own millisecond has."""

    def without_gap(self, ts_init: int, /) -> None:
        """Say that nothing is missing any more."""

    def doubt(self, quality: Quality, on: bool, ts_init: int, /) -> None:
        """Mark the instrument as being repaired, or no longer."""


class TradeAudit(Protocol):
    """What is needed of :class:`~tickfloor.feeds.publishing.audit.Audit`."""

    def trade(self, instrument: Instrument, price_text: str, qty_text: str, trade_id: int, /) -> None:
        """Take in a new trade as it was written."""


class Terms(NamedTuple):
    """What the joins of a venue have in common; see :class:`~tickfloor.feeds.joining.trade_joins.TradeJoins`."""

    repairs: Repairs
    hold_ns: int
    patience_ns: int
    audit: TradeAudit | None


class Held(NamedTuple):
    """A trade that waits for those before it, and when it was received, ns UTC; fetched, or live."""

    ts_init: int
    trade: BacklogTrade
    fetched: bool


class InstrumentJoin:
    """Joins one instrument's trades.

    Every id up to the newest one is published, held, missing or does not exist. The writer publishes the expected
    trade without asking; so what it has done meanwhile is read from its expected id first.

    Attributes:
        newest: the highest id that is known to exist; -1 before the first.
        publishing: what the writer is given now comes from here.
        holes: what is missing.
        repaired, reordered, left_out, let_go, given_up, refused, questions, earlier: as in
            :class:`~tickfloor.feeds.joining.trade_joins.JoinStatistics`.
    """

    __slots__ = (
        "_absent", "_busy", "_due_ns", "_held", "_ids", "_marked", "_newest_fetched", "_newest_live",
        "_newest_ns", "_seen", "_terms", "_writer", "earlier", "given_up", "holes", "left_out",
        "let_go", "newest", "publishing", "questions", "refused", "reordered", "repaired",
    )  # fmt: skip

    def __init__(self, writer: Writer, terms: Terms, busy: "dict[InstrumentJoin, None]") -> None:
        """Begin where the writer is.

        Args:
            busy: the joins that need ticks; this one puts itself in and takes itself out.
        """
        self._writer = writer
        self._terms = terms
        self._busy = busy
        self.holes = Holes()
        self._absent = Holes()
        """the newest ids that an answer has left out: a stream may have been ahead of it"""
        self._held: dict[int, Held] = {}
        self._ids: list[int] = []
        self.newest = -1
        self._newest_ns = 0
        self._seen = -1
        self._newest_live = -1
        self._newest_fetched = -1
        self._due_ns = NEVER_NS
        self._marked = False
        self.publishing = False
        self.repaired = self.reordered = self.left_out = self.let_go = 0
        self.given_up = self.refused = self.questions = self.earlier = 0
        self._catch_up()
        for first, last in writer.inherited:
            self._open(Missing(first, last), 0)

    @property
    def held(self) -> int:
        """Trades held back now."""
        return len(self._held)

    @property
    def behind(self) -> int:
        """See :meth:`~tickfloor.feeds.joining.trade_joins.TradeJoins.behind`."""
        return max(0, self._newest_fetched - self._live_until())

    def lacks(self, trade_id: int) -> bool:
        """Say whether an id is known to be missing, or to be left out by an answer."""
        return self.holes.at(trade_id) is not None or self._absent.at(trade_id) is not None

    def numbered_anew(self, trade_id: int, ts_init: int) -> None:
        """Forget what is missing of the old numbers; the first of the new ones, which was doubted, is missing."""
        self._begin_anew()
        self.newest = trade_id - 2
        self._seen = trade_id
        self._reach(trade_id - 1, 0, ts_init)

    def offer(
        self, ts_event: int, ts_init: int, price: float, qty: float, side: int, trade_id: int, count: int
    ) -> bool | None:
        """Take a live trade whose id is not the expected one, or leave it to the writer.

        Returns:
            True if it was published or is held back, False if it is a duplicate, None to publish it after a gap.

        Raises:
            FrameError: it cannot be published; nothing was changed.
        """
        if self._catch_up():
            self._settle(ts_init)
        expected = self._writer.expected_id
        if expected < 0:
            return None
        if abs(trade_id - expected) > MOST_MISSING:
            # Whether the venue numbers its trades anew is for the writer to say; its expected id will show it.
            return None
        if trade_id < expected:
            return self._overtaken(BacklogTrade(ts_event, price, qty, side, trade_id, count, "", ""), ts_init)
        if trade_id in self._held:
            return False
        self._reach(trade_id - 1, ts_event, ts_init)
        if not self._terms.hold_ns:
            # The writer may yet refuse it: that it has not is seen by its expected id.
            self._seen = trade_id
            self._settle(ts_init)
            return None
        self._newest_live = max(self._newest_live, trade_id)
        came = self.holes.close(trade_id, trade_id, made_ns=ts_event)
        self.reordered += came
        self._note_newest(trade_id, ts_event)
        self._hold(BacklogTrade(ts_event, price, qty, side, trade_id, count, "", ""), ts_init, fetched=False)
        # Most trades only wait behind those that wait already.
        if came or trade_id == expected or ts_init >= self._due_ns or self._is_full():
            self._settle(ts_init)
        return True

    def backlog(
        self,
        trades: Sequence[BacklogTrade],
        recv_ns: int,
        complete_to: int | None,
        complete_from: int | None,
        *,
        streamed: bool,
    ) -> None:
        """See :meth:`~tickfloor.feeds.joining.trade_joins.TradeJoins.backlog`."""
        self._catch_up()
        ordered = sorted(trades, key=_trade_id)
        self._note_progress(ordered, streamed=streamed)
        if ordered and self._writer.expected_id < 0:
            self._begin_after(ordered)
        # What little there is may be all that there is yet: then the rest is asked for when it was due.
        rest_at_ns = recv_ns if len(ordered) >= MANY else None
        for trade in ordered:
            self._take(trade, recv_ns, rest_at_ns)
        if complete_from is None and ordered:
            complete_from = ordered[0].trade_id
        if complete_to is not None and complete_from is not None:
            self._leave_out(complete_from, complete_to, rest_at_ns)
        self._settle(recv_ns)

    def tick(self, recv_ns: int) -> None:
        """See :meth:`~tickfloor.feeds.joining.trade_joins.TradeJoins.tick`."""
        if self._catch_up() or recv_ns >= self._due_ns or self._is_full():
            self._settle(recv_ns)

    def _catch_up(self) -> bool:
        """Take in what the writer has published by itself and say whether that changes what is missing."""
        expected, seen = self._writer.expected_id, self._seen
        self._seen = expected
        if seen >= 0 and (expected < seen or expected - seen > MOST_MISSING):
            self._begin_anew()
            self.newest = expected - 1
            return True
        if expected > self.newest:
            self.newest, self._newest_ns = expected - 1, _last_ns(self._writer)
        came = 0
        if 0 <= seen < expected and self.holes:
            came = self.holes.close(seen, expected - 1)
            self.reordered += came
        return came > 0

    def _reach(self, trade_id: int, until_ns: int, now_ns: int) -> None:
        """Note that ids up to this one exist: those that are new are missing, and were made before ``until_ns``."""
        if trade_id > self.newest:
            self._open(Missing(self.newest + 1, trade_id, self._newest_ns, until_ns), now_ns)
            self.newest = trade_id

    def _note_newest(self, trade_id: int, made_ns: int) -> None:
        """Note a trade that has come, if it is the newest."""
        if trade_id >= self.newest:
            self.newest, self._newest_ns = trade_id, made_ns

    def _begin_after(self, ordered: Sequence[BacklogTrade]) -> None:
        """Let the trades begin after those that were made before anybody listened."""
        newest = ordered[-1]
        self._writer.begin_after(newest.trade_id, newest.ts_event)
        self.earlier += len(ordered)
        self._catch_up()

    def _open(self, missing: Missing, now_ns: int) -> None:
        """Note that ids are missing, which will be asked for if nothing brings them."""
        due_ns = now_ns + self._terms.patience_ns
        self.holes.open(missing, now_ns, due_ns)
        self._due_ns = min(self._due_ns, due_ns)
        self._busy[self] = None

    def _overtaken(self, trade: BacklogTrade, recv_ns: int) -> bool:
        """Publish a live trade that later ones have overtaken, unless it is a duplicate."""
        self._newest_live = max(self._newest_live, trade.trade_id)
        absent = self._absent.close(trade.trade_id, trade.trade_id)
        hole = self.holes.at(trade.trade_id)
        if not absent and hole is None:
            return False
        self.left_out -= absent
        self.publishing = True
        try:
            self._writer.missed_trade(trade.ts_event, recv_ns, *trade[1:6], overtaken=_is_overtaken(trade, hole))
        finally:
            self.publishing = False
        self.reordered += self.holes.close(trade.trade_id, trade.trade_id, made_ns=trade.ts_event)
        self._settle(recv_ns)
        return True

    def _leave_out(self, first: int, last: int, rest_at_ns: int | None) -> None:
        """Note that missing ids do not exist, or that the venue does not know of them yet."""
        for hole in self.holes:
            begin, end = max(hole.first, first), min(hole.last, last)
            if begin <= end:
                self._absent.open(Missing(begin, end), 0, NEVER_NS)
        while len(self._absent) > MOST_ABSENT:
            self._absent.drop_oldest()
        self.left_out += self.holes.close(first, last, ask_rest_at_ns=rest_at_ns)

    def _take(self, trade: BacklogTrade, recv_ns: int, rest_at_ns: int | None) -> None:
        """Take in a fetched trade; what is missing around it is asked for at ``rest_at_ns``; None: when it was due."""
        writer, trade_id = self._writer, trade.trade_id
        expected = writer.expected_id
        if abs(trade_id - expected) > MOST_MISSING:
            self.refused += 1
            return
        absent = self._absent.close(trade_id, trade_id)
        self.left_out -= absent
        hole = self.holes.at(trade_id)
        if trade_id <= self.newest and hole is None and not absent:
            return
        overtaken = _is_overtaken(trade, hole)
        made_ns = trade.ts_event
        self._reach(trade_id - 1, made_ns, recv_ns)
        self.repaired += self.holes.close(trade_id, trade_id, made_ns=made_ns, ask_rest_at_ns=rest_at_ns)
        self._note_newest(trade_id, made_ns)
        if trade_id < expected:
            self._publish(Held(recv_ns, trade, fetched=True), overtaken=overtaken)
        else:
            self._hold(trade, recv_ns, fetched=True)

    def _hold(self, trade: BacklogTrade, recv_ns: int, *, fetched: bool) -> None:
        self._held[trade.trade_id] = Held(recv_ns, trade, fetched)
        heappush(self._ids, trade.trade_id)
        self._writer.holding = True

    def _settle(self, now_ns: int) -> None:
        """Publish what need not wait any more, ask for what is missing, and mark the instrument accordingly."""
        self._drain()
        while self._ids and self._waited_enough(now_ns):
            self.let_go += 1
            self._publish(self._held.pop(heappop(self._ids)))
            self._drain()
        while len(self.holes) > MOST_HOLES:
            self.given_up += self.holes.drop_oldest()
        self._seen = max(self._seen, self._writer.expected_id)
        self._writer.holding = bool(self._ids)
        self.given_up += self.holes.give_up(now_ns)
        for missing in self.holes.questions(now_ns):
            self.questions += 1
            self._terms.repairs.trades(self._writer.instrument.symbol, missing)
        self._mark(now_ns)
        self._due_ns = self._next_due_ns()
        if not self._ids and self._due_ns == NEVER_NS:
            self._busy.pop(self, None)

    def _is_full(self) -> bool:
        return len(self._ids) > MOST_HELD or len(self.holes) > MOST_HOLES

    def _next_due_ns(self) -> int:
        """Return when there is something to ask for or to let go of, as far as is known now."""
        due_ns = min((hole.due_ns for hole in self.holes if not hole.given_up), default=NEVER_NS)
        if self._ids:
            hole = self.holes.at(self._writer.expected_id)
            if hole is not None:
                due_ns = min(due_ns, hole.opened_ns + self._terms.hold_ns)
        return due_ns

    def _waited_enough(self, now_ns: int) -> bool:
        """Say whether the hole before the first held trade is a gap."""
        if self._is_full():
            return True
        hole = self.holes.at(self._writer.expected_id)
        return hole is None or now_ns - hole.opened_ns >= self._terms.hold_ns

    def _drain(self) -> None:
        """Publish held trades as far as nothing is missing before them."""
        writer, ids = self._writer, self._ids
        while True:
            expected = writer.expected_id
            while ids and ids[0] < expected:
                del self._held[heappop(ids)]
            if ids and ids[0] == expected:
                self._publish(self._held.pop(heappop(ids)))
                continue
            if expected > self.newest or expected < 0:
                return
            missing = self.holes.first_from(expected)
            if missing == expected:
                return
            # The ids from here on do not exist.
            nexts = (missing, ids[0] if ids else None, self.newest + 1)
            writer.expected_id = min(number for number in nexts if number is not None)

    def _publish(self, held: Held, *, overtaken: bool = False) -> None:
        """Publish a trade; one that is refused is missing, or, where it was fetched already, there is none."""
        ts_init, trade, fetched = held
        writer = self._writer
        self.publishing = True
        writer.flags = BACKFILL if fetched else 0
        try:
            # After a renumbering every one that was held is of the past, whatever its id.
            past = trade.trade_id < writer.expected_id or self.newest < 0
            if past:
                writer.missed_trade(trade.ts_event, ts_init, *trade[1:6], overtaken=overtaken)
            else:
                writer.trade(trade.ts_event, ts_init, *trade[1:6])
        except FrameError:
            self.refused += 1
            if not fetched:
                # When it was made is not known: its time may be what is wrong with it.
                self._open(Missing(trade.trade_id, trade.trade_id), ts_init)
            return
        finally:
            self.publishing = False
            writer.flags = 0
        if fetched and self._terms.audit is not None:
            self._terms.audit.trade(writer.instrument, trade.price_text, trade.qty_text, trade.trade_id)

    def _mark(self, now_ns: int) -> None:
        """Mark the instrument while an answer is hoped for, and note from which id on trades are missing."""
        missing_from = next((hole.first for hole in self.holes if not hole.given_up), -1)
        if missing_from >= self._writer.expected_id:
            missing_from = -1
        if missing_from < 0 <= self._writer.missing_from and not self.holes:
            self._writer.without_gap(now_ns)
        self._writer.missing_from = missing_from
        repairing = self._terms.hold_ns > 0 and any(hole.asked for hole in self.holes)
        if repairing is not self._marked:
            self._marked = repairing
            self._writer.doubt(Quality.REPAIRING, repairing, now_ns)

    def _begin_anew(self) -> None:
        """Publish what is held and forget what is missing: the venue numbers its trades anew."""
        self.newest = self._newest_live = self._newest_fetched = -1
        while self._ids:
            self._publish(self._held.pop(heappop(self._ids)))
        self._writer.holding = False
        self.given_up += self.holes.clear()
        self._absent.clear()

    def _note_progress(self, ordered: Sequence[BacklogTrade], *, streamed: bool) -> None:
        """Note how far the stream has come, before fetched trades hide it."""
        self._newest_live = self._live_until()
        if ordered and (streamed or self._newest_live < 0):
            self._newest_live = max(self._newest_live, ordered[-1].trade_id)
        if ordered:
            self._newest_fetched = max(self._newest_fetched, ordered[-1].trade_id)

    def _live_until(self) -> int:
        """Return the newest id that the stream has brought: what is newer than anything fetched came live."""
        published = self._writer.expected_id - 1
        return max(self._newest_live, published) if published > self._newest_fetched else self._newest_live


def _is_overtaken(trade: BacklogTrade, hole: Hole | None) -> bool:
    """Say whether the trade after the hole that a trade was missing in is of the same millisecond."""
    return hole is not None and trade.ts_event // 1_000_000 == hole.until_ns // 1_000_000


def _trade_id(trade: BacklogTrade) -> int:
    return trade.trade_id


def _last_ns(writer: Writer) -> int:
    """Return the venue time of the newest published trade, ns UTC; 0: there is none."""
    last_us = writer.row[Field.LAST_US]
    return int(last_us) * 1_000 if last_us > 0 else 0
