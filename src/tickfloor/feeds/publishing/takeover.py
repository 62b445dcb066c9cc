"""How a live feed goes on where its predecessor died: from the board and the tape that it left.

The predecessor wrote the board and then published the tape. If it died in between, the records that are on the
board already lie whole on the tape: they are published now. If it died while it wrote the board, rows that it had
not come to follow from the tape's records; bars are written before their row, so those of such a row may hold a part
of the same trades already, and its instrument is named as unsure.
"""

import os
from collections.abc import Callable

from tickfloor.board import segment
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.row import Field, empty_row
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Flag, Kind, Side
from tickfloor.feeds.publishing.ports import BoardPort
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.market.bars import FormingBars

_TRADE, _QUOTE, _BAR_CLOSE, _CLOCK = map(int, (Kind.TRADE, Kind.QUOTE, Kind.BAR_CLOSE, Kind.CLOCK))


class Legacy:
    """What a predecessor has left on the board; empty where there was none.

    Attributes:
        instruments: whose rows there are.
        unsure: those whose bars may lack or repeat trades of the moment of death.
    """

    def __init__(self, fd: int, run_id: int) -> None:
        self._rows: dict[int, list[float]] = {}
        self._held: dict[int, int] = {}
        """the newest sequence that a row holds"""
        self._forming: dict[int, FormingBars] = {}
        self._closed: dict[int, list[tuple[Interval, Bar]]] = {}
        """bars that closed on the tape and not on the board"""
        self.instruments: list[Instrument] = []
        self.unsure: list[Instrument] = []
        readable = segment.read_only(fd)
        reader = BoardReader(readable, run_id=run_id)
        try:
            for number in range(reader.count()):
                self._read(reader, number)
        finally:
            reader.close()
            os.close(readable)

    def _read(self, reader: BoardReader, number: int) -> None:
        row = reader.row(number)
        instrument = reader.instrument(number)
        self.instruments.append(instrument)
        self._rows[number] = empty_row() if row is None else list(row)
        self._held[number] = -1 if row is None else int(row[Field.SEQUENCE])
        newest = reader.bars(number, Interval.M1, 1)
        # A row that is not there yet has no mark either.
        if row[Field.BARS_AHEAD] if row is not None else newest.closed_count or newest.forming:
            self.unsure.append(instrument)
        forming = self._forming[number] = FormingBars()
        for interval in Interval:
            bar = reader.bars(number, interval, 1).forming
            if interval is Interval.M1:
                forming.minute = bar
            else:
                forming.closed_part[interval] = bar

    @property
    def complete(self) -> int:
        """Every record before this sequence is whole on the tape."""
        return max(self._held.values(), default=-1) + 1

    @property
    def first_to_follow(self) -> int:
        """The earliest sequence that some row may not hold yet."""
        return min(self._held.values(), default=-1) + 1

    def follow(self, records: bytes) -> None:
        """Bring rows and bars that the predecessor had not come to write up to what the tape holds."""
        unsure = {instrument.id for instrument in self.unsure}
        for sequence, ts_event, ts_init, number, kind, code, flags, a, b, c, d in RECORD.iter_unpack(records):
            if kind == _CLOCK or sequence <= self._held.get(number, sequence):
                continue
            row = self._rows[number]
            row[Field.SEQUENCE], row[Field.TS_EVENT], row[Field.TS_INIT] = sequence, ts_event, ts_init
            if kind == _TRADE:
                _add_to_row(row, ts_event, code, a, b, c)
                if number not in unsure:
                    self._add_to_bars(number, ts_event, flags, code, a, b)
            elif kind == _QUOTE:
                row[Field.BID], row[Field.BID_SIZE], row[Field.ASK], row[Field.ASK_SIZE] = a, b, c, d
            elif kind == _BAR_CLOSE and number not in unsure:
                interval = Interval(code)
                self._closed.setdefault(number, []).append((interval, self._forming[number].close(interval)))

    def _add_to_bars(self, number: int, ts_event: int, flags: int, side: int, price: float, qty: float) -> None:
        if flags & Flag.LATE:  # it revised bars that the board may or may not have revised
            self.unsure += [each for each in self.instruments if each.id == number and each not in self.unsure]
        else:
            self._forming[number].add_trade(ts_event // 1_000_000, price, qty, side == Side.BUY)

    def hand_over(self, board: BoardPort, publisher: Callable[[str], MarketPublisher]) -> None:
        """Let publishers go on with it, by venue, and bring the board up to it."""
        for instrument in self.instruments:
            number = instrument.id
            publisher(instrument.venue).take_over(instrument, self._rows[number], self._forming[number])
            if number in self._closed:
                board.mark_bars_ahead(number)
            for interval, bar in self._closed.get(number, ()):
                board.append_bar(number, interval, bar)
        for venue in {instrument.venue for instrument in self.instruments}:
            publisher(venue).write()


def _add_to_row(row: list[float], ts_event: int, side: int, price: float, qty: float, trade_id: float) -> None:
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
    if ts_event // 1_000 >= row[Field.LAST_US]:
        row[Field.LAST], row[Field.LAST_QTY], row[Field.LAST_SIDE] = price, qty, side
        row[Field.LAST_US] = ts_event // 1_000
