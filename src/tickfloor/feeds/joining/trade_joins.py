"""Joins an instrument's live trades and those that were fetched, by id, so that nothing is missing and nothing double.

Trades are published in the order of their ids. One whose id is not the next one is held back, what lies between is
known as a hole, and is filled by whatever brings it: a frame that another connection was faster than, a REST answer,
a snapshot. A hole that is not filled soon is asked for. A trade is held for so long only: then it is published, the
writer confirms the gap, and what fills the hole later is published as missed.

An answer that reaches over a hole says what it does not hold: venues leave ids out.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from tickfloor.feeds.joining.instrument_join import InstrumentJoin, Terms, TradeAudit, Writer
from tickfloor.feeds.venue import BacklogTrade, Repairs

HOLD_NS: Final = 5_000_000_000
"""How long a live trade waits for those before it."""
PATIENCE_NS: Final = 100_000_000
"""How long a hole may be filled by itself before it is asked for: two connections are not equally fast."""


class JoinStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of trades or ids since the beginning, all instruments together.

    Attributes:
        missing: ids that are missing now.
        held: trades held back now.
        repaired: that were missing and came with a REST answer or a snapshot.
        reordered: that came live after later ones.
        left_out: ids that the venue does not have.
        let_go: times that trades were published with a hole before them.
        given_up: ids that will not be asked for any more.
        refused: trades that were fetched or held back and could not be published.
        questions: ranges of ids asked for.
        earlier: trades made before anybody listened; they only say which one is the first to be published.
    """

    missing: int
    held: int
    repaired: int
    reordered: int
    left_out: int
    let_go: int
    given_up: int
    refused: int
    questions: int
    earlier: int


class TradeJoins:
    """The joins of a venue's instruments. Times are receive times, ns UTC."""

    def __init__(
        self,
        repairs: Repairs,
        *,
        hold_ns: int = HOLD_NS,
        patience_ns: int = PATIENCE_NS,
        audit: TradeAudit | None = None,
    ) -> None:
        """Begin without instruments.

        Args:
            hold_ns: how long a trade is held back at most; 0, for replays: nothing is held or marked as being
                repaired, a hole is a gap at once, and yet a recorded answer fills it.
            patience_ns: how long a hole may be filled by itself before it is asked for.
            audit: given the wire text of every trade that :meth:`backlog` brings and that is new.
        """
        self._terms = Terms(repairs, hold_ns, min(patience_ns, hold_ns), audit)
        self._joins: dict[str, InstrumentJoin] = {}
        # In the order in which they came to it, so that the same input makes the same records.
        self._busy: dict[InstrumentJoin, None] = {}

    def watch(self, writer: Writer) -> InstrumentJoin:
        """Join an instrument's trades from now on; again, it is the same join."""
        symbol = writer.instrument.symbol
        join = self._joins.get(symbol)
        if join is None:
            join = self._joins[symbol] = InstrumentJoin(writer, self._terms, self._busy)
            writer.join = join
        return join

    def backlog(
        self,
        writer: Writer,
        trades: Sequence[BacklogTrade],
        recv_ns: int,
        complete_to: int | None = None,
        *,
        complete_from: int | None = None,
        streamed: bool = False,
    ) -> None:
        """Take in trades that were fetched or came as a snapshot, in any order; those known are left out.

        Before an instrument's first live trade they only say which one that is to be: what was traded before
        anybody listened is not published.

        Args:
            complete_to: ids up to this one that are not among them do not exist; None: nothing is said of them.
            complete_from: from which on that holds, the id that was asked for; None: the lowest among them.
            streamed: a stream brought them, as a snapshot: they are no evidence against it.
        """
        self.watch(writer).backlog(trades, recv_ns, complete_to, complete_from, streamed=streamed)

    def tick(self, recv_ns: int) -> None:
        """Let go of what was held too long, and ask for what is missing. Idle where nothing is."""
        for join in tuple(self._busy):
            join.tick(recv_ns)

    def behind(self, symbol: str) -> int:
        """Return how many ids, as far as is known, an instrument's stream has not come to yet.

        Only fetched trades are evidence. The first of all are none: a stream brings what happens from then on.
        """
        join = self._joins.get(symbol)
        return 0 if join is None else join.behind

    def statistics(self) -> JoinStatistics:
        """Return what was joined so far."""
        joins = self._joins.values()
        return JoinStatistics(
            missing=sum(join.holes.ids for join in joins),
            held=sum(join.held for join in joins),
            repaired=sum(join.repaired for join in joins),
            reordered=sum(join.reordered for join in joins),
            left_out=sum(join.left_out for join in joins),
            let_go=sum(join.let_go for join in joins),
            given_up=sum(join.given_up for join in joins),
            refused=sum(join.refused for join in joins),
            questions=sum(join.questions for join in joins),
            earlier=sum(join.earlier for join in joins),
        )
