"""Any reader of a board: whole rows, books and bars, or nothing."""

import math
import struct
import time
from typing import NamedTuple

from tickfloor.board import fences, segment
from tickfloor.board.board_layout import (
    BAR,
    BOARD_MAGIC,
    BOOK,
    BOOK_LEVELS,
    COUNT_OFFSET,
    IDENTITY,
    LAYOUT_VERSION,
    SERIES,
    SPARE_BARS,
    UPDATES_OFFSET,
    BoardLayout,
    layout_of,
)
from tickfloor.board.row import ROW
from tickfloor.board.two_slot import TwoSlotReader
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval

_REWRITE_PATIENCE = 200
"""Looks, 0.1 ms apart, at a series whose writer is rewriting bars, before its writer is taken for dead."""


class Book(NamedTuple):
    """The best levels of a book, price and size, best first."""

    update_id: int
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class Bars(NamedTuple):
    """A run of closed bars, oldest first, and the forming part after them.

    Attributes:
        forming: the forming minute, or the closed minutes of a longer forming bar; None for none.
        closed_count: bars closed since the beginning.
    """

    closed: list[Bar]
    forming: Bar | None
    closed_count: int


class BoardReader:
    """Reads a board that it cannot write."""

    def __init__(self, fd: int, *, run_id: int) -> None:
        self._mapping = segment.map_read_only(fd)
        segment.check_header(self._mapping, BOARD_MAGIC, LAYOUT_VERSION, run_id)
        self._layout: BoardLayout = layout_of(self._mapping)
        self._words = memoryview(self._mapping).cast("Q")
        self._rows: dict[int, TwoSlotReader] = {}
        self._books: dict[int, TwoSlotReader] = {}
        self._series: dict[tuple[int, Interval], TwoSlotReader] = {}

    @property
    def depth(self) -> int:
        """How many closed bars of each interval the board keeps."""
        return self._layout.depth

    def count(self) -> int:
        """Return the number of instruments; their ids are the numbers below it."""
        count: int = self._words[COUNT_OFFSET >> 3]
        fences.acquire()
        return count

    def updates(self) -> int:
        """Return the number of row updates since the beginning, of all instruments."""
        updates: int = self._words[UPDATES_OFFSET >> 3]
        return updates

    def instrument(self, instrument: int) -> Instrument:
        """Return the identity of a row.

        Raises:
            LookupError: the row is not taken.
        """
        if not 0 <= instrument < self.count():
            raise LookupError(f"the board has no instrument {instrument}")
        identity = IDENTITY.unpack_from(self._mapping, self._layout.identity(instrument))
        venue, symbol = (name.rstrip(b"\0").decode() for name in identity)
        if not venue:
            raise LookupError(f"the board has no instrument {instrument}")
        return Instrument(instrument, venue, symbol)

    def row(self, instrument: int) -> tuple[float, ...] | None:
        """Return a row in the order of :class:`~tickfloor.board.row.Field`, or None before its first update.

        Raises:
            LookupError: the board is not that large; so too the other readings below.
        """
        reader = self._rows.get(instrument)
        if reader is None:
            reader = self._row_reader(instrument)
        found = reader.read()
        return None if found is None else found[1]

    def row_version(self, instrument: int) -> int:
        """Return the number of updates of one row."""
        reader = self._rows.get(instrument)
        if reader is None:
            reader = self._row_reader(instrument)
        return reader.version()

    def book(self, instrument: int) -> Book | None:
        """Return the best levels of a book, or None before its first update."""
        reader = self._books.get(instrument)
        if reader is None:
            self._check_row(instrument)
            reader = self._books[instrument] = self._reader(self._layout.book(instrument), BOOK)
        found = reader.read()
        if found is None:
            return None
        update_id, bids, asks, *levels = found[1]
        pairs = list(zip(levels[::2], levels[1::2], strict=True))
        return Book(update_id, pairs[:bids], pairs[BOOK_LEVELS : BOOK_LEVELS + asks])

    def bars(self, instrument: int, interval: Interval, count: int) -> Bars:
        """Return the newest closed bars, at most ``count`` and the depth, and what is forming after them.

        If a writer died while it rewrote bars, those from the revised one on are missing until its successor
        has written them again.
        """
        reader = self._series.get((instrument, interval))
        if reader is None:
            self._check_row(instrument)
            offset = self._layout.series(instrument, interval)
            reader = self._series[instrument, interval] = self._reader(offset, SERIES)
        patience = _REWRITE_PATIENCE
        while True:
            before = reader.read()
            if before is None:
                return Bars([], None, 0)
            closed, revision, oldest, *forming = before[1]
            if revision & 1 and patience:
                patience -= 1
                time.sleep(0.0001)
                continue
            first = min(closed, max(oldest, closed - min(count, self._layout.depth)))
            copy = self._copy_bars(instrument, interval, first, closed)
            fences.acquire()
            after = reader.read()
            assert after is not None
            # At SPARE_BARS the writer may already be filling the slot of our first bar, which it does unannounced.
            if after[1][1] == revision and after[1][0] - closed < SPARE_BARS:
                bars = [list(bar) for bar in BAR.iter_unpack(copy)]
                return Bars(bars, None if math.isnan(forming[0]) else forming, closed)

    def _copy_bars(self, instrument: int, interval: Interval, first: int, end: int) -> bytes:
        ring, offset = self._layout.ring, self._layout.ring_offset(instrument, interval)
        start = first % ring
        until_wrap = min(end - first, ring - start)
        rest = end - first - until_wrap
        at = offset + start * BAR.size
        copy = self._mapping[at : at + until_wrap * BAR.size]
        return copy + self._mapping[offset : offset + rest * BAR.size] if rest else copy

    def _row_reader(self, instrument: int) -> TwoSlotReader:
        self._check_row(instrument)
        reader = self._rows[instrument] = self._reader(self._layout.row(instrument), ROW)
        return reader

    def _check_row(self, instrument: int) -> None:
        if not 0 <= instrument < self._layout.capacity:
            raise LookupError(f"the board has {self._layout.capacity} rows and no instrument {instrument}")

    def close(self) -> None:
        """Let go of the shared memory."""
        self._words.release()
        self._mapping.close()

    def _reader(self, offset: int, slot: struct.Struct) -> TwoSlotReader:
        return TwoSlotReader(self._words, self._mapping, offset, slot)
