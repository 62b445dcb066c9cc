"""What a rule came to over the history of one instrument, whether it was of candles or of trades."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import isfinite

import numpy as np
from msgspec.structs import replace

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.records import Side
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.history.columns import HistoryColumns
from tickfloor.traders.history.decisions import decided, shown
from tickfloor.traders.history.errors import OtherInstrumentError
from tickfloor.traders.history.trade_tape import TapeEvent, Trade, TradeTape
from tickfloor.traders.plans import planned

_NO_SIDE = int(Side.UNKNOWN)
MOST_POINTS = 8_192
"""Points that a path of prices is kept in."""


@dataclass(frozen=True, slots=True)
class FoundSignal:
    """A new match: when, ns UTC, at which price, and what the rule's columns were, None where unknown."""

    ts_event: int
    price: float
    values: dict[str, float | None]


@dataclass(slots=True)
class PricePath:
    """How the price went, in at most twice :data:`MOST_POINTS` points however long the history is."""

    times_ns: "array[int]" = field(default_factory=lambda: array("q"))
    prices: "array[float]" = field(default_factory=lambda: array("d"))
    _every: int = 1
    _skipped: int = 0

    def add(self, ts_event: int, price: float) -> None:
        """Go on with a price."""
        self._skipped += 1
        if self._skipped < self._every:
            return
        self._skipped = 0
        self.times_ns.append(ts_event)
        self.prices.append(price)
        if len(self.prices) >= 2 * MOST_POINTS:
            self._every *= 2
            self.times_ns = self.times_ns[1::2]
            self.prices = self.prices[1::2]


@dataclass(slots=True)
class RuleRun:
    """The figures of a run.

    Attributes:
        decided: how often the rule was decided: at bars that closed, or at trades.
        matched: how often it was true then.
        signals: its new matches.
        first_ns, last_ns: venue time of the first and last decision; None if there was none.
        late: trades whose minute had closed, at which nothing is signalled.
        without_side: trades that do not say whether the taker bought or sold.
        path: the price.
    """

    decided: int = 0
    matched: int = 0
    signals: list[FoundSignal] = field(default_factory=list)
    first_ns: int | None = None
    last_ns: int | None = None
    late: int = 0
    without_side: int = 0
    path: PricePath = field(default_factory=PricePath)

    def count(self, ts_event: int, matches: bool) -> None:
        """Count a decision."""
        self.decided += 1
        self.matched += matches
        self.first_ns = ts_event if self.first_ns is None else self.first_ns
        self.last_ns = ts_event


def over_bars(spec: TraderSpec, columns: HistoryColumns) -> RuleRun:
    """Decide an at-close rule at every close of a history of bars.

    Raises:
        RuleError: the rule is not valid, or reads no column.
        HistoryError: it is decided per tick, or needs shorter bars than there are.
    """
    plan = planned(spec)
    decisions = decided(spec, columns)
    values = shown(plan, columns)
    ends = (decisions.end_ms * 1_000_000).tolist()
    closes = columns.bars(plan.interval).field("close").tolist()
    every = len(ends) // MOST_POINTS + 1
    return RuleRun(
        decided=len(ends),
        matched=int(np.count_nonzero(decisions.matches)),
        signals=[
            FoundSignal(ends[at], closes[at], {text: _known(float(each[at])) for text, each in values.items()})
            for at in decisions.signals
        ],
        first_ns=ends[0] if ends else None,
        last_ns=ends[-1] if ends else None,
        path=PricePath(array("q", ends[::every]), array("d", closes[::every])),
    )


def over_trades(spec: TraderSpec, symbol: str, trades: Iterable[Trade]) -> RuleRun:
    """Run the engine itself over trades, in the order in which they came.

    Raises:
        RuleError: the rule is not valid, or reads no column.
        HistoryError: it reads another instrument, or the trades cannot be read any further.
    """
    for column in planned(spec).elsewhere:
        raise OtherInstrumentError(column.text(BY_LABEL[spec.interval]))
    tape = TradeTape()
    engine = Engine(source="history", tape="history", describe=lambda row: Instrument(row, "history", symbol))
    engine.add(replace(spec, symbols=("*",), exclude=(), quote=""))
    interval = BY_LABEL[spec.interval] if spec.when == "close" else None
    run = RuleRun()
    price, newest_ns = 0.0, 0
    for event, trade in _events(tape, trades):
        if trade is not None:
            run.without_side += trade.side == _NO_SIDE
            if trade.ts_event >= newest_ns:
                price, newest_ns = trade.price, trade.ts_event
                run.path.add(event.ts_event, price)
        signals = engine.process(event.records)
        decides = trade is not None if interval is None else interval in event.closed
        if decides:
            run.count(event.ts_event, bool(engine.run().matches))
        run.signals += [FoundSignal(signal.ts_event, price, signal.values) for signal in signals]
    run.late = tape.late
    return run


def _events(tape: TradeTape, trades: Iterable[Trade]) -> Iterator[tuple[TapeEvent, Trade | None]]:
    """Return every event, with the trade that it is."""
    for trade in trades:
        for event in tape.events(trade):
            yield event, None if event.closed else trade


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
