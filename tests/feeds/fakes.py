"""A tape and a board in memory."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tickfloor.board.row import ROW_WORDS
from tickfloor.contracts.bars import BAR_WORDS, Bar
from tickfloor.contracts.errors import BoardFullError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD


class Record(NamedTuple):
    sequence: int
    ts_event: int
    ts_init: int
    instrument: int
    kind: int
    code: int
    flags: int
    a: float
    b: float
    c: float
    d: float


class FakeTape:
    """Packs every record as the real one does, so that what does not fit fails here too."""

    def __init__(self) -> None:
        self.sequence = 0
        self.records: list[Record] = []
        self.published = 0

    def append(self, ts_event, ts_init, instrument, kind, code, flags, a, b, c, d) -> None:
        packed = RECORD.pack(self.sequence, ts_event, ts_init, instrument, kind, code, flags, a, b, c, d)
        self.records.append(Record(*RECORD.unpack(packed)))
        self.sequence += 1

    def publish(self) -> None:
        self.published = self.sequence


class FakeBoard:
    """Rings are ``depth + 12`` long, as the real board's; bars are copied, as through shared memory."""

    def __init__(self, *, depth: int = 500, capacity: int = 1000) -> None:
        self.depth = depth
        self.capacity = capacity
        self.instruments: dict[int, Instrument] = {}
        self.rows: dict[int, list[float]] = {}
        self.books: dict[int, tuple[int, list, list]] = {}
        self.closed: dict[tuple[int, Interval], list[Bar]] = {}
        self.forming: dict[tuple[int, Interval], Bar | None] = {}

    @property
    def ring(self) -> int:
        return self.depth + 12

    def add_instrument(self, instrument: Instrument) -> None:
        if instrument.id >= self.capacity:
            raise BoardFullError(f"no room for {instrument.key}")
        self.instruments[instrument.id] = instrument
        for interval in Interval:
            self.closed[instrument.id, interval] = []
            self.forming[instrument.id, interval] = None

    def write_row(self, instrument: int, row: Sequence[float]) -> None:
        assert len(row) == ROW_WORDS
        self.rows[instrument] = list(row)

    def mark_bars_ahead(self, instrument: int, sequence: int) -> None:
        assert instrument in self.instruments
        assert sequence >= 0

    def append_bar(self, instrument: int, interval: Interval, bar: Bar) -> int:
        bars = self.closed[instrument, interval]
        bars.append(_copied(bar))
        self.forming[instrument, interval] = None
        return (len(bars) - 1) % self.ring

    def read_tail(self, instrument: int, interval: Interval, count: int) -> list[Bar]:
        bars = self.closed[instrument, interval]
        return [list(bar) for bar in bars[len(bars) - min(count, self.depth, len(bars)) :]]

    def closed_bars(self, instrument: int, interval: Interval) -> int:
        return len(self.closed[instrument, interval])

    def rewrite_bars(self, instrument: int, interval: Interval, index: int, bars: Sequence[Bar]) -> None:
        closed = self.closed[instrument, interval]
        assert 0 <= index <= len(closed)
        assert index + len(bars) >= len(closed)
        closed[index:] = [_copied(bar) for bar in bars]

    def write_forming(self, instrument: int, interval: Interval, bar: Bar | None) -> None:
        self.forming[instrument, interval] = None if bar is None else _copied(bar)

    def write_book(self, instrument: int, update_id: int, bids, asks) -> None:
        assert len(bids) <= 20
        assert len(asks) <= 20
        self.books[instrument] = (update_id, list(bids), list(asks))


def _copied(bar: Bar) -> Bar:
    assert len(bar) == BAR_WORDS
    return [float(number) for number in bar]


def catalogue() -> Callable[[str, str], Instrument]:
    """Assign ids in the order of the first question."""
    known: dict[tuple[str, str], Instrument] = {}

    def assign(venue: str, symbol: str) -> Instrument:
        return known.setdefault((venue, symbol), Instrument(len(known), venue, symbol))

    return assign
