"""Everything that is published for one instrument."""

import math
from collections.abc import Sequence
from typing import Final, Protocol

from tickfloor.board.row import Field, empty_row
from tickfloor.contracts.bars import Bar, BarField
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Flag, Kind, Quality, Side, StatsPart
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.decimals import decimals_of
from tickfloor.feeds.publishing.instrument_bars import DAY_HIGH, DAY_LOW, ClosedBar, InstrumentBars
from tickfloor.feeds.publishing.ports import BarObserver, BoardPort, Join, TapePort
from tickfloor.feeds.publishing.trade_ids import TradeIds
from tickfloor.feeds.publishing.trust import Trust
from tickfloor.market.bars import FormingBars
from tickfloor.market.book import OrderBook
from tickfloor.market.venue_clock import VenueClock

# The hot path indexes lists with these: an enum member would cost a conversion each time.
SEQUENCE, TS_EVENT, TS_INIT, LAST, LAST_QTY, LAST_SIDE = map(int, tuple(Field)[:6])
BID, BID_SIZE, ASK, ASK_SIZE = map(int, (Field.BID, Field.BID_SIZE, Field.ASK, Field.ASK_SIZE))
DELTA, BOUGHT, SOLD = map(int, (Field.CUMULATIVE_DELTA, Field.BUY_VOLUME, Field.SELL_VOLUME))
TRADES, LATE_TRADES, LAST_US = map(int, (Field.TRADES, Field.LATE_TRADES, Field.LAST_US))
TRADE_ID, MISSING_FROM = map(int, (Field.TRADE_ID, Field.MISSING_FROM))
OPEN, HIGH, LOW, CLOSE, VOLUME = map(int, tuple(BarField)[1:6])
QUOTE_VOLUME, BUY_VOLUME, BAR_TRADES, FIRST_MS, LAST_MS = map(int, tuple(BarField)[6:])
TRADE, QUOTE, BOOK = int(Kind.TRADE), int(Kind.QUOTE), int(Kind.BOOK)
MORE, LATE, OVERTAKEN = int(Flag.MORE), int(Flag.LATE), int(Flag.OVERTAKEN)
BUY, SELL = int(Side.BUY), int(Side.SELL)

MAX_LATE_NS: Final = Interval.D1.ns
BOOK_LEVELS: Final = 20
LEARNING_RECORDS: Final = 256
NO_TIME: Final = 0
"""Given as venue time where the venue sends none."""

# What of an instrument's board state is older than the tape: plain integers, an IntFlag costs 0.8 µs a use.
DIRTY_ROW: Final = 1
DIRTY_MINUTE: Final = 2
DIRTY_LONGER: Final = 4
DIRTY_BOOK: Final = 8
ROW_AND_MINUTE: Final = DIRTY_ROW | DIRTY_MINUTE


class Venue(Protocol):
    """What an instrument needs of its venue; see :class:`~tickfloor.feeds.publishing.publisher.MarketPublisher`."""

    tape: TapePort
    board: BoardPort
    observer: BarObserver | None
    clock: VenueClock
    dirty: "list[InstrumentWriter]"
    bar_slots: int
    minute_start_ns: int
    minute_end_ns: int
    venue_ns: int

    def advance(self, ts_event: int, ts_init: int) -> None:
        """Move the venue minute on."""

    def late(self, ts_event: int, ts_init: int) -> None:
        """Take in the times of a trade whose minute has closed."""

    def observe(self, ts_event: int, ts_init: int) -> None:
        """Take in a pair of times that shows the venue further ahead."""

    def forming_until(self, end_ns: int) -> None:
        """Note that a bar with this end is forming."""


class InstrumentWriter:
    """Turns one instrument's events into records, and keeps its row, bars and quality.

    Times are ns UTC: ``ts_event`` the venue's, ``ts_init`` when it was received. Every method refuses what
    cannot be with a :class:`FrameError` before anything changes. Row values follow the records in their order,
    but a trade that is older than LAST leaves LAST alone, as it does in the traders.

    Attributes:
        instrument: which one.
        row: its board row, in the order of :class:`~tickfloor.board.row.Field`.
        forming: its forming bars.
        expected_id: of the next trade; -1 before the first.
        id_gaps: times a trade id was not the one after the last.
        missed_trades: ids left out by those gaps.
        duplicates: trades dropped because their id was not new.
        join: who is asked about trades out of order; None: nobody, what is missing is a gap.
        missing_from: the lowest id that the join knows to be missing before the newest one; -1: none is.
        inherited: what a predecessor was still missing, ranges of ids with both ends.
        flags: of the trades that are being published.
        holding: the join holds trades back, and is asked about the next one, too.
        quotes_from_ticker: the venue sends best prices; the book does not make quotes any more.
    """

    __slots__ = (
        "_bars",
        "_book_bids_asks",
        "_book_update_id",
        "_dirty",
        "_id",
        "_ids",
        "_learning",
        "_publisher",
        "_quality",
        "_tape",
        "_trust",
        "_unsettled",
        "duplicates",
        "expected_id",
        "flags",
        "forming",
        "holding",
        "id_gaps",
        "inherited",
        "instrument",
        "join",
        "missed_trades",
        "missing_from",
        "quotes_from_ticker",
        "row",
    )

    def __init__(self, publisher: Venue, instrument: Instrument) -> None:
        self.instrument = instrument
        self.row = empty_row()
        self._bars = InstrumentBars(publisher.board, instrument.id, self.row, publisher.bar_slots)
        self.forming: FormingBars = self._bars.forming
        self.id_gaps = 0
        self.missed_trades = 0
        self.duplicates = 0
        self.quotes_from_ticker = False
        self._publisher = publisher
        self._tape = publisher.tape
        self._id = instrument.id
        self.expected_id = -1
        self.flags = 0
        self.join: Join | None = None
        self.missing_from = -1
        self.inherited: Sequence[tuple[int, int]] = ()
        self._ids = TradeIds()
        self._trust = Trust()
        self.holding = False
        self._quality = Quality.UNKNOWN
        self._unsettled = True
        self._learning = LEARNING_RECORDS
        self._book_update_id = 0
        self._book_bids_asks: OrderBook | None = None
        self._dirty = 0

    def restore(
        self,
        row: Sequence[float],
        forming: FormingBars,
        closed: Sequence[tuple[Interval, Bar]] = (),
        missing: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Go on from a predecessor's row and bars; the book begins anew.

        Args:
            closed: bars that have closed and are not on the board, in that order.
            missing: ids that the predecessor was missing before the newest one, ranges with both ends.
        """
        self.row[:] = row
        self.row[Field.BARS_AHEAD] = 0.0
        self.row[Field.QUALITY] = float(Quality.UNKNOWN)
        self.expected_id = int(row[TRADE_ID]) + 1 or -1
        self.inherited = missing
        self.missing_from = missing[0][0] if missing else -1
        self._bars.restore(forming, closed, int(row[LAST_US]) // 1000)
        self._mark(DIRTY_ROW | DIRTY_MINUTE | DIRTY_LONGER)

    @property
    def quality(self) -> Quality:
        """How far the instrument's data can be trusted now."""
        return self._quality

    @property
    def forming_end_ns(self) -> int:
        """Earliest end of a forming bar, ns UTC of the venue."""
        return self._bars.end_ns

    @property
    def lost_revisions(self) -> int:
        """Late trades whose bar the board no longer keeps, once per interval."""
        return self._bars.lost_revisions

    @property
    def trades(self) -> int:
        """Trades published, late ones too."""
        return int(self.row[TRADES])

    @property
    def late_trades(self) -> int:
        """Trades whose minute had closed."""
        return int(self.row[LATE_TRADES])

    def trade(
        self, ts_event: int, ts_init: int, price: float, qty: float, side: int, trade_id: int, count: int
    ) -> bool:  # hot path: benchmarks/ingest.py
        """Publish a trade.

        Args:
            trade_id: the venue's, increasing by one; at or below the last is a duplicate.
            count: trades that it aggregates.

        Returns:
            False if it was a duplicate, and dropped.

        Raises:
            FrameError: its venue time cannot be, or its id jumps too far to be believed at once.
        """
        expected = self.expected_id
        if (trade_id != expected or self.holding) and expected >= 0:
            taken = self._out_of_order(ts_event, ts_init, price, qty, side, trade_id, count)
            if taken is not None:
                return taken
        publisher = self._publisher
        if ts_event >= publisher.minute_end_ns:
            publisher.advance(ts_event, ts_init)
        elif ts_event < publisher.minute_start_ns:
            self._late_trade(ts_event, ts_init, price, qty, side, trade_id, count)
            return True
        if self._unsettled or trade_id != expected:
            self._settle_trade(ts_event, ts_init, trade_id, price, qty)
        self.expected_id = trade_id + 1
        if ts_event > publisher.venue_ns:
            publisher.venue_ns = ts_event
        if ts_event - ts_init > publisher.clock.newest_ahead_ns:
            publisher.observe(ts_event, ts_init)

        ts_ms = ts_event // 1_000_000
        minute = self.forming.minute
        row = self.row
        if minute is None:
            self._bars.begin_minute(ts_event, ts_ms, price, qty, side == BUY, publisher.minute_end_ns)
            publisher.forming_until(publisher.minute_end_ns)
        else:
            # As market.bars.add_trade, unrolled; tests/feeds/publishing/test_publisher_bars.py holds them together.
            if price > minute[HIGH]:
                minute[HIGH] = price
            if price < minute[LOW]:
                minute[LOW] = price
            if ts_ms >= minute[LAST_MS]:
                minute[LAST_MS] = ts_ms
                minute[CLOSE] = price
            elif ts_ms < minute[FIRST_MS]:
                minute[FIRST_MS] = ts_ms
                minute[OPEN] = price
                self._bars.widen_day(ts_event, ts_ms, price)
            minute[VOLUME] += qty
            minute[QUOTE_VOLUME] += price * qty
            if side == BUY:
                minute[BUY_VOLUME] += qty
            minute[BAR_TRADES] += 1.0
            if price > row[DAY_HIGH]:
                row[DAY_HIGH] = price
            if price < row[DAY_LOW]:
                row[DAY_LOW] = price

        if side == BUY:
            row[BOUGHT] += qty
            row[DELTA] += qty
        elif side == SELL:
            row[SOLD] += qty
            row[DELTA] -= qty
        row[TRADES] += 1.0
        ts_us = ts_event // 1_000
        if ts_us >= row[LAST_US]:
            row[LAST] = price
            row[LAST_QTY] = qty
            row[LAST_SIDE] = side
            row[LAST_US] = ts_us
        row[TS_EVENT] = ts_event
        row[TS_INIT] = ts_init
        tape = self._tape
        row[SEQUENCE] = tape.sequence
        dirty = self._dirty
        if dirty & ROW_AND_MINUTE != ROW_AND_MINUTE:
            if not dirty:
                publisher.dirty.append(self)
            self._dirty = dirty | ROW_AND_MINUTE
        tape.append(ts_event, ts_init, self._id, TRADE, side, self.flags, price, qty, trade_id, count)
        return True

    def begin_after(self, trade_id: int, ts_event: int) -> None:
        """Let the trades begin after one that was made before anybody listened."""
        self.expected_id = trade_id + 1
        # A lower id that is not newer than this is a repetition, and no new numbering.
        self.row[LAST_US] = ts_event // 1_000

    def missed_trade(
        self, ts_event: int, ts_init: int, price: float, qty: float, side: int, trade_id: int, count: int,
        *, overtaken: bool = False,
    ) -> None:  # fmt: skip
        """Publish a trade that later ones have overtaken; bars that have closed since are revised.

        Args:
            overtaken: one of those later ones is of the same millisecond.

        Raises:
            FrameError: as :meth:`trade`.
        """
        due, self.expected_id = self.expected_id, trade_id
        flags, self.flags = self.flags, self.flags | OVERTAKEN if overtaken else self.flags
        row, minute = self.row, self.forming.minute
        last, last_us = row[LAST : LAST_SIDE + 1], row[LAST_US]
        close, close_ms = (minute[CLOSE], minute[LAST_MS]) if minute is not None else (0.0, -1.0)
        try:
            self.trade(ts_event, ts_init, price, qty, side, trade_id, count)
        finally:
            self.expected_id = due
            self.flags = flags
        # The hot path takes the last to come for the newest.
        if overtaken and ts_event // 1_000 == last_us:
            row[LAST : LAST_SIDE + 1] = last
        if overtaken and minute is not None and ts_event // 1_000_000 == close_ms:
            minute[CLOSE] = close

    def clock_gap(self, on: bool, ts_init: int) -> None:
        """Say that trades come late because the venue's clock was ahead, or no longer."""
        self._trust.clock_gap = on
        self._requalify(self._publisher.venue_ns or ts_init, ts_init, 0)

    def without_gap(self, ts_init: int) -> None:
        """Say that no trade is missing before the newest one any more."""
        self._trust.trade_gap = False
        self._requalify(self._publisher.venue_ns or ts_init, ts_init, 0)

    def doubt(self, quality: Quality, on: bool, ts_init: int) -> None:
        """Say that the instrument is not received (STALE) or being repaired (REPAIRING), or no longer."""
        if self._trust.doubt(quality, on):
            self._requalify(self._publisher.venue_ns or ts_init, ts_init, 0)

    def quote(
        self, ts_event: int, ts_init: int, bid: float, bid_size: float, ask: float, ask_size: float
    ) -> None:  # hot path: benchmarks/ingest.py
        """Publish the venue's best prices; from now on the book makes no quotes.

        Args:
            ts_event: or NO_TIME where the venue sends none; the newest known venue time then stands for it.

        Raises:
            FrameError: its venue time cannot be.
        """
        publisher = self._publisher
        if ts_event == NO_TIME:
            ts_event = publisher.venue_ns or ts_init
        else:
            if ts_event >= publisher.minute_end_ns:
                publisher.advance(ts_event, ts_init)
            elif ts_event < publisher.minute_start_ns:
                self._check_late(ts_event)
            if ts_event > publisher.venue_ns:
                publisher.venue_ns = ts_event
            if ts_event - ts_init > publisher.clock.newest_ahead_ns:
                publisher.observe(ts_event, ts_init)
        self.quotes_from_ticker = True
        if self._unsettled:
            self._settle(ts_event, ts_init, bid, bid_size)
        row = self.row
        row[BID] = bid
        row[BID_SIZE] = bid_size
        row[ASK] = ask
        row[ASK_SIZE] = ask_size
        row[TS_EVENT] = ts_event
        row[TS_INIT] = ts_init
        tape = self._tape
        row[SEQUENCE] = tape.sequence
        if not self._dirty:
            publisher.dirty.append(self)
            self._dirty = DIRTY_ROW
        tape.append(ts_event, ts_init, self._id, QUOTE, 0, 0, bid, bid_size, ask, ask_size)

    def book(self, ts_event: int, ts_init: int, book: OrderBook, update_id: int) -> None:
        """Publish a book that is whole after ``update_id``; ``ts_event`` as for :meth:`quote`.

        Raises:
            FrameError: its venue time cannot be. The book has changed already: check the time before.
        """
        ts_event = self._reach(ts_event, ts_init)
        self._trust.book_gap = False
        if self._unsettled:
            self._requalify(ts_event, ts_init, MORE)
        bid, bid_size = book.bids.best() or (math.nan, math.nan)
        ask, ask_size = book.asks.best() or (math.nan, math.nan)
        row = self.row
        quoted = not self.quotes_from_ticker and not (
            bid == row[BID] and bid_size == row[BID_SIZE] and ask == row[ASK] and ask_size == row[ASK_SIZE]
        )
        self._book_bids_asks = book
        self._book_update_id = update_id
        self._append(ts_event, ts_init, BOOK, 0, MORE if quoted else 0, bid, bid_size, ask, ask_size)
        if quoted:
            row[BID], row[BID_SIZE], row[ASK], row[ASK_SIZE] = bid, bid_size, ask, ask_size
            self._append(ts_event, ts_init, QUOTE, 0, 0, bid, bid_size, ask, ask_size)
        self._mark(DIRTY_ROW | DIRTY_BOOK)

    def book_gap(self, ts_event: int, ts_init: int) -> None:
        """Publish that book events are missing: quality is GAP until :meth:`book` is called again.

        Raises:
            FrameError: its venue time cannot be.
        """
        ts_event = self._reach(ts_event, ts_init)
        self._trust.book_gap = True
        self._mark(DIRTY_BOOK)
        row = self.row
        if not self.quotes_from_ticker and not math.isnan(row[BID] + row[ASK]):
            # They were the best prices of the book that is not to be trusted any more.
            row[BID] = row[BID_SIZE] = row[ASK] = row[ASK_SIZE] = math.nan
            self._append(ts_event, ts_init, QUOTE, 0, MORE, math.nan, math.nan, math.nan, math.nan)
        self._requalify(ts_event, ts_init, 0)

    def stats(self, ts_event: int, ts_init: int, prices: tuple[float, float, float, float],
              volumes: tuple[float, float, float]) -> None:  # fmt: skip
        """Publish 24 h statistics.

        Args:
            prices: open, high, low, change in percent.
            volumes: volume, quote volume, trades; NaN where the venue does not say.

        Raises:
            FrameError: its venue time cannot be.
        """
        ts_event = self._reach(ts_event, ts_init)
        if self._unsettled:
            self._settle(ts_event, ts_init, prices[0], volumes[0])
        self.row[Field.OPEN_24H : Field.CHANGE_24H + 1] = prices
        self.row[Field.VOLUME_24H : Field.TRADES_24H + 1] = volumes
        self._append(ts_event, ts_init, Kind.STATS, StatsPart.PRICES, MORE, *prices)
        self._append(ts_event, ts_init, Kind.STATS, StatsPart.VOLUMES, 0, *volumes, 0.0)

    def describe(self, price_decimals: int, qty_decimals: int, tick_size: float, lot_size: float) -> None:
        """Put the venue's own metadata on the row; it ends learning decimals from what is received."""
        row = self.row
        row[Field.PRICE_DECIMALS], row[Field.QTY_DECIMALS] = price_decimals, qty_decimals
        row[Field.TICK_SIZE], row[Field.LOT_SIZE] = tick_size, lot_size
        self._learning = 0
        self._mark(DIRTY_ROW)

    def learn_decimals(self, price: float, qty: float) -> None:
        """Widen the row's decimals to those of a price and a quantity, unless the venue has described them."""
        if self._learning:
            row = self.row
            for field, value in ((Field.PRICE_DECIMALS, price), (Field.QTY_DECIMALS, qty)):
                decimals = decimals_of(value)
                if not row[field] >= decimals:
                    row[field] = decimals
            self._mark(DIRTY_ROW)

    def close_bars(self, boundary_ns: int, ts_init: int) -> None:
        """Close every forming bar that ends at or before ``boundary_ns``, shortest interval first."""
        for closed in self._bars.close(boundary_ns):
            self._bar_record(Kind.BAR_CLOSE, closed, ts_init)
        self._mark(DIRTY_MINUTE | DIRTY_LONGER)

    def write_board(self) -> None:
        """Write what changed since the last call."""
        dirty, board, number = self._dirty, self._publisher.board, self._id
        self._dirty = 0
        if dirty & (DIRTY_MINUTE | DIRTY_LONGER):
            self._bars.write(self._tape.sequence, longer=dirty & DIRTY_LONGER > 0)
        if dirty & DIRTY_BOOK and self._book_bids_asks is not None:
            board.write_book(number, self._book_update_id, *self._book_bids_asks.top(BOOK_LEVELS))
        self.row[TRADE_ID] = self.expected_id - 1 if self.expected_id >= 0 else -1
        self.row[MISSING_FROM] = self.missing_from
        board.write_row(number, self.row)

    def _late_trade(
        self, ts_event: int, ts_init: int, price: float, qty: float, side: int, trade_id: int, count: int
    ) -> None:
        """Publish a trade of a minute that has closed, and the closed bars that it changes."""
        publisher = self._publisher
        self._check_late(ts_event)
        publisher.late(ts_event, ts_init)
        if self._unsettled or trade_id != self.expected_id:
            self._settle_trade(ts_event, ts_init, trade_id, price, qty)
        self.expected_id = trade_id + 1
        row, ts_ms, bought = self.row, ts_event // 1_000_000, side == BUY
        if bought:
            row[BOUGHT] += qty
            row[DELTA] += qty
        elif side == SELL:
            row[SOLD] += qty
            row[DELTA] -= qty
        row[TRADES] += 1.0
        row[LATE_TRADES] += 1.0
        if ts_event // 1_000 >= row[LAST_US]:
            row[LAST], row[LAST_QTY], row[LAST_SIDE], row[LAST_US] = price, qty, side, ts_event // 1_000
        revised = self._bars.add_late_trade(
            ts_event, ts_ms, price, qty, bought, publisher.minute_start_ns, self._tape.sequence,
            overtaken=self.flags & OVERTAKEN > 0,
        )  # fmt: skip
        publisher.forming_until(self._bars.end_ns)
        flags = self.flags | (LATE | MORE if revised else LATE)
        self._append(ts_event, ts_init, TRADE, side, flags, price, qty, trade_id, count)
        for closed in revised:
            self._bar_record(Kind.BAR_REVISED, closed, ts_init)
        self._mark(DIRTY_LONGER)

    def _bar_record(self, kind: Kind, closed: ClosedBar, ts_init: int) -> None:
        """Append the record of a bar that closed or was revised."""
        interval, end_ns, slot, bar, more = closed
        observer = self._publisher.observer
        if observer is not None and interval is Interval.M1:
            observer.minute_bar(self.instrument, bar)
        self._append(end_ns, ts_init, kind, interval, MORE if more else 0,
                     slot, bar[CLOSE], bar[VOLUME], bar[BAR_TRADES])  # fmt: skip

    def _out_of_order(
        self, ts_event: int, ts_init: int, price: float, qty: float, side: int, trade_id: int, count: int
    ) -> bool | None:
        """Handle a trade that is not the next one, or for which others wait; None lets it be published as it is."""
        if self.join is not None and self.join.publishing:
            return None
        expected = self.expected_id
        # What is only late or repeated is not newer than the last.
        newer = ts_event // 1_000 > self.row[LAST_US]
        if trade_id < expected and newer and not self._lacks(trade_id) and self._ids.begins_anew(expected, trade_id):
            if self.join is not None:
                self.join.numbered_anew(trade_id, ts_init)
            return None
        known = expected if self.join is None else max(expected, self.join.newest + 1)
        new = expected <= trade_id <= known or self._ids.follows(known, trade_id)
        taken = None
        if self.join is not None:
            taken = self.join.offer(ts_event, ts_init, price, qty, side, trade_id, count)
        if taken is None and new:
            return None
        if not taken:
            self.duplicates += 1
        return bool(taken)

    def _lacks(self, trade_id: int) -> bool:
        return self.join is not None and self.join.lacks(trade_id)

    def _settle_trade(self, ts_event: int, ts_init: int, trade_id: int, price: float, qty: float) -> None:
        """Handle what is not the usual next trade: the first, one after a gap, one after that."""
        expected = self.expected_id
        gap = self._trust.trade_gap = expected >= 0 and trade_id != expected
        if gap:
            self.id_gaps += 1
            self.missed_trades += max(0, trade_id - expected)
        self._settle(ts_event, ts_init, price, qty)

    def _settle(self, ts_event: int, ts_init: int, price: float, qty: float) -> None:
        if self._learning:
            self.learn_decimals(price, qty)
            self._learning -= 1
        self._requalify(ts_event, ts_init, MORE)

    def _requalify(self, ts_event: int, ts_init: int, flags: int) -> None:
        quality = self._trust.quality
        self._unsettled = quality is not Quality.LIVE or self._learning > 0
        if quality is not self._quality:
            self._quality = quality
            self.row[Field.QUALITY] = float(quality)
            self._append(ts_event, ts_init, Kind.QUALITY, quality, flags, 0.0, 0.0, 0.0, 0.0)

    def _reach(self, ts_event: int, ts_init: int) -> int:
        """Take in a record's venue time and return the one it carries."""
        publisher = self._publisher
        if ts_event == NO_TIME:
            return publisher.venue_ns or ts_init
        if ts_event >= publisher.minute_end_ns:
            publisher.advance(ts_event, ts_init)
        else:
            self._check_late(ts_event)
        if ts_event > publisher.venue_ns:
            publisher.venue_ns = ts_event
        if ts_event - ts_init > publisher.clock.newest_ahead_ns:
            publisher.observe(ts_event, ts_init)
        return ts_event

    def _check_late(self, ts_event: int) -> None:
        venue_ns = self._publisher.venue_ns
        if ts_event < venue_ns - MAX_LATE_NS:
            raise FrameError(f"venue time {ts_event} ns is over a day behind the venue's {venue_ns} ns")

    def _append(
        self, ts_event: int, ts_init: int, kind: int, code: int, flags: int,
        a: float, b: float, c: float, d: float,
    ) -> None:  # fmt: skip
        """Append a record of this instrument and note it on the row."""
        row = self.row
        row[TS_EVENT], row[TS_INIT], row[SEQUENCE] = ts_event, ts_init, self._tape.sequence
        self._mark(DIRTY_ROW)
        self._tape.append(ts_event, ts_init, self._id, kind, code, flags, a, b, c, d)

    def _mark(self, what: int) -> None:
        if not self._dirty:
            self._publisher.dirty.append(self)
        self._dirty |= what
