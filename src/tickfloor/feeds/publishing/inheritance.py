"""What a dead feed left of one instrument: its row and bars, followed to where the tape is whole.

A batch is on the tape before the board learns of it. For each instrument then the row is marked, the bars are written,
and the row is written, which takes the mark away. So bars without a mark are those of the row, and what the batch did
to them is done again from its records. Bars with a mark may be older or newer than the batch, each of them; what can be
told of them is told by their times, and the instrument is named as unsure.
"""

import itertools

from tickfloor.board.board_reader import BoardReader
from tickfloor.board.row import Field, empty_row
from tickfloor.contracts.bars import Bar, BarField
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Flag, Kind, Side
from tickfloor.market.bars import LONGER, FormingBars, fold, start_of

MOST_UNFOLDED = 60
"""Minutes of one instrument that may have closed in a predecessor's last batch."""
START_MS, FIRST_MS, LAST_MS = BarField.START_MS, BarField.FIRST_MS, BarField.LAST_MS
_TRADE, _QUOTE, _BAR_CLOSE = map(int, (Kind.TRADE, Kind.QUOTE, Kind.BAR_CLOSE))
_NEVER_MS = -1.0


class Inheritance:
    """One instrument's state on the board, and after :meth:`follow` on the tape.

    Attributes:
        row: in the order of :class:`~tickfloor.board.row.Field`.
        held: the newest sequence that the row holds, -1 for none.
        whole: every record before this sequence is whole on the tape, as far as this instrument shows.
        forming: the forming bars.
        closed: bars that have closed and are not on the board, in that order.
        unsure: bars may lack or repeat trades of the moment of death.
        lacks_trades: the predecessor knew of missing ids; :meth:`missing` needs every record of the tape to say which.
    """

    def __init__(self, reader: BoardReader, number: int) -> None:
        found = reader.row(number)
        self.row = empty_row() if found is None else list(found)
        mark = self.row[Field.BARS_AHEAD]
        self.unsure = mark != 0.0
        self.lacks_trades = self.row[Field.MISSING_FROM] >= 0
        self._trade_ids: list[int] = []
        # An instrument's first mark comes with a row of which nothing is known.
        self.held = int(self.row[Field.SEQUENCE]) if self.row[Field.TS_INIT] else -1
        self.whole = max(self.held + 1, int(mark) - 1)
        self.forming = FormingBars()
        self.closed: list[tuple[Interval, Bar]] = []
        self._closed_ms: dict[Interval, float] = {}
        for interval in Interval:
            bars = reader.bars(number, interval, 1)
            self._closed_ms[interval] = bars.closed[-1][START_MS] if bars.closed else _NEVER_MS
            if interval is Interval.M1:
                self.forming.minute = bars.forming
            else:
                self.forming.closed_part[interval] = bars.forming
        if self.unsure:
            self._fold_minutes(reader.bars(number, Interval.M1, MOST_UNFOLDED).closed)

    def follow(
        self, sequence: int, ts_event: int, ts_init: int, kind: int, code: int, flags: int,
        a: float, b: float, c: float, d: float,
    ) -> None:  # fmt: skip
        """Take in a record; one that the row holds already changes nothing."""
        if kind == _TRADE and self.lacks_trades:
            self._trade_ids.append(int(c))
        if sequence <= self.held:
            return
        row = self.row
        row[Field.SEQUENCE], row[Field.TS_EVENT], row[Field.TS_INIT] = sequence, ts_event, ts_init
        if kind == _TRADE:
            overtaken = flags & Flag.OVERTAKEN > 0
            _add_to_row(row, ts_event, code, a, b, c, overtaken=overtaken)
            if flags & Flag.LATE:
                self.unsure = True
            else:
                self._add_to_minute(ts_event // 1_000_000, a, b, bought=code == Side.BUY, overtaken=overtaken)
        elif kind == _QUOTE:
            row[Field.BID], row[Field.BID_SIZE], row[Field.ASK], row[Field.ASK_SIZE] = a, b, c, d
        elif kind == _BAR_CLOSE:
            self._close(Interval(code), ts_event // 1_000_000)

    def missing(self) -> tuple[tuple[int, int], ...]:
        """Return the ids before the newest trade that are not on the tape, ranges with both ends.

        What is older than the tape is left out: whether it is missing cannot be told.
        """
        if not self.lacks_trades:
            return ()
        known = sorted({*self._trade_ids, int(self.row[Field.TRADE_ID])})
        first = int(self.row[Field.MISSING_FROM])
        return tuple(
            (max(before + 1, first), after - 1)
            for before, after in itertools.pairwise(known)
            if after - 1 >= max(before + 1, first)
        )

    def _add_to_minute(self, ts_ms: int, price: float, qty: float, *, bought: bool, overtaken: bool) -> None:
        minute = self.forming.minute
        if self.unsure and (
            start_of(Interval.M1, ts_ms) <= self._closed_ms[Interval.M1]
            or (minute is not None and ts_ms <= minute[LAST_MS])
        ):
            # Part of a bar that is on the board, or it cannot be told.
            return
        self.forming.add_trade(ts_ms, price, qty, bought, overtaken)

    def _close(self, interval: Interval, end_ms: int) -> None:
        if end_ms - interval.ms <= self._closed_ms[interval] or self.forming.forming(interval) is None:
            return
        self.closed.append((interval, self.forming.close(interval)))

    def _fold_minutes(self, minutes: list[Bar]) -> None:
        """Give longer bars the closed minutes that the writer had not come to write into them."""
        parts = self.forming.closed_part
        for interval in LONGER:
            for minute in minutes:
                start_ms, part = start_of(interval, int(minute[START_MS])), parts[interval]
                if start_ms <= self._closed_ms[interval]:
                    continue
                if part is None or (part[START_MS] == start_ms and part[LAST_MS] < minute[FIRST_MS]):
                    parts[interval] = fold(part, minute, start_ms)


def _add_to_row(
    row: list[float], ts_event: int, side: int, price: float, qty: float, trade_id: float, *, overtaken: bool
) -> None:
    """As :meth:`InstrumentWriter.trade` does."""
    day, newest = ts_event // Interval.D1.ns, int(row[Field.LAST_US]) * 1_000 // Interval.D1.ns
    if day > newest:
        row[Field.DAY_OPEN] = row[Field.DAY_HIGH] = row[Field.DAY_LOW] = price
    elif day == newest:
        row[Field.DAY_HIGH] = max(row[Field.DAY_HIGH], price)
        row[Field.DAY_LOW] = min(row[Field.DAY_LOW], price)
    row[Field.TRADES] += 1.0
    row[Field.TRADE_ID] = max(row[Field.TRADE_ID], trade_id)
    if side == Side.BUY:
        row[Field.BUY_VOLUME] += qty
        row[Field.CUMULATIVE_DELTA] += qty
    elif side == Side.SELL:
        row[Field.SELL_VOLUME] += qty
        row[Field.CUMULATIVE_DELTA] -= qty
    ts_us = ts_event // 1_000
    if ts_us > row[Field.LAST_US] or (ts_us == row[Field.LAST_US] and not overtaken):
        row[Field.LAST], row[Field.LAST_QTY], row[Field.LAST_SIDE] = price, qty, side
        row[Field.LAST_US] = ts_us
