"""The single writer of a board."""

import math
import mmap
import os
from collections.abc import Sequence

from tickfloor.board import fences, segment
from tickfloor.board.board_layout import (
    BAR,
    BOARD_MAGIC,
    BOOK,
    BOOK_LEVELS,
    CAPACITY_OFFSET,
    COUNT_OFFSET,
    DEPTH_OFFSET,
    IDENTITY,
    LAYOUT_VERSION,
    SERIES,
    UPDATES_OFFSET,
    BoardLayout,
    layout_of,
)
from tickfloor.board.row import ROW, Field, empty_row
from tickfloor.board.two_slot import TwoSlotWriter
from tickfloor.contracts.bars import BAR_WORDS, Bar
from tickfloor.contracts.errors import BoardFullError, LayoutMismatchError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval

_NO_BAR = [math.nan] * BAR_WORDS


def create_board(name: str, layout: BoardLayout, run_id: int) -> int:
    """Return the descriptor of a new board; bars get their memory as instruments are added.

    Raises:
        OutOfMemoryError: the host lacks the memory for the fixed part and one instrument.
    """
    fd = segment.create(name, layout.size)
    try:
        segment.reserve(fd, 0, layout.fixed_bytes + layout.bars_bytes, name)
        with segment.map_writable(fd) as mapping:
            segment.write_header(mapping, BOARD_MAGIC, LAYOUT_VERSION, run_id)
            mapping[CAPACITY_OFFSET : CAPACITY_OFFSET + 8] = layout.capacity.to_bytes(8, "little")
            mapping[DEPTH_OFFSET : DEPTH_OFFSET + 8] = layout.depth.to_bytes(8, "little")
    except BaseException:
        os.close(fd)
        raise
    return fd


class BoardWriter:
    """Writes rows, books and bars in place. A reader never waits for it and survives its death.

    Args:
        resumes: bars that an earlier writer has left are gone on with; otherwise they begin anew.
    """

    def __init__(self, fd: int, *, run_id: int, incarnation: int, resumes: bool = False) -> None:
        self._resumes = resumes
        self._fd = fd
        self._mapping = segment.map_writable(fd)
        segment.check_header(self._mapping, BOARD_MAGIC, LAYOUT_VERSION, run_id)
        segment.claim_writer(self._mapping, incarnation)
        self.layout = layout_of(self._mapping)
        self._words = fences.Words(self._mapping)
        self._count = self._words.word(COUNT_OFFSET)
        self._updates = self._words.word(UPDATES_OFFSET)
        self._update_count = self._updates.load()
        self._rows: dict[int, TwoSlotWriter] = {}
        self._books: dict[int, TwoSlotWriter] = {}
        self._series: dict[tuple[int, Interval], _SeriesWriter] = {}

    def add_instrument(self, instrument: Instrument) -> None:
        """Give an instrument its row; ids come in order, and one that is there already is taken over.

        Raises:
            BoardFullError: every row is taken.
            LayoutMismatchError: the row belongs to another instrument.
            OutOfMemoryError: the host lacks the memory for its bars.
        """
        row = instrument.id
        if row >= self.layout.capacity:
            raise BoardFullError(
                f"the board has {self.layout.capacity} rows and all are taken: no room for {instrument.key}; "
                "raise board_instruments"
            )
        identity = instrument.venue.encode(), instrument.symbol.encode()
        if len(identity[0]) > 32 or len(identity[1]) > 96:
            raise BoardFullError(f"the name {instrument.key!r} is too long for the board (32 and 96 bytes)")
        self._identify(instrument, IDENTITY.pack(*identity))
        segment.reserve(self._fd, self.layout.bars(row), self.layout.bars_bytes, "board")
        self._rows[row] = TwoSlotWriter(self._words, self._mapping, self.layout.row(row), ROW)
        self._books[row] = TwoSlotWriter(self._words, self._mapping, self.layout.book(row), BOOK)
        for interval in Interval:
            series = self._series[row, interval] = _SeriesWriter(self._words, self._mapping, self.layout, row, interval)
            if self._resumes:
                series.resume()
        if row >= self._count.load():
            self._count.store(row + 1)

    def _identify(self, instrument: Instrument, identity: bytes) -> None:
        at = self.layout.identity(instrument.id)
        found = self._mapping[at : at + IDENTITY.size]
        if found == identity:
            # Taken over: left as it is, because readers may be looking.
            return
        if any(found):
            venue, symbol = (name.rstrip(b"\0").decode() for name in IDENTITY.unpack(found))
            raise LayoutMismatchError(
                f"row {instrument.id} of the board belongs to {venue}:{symbol}, not to {instrument.key}"
            )
        self._mapping[at : at + IDENTITY.size] = identity

    def write_row(self, instrument: int, row: Sequence[float]) -> None:  # hot path: benchmarks/ingest.py
        """Publish an instrument's row, in the order of :class:`~tickfloor.board.row.Field`."""
        self._rows[instrument].write(*row)
        self._update_count += 1
        self._updates.store(self._update_count)

    def mark_bars_ahead(self, instrument: int, sequence: int) -> None:
        """Say on the published row that bars will be newer than it, until the row is written.

        A reader of row and bars looks at the mark before and after, and reads again if it is set. A successor learns
        from it how far the tape goes.

        Args:
            sequence: of the next record; all before it are whole on the tape.
        """
        row = self._rows[instrument]
        if row.version:
            row.set_word(Field.BARS_AHEAD, sequence + 1.0)
        else:
            first = empty_row()
            first[Field.BARS_AHEAD] = sequence + 1.0
            self.write_row(instrument, first)

    def write_book(
        self,
        instrument: int,
        update_id: int,
        bids: Sequence[tuple[float, float]],
        asks: Sequence[tuple[float, float]],
    ) -> None:
        """Publish the best levels of a book, best first; what is beyond 20 a side is left out."""
        bids, asks = bids[:BOOK_LEVELS], asks[:BOOK_LEVELS]
        levels = [0.0] * (4 * BOOK_LEVELS)
        levels[: 2 * len(bids)] = [number for level in bids for number in level]
        start = 2 * BOOK_LEVELS
        levels[start : start + 2 * len(asks)] = [number for level in asks for number in level]
        self._books[instrument].write(update_id, len(bids), len(asks), *levels)

    def write_forming(self, instrument: int, interval: Interval, bar: Bar | None) -> None:
        """Publish the forming minute, or the closed part of a longer forming bar."""
        self._series[instrument, interval].write_forming(bar)

    def append_bar(self, instrument: int, interval: Interval, bar: Bar) -> int:
        """Add a closed bar, after which none is forming, and return its slot in the ring."""
        return self._series[instrument, interval].append(bar)

    def closed_bars(self, instrument: int, interval: Interval) -> int:
        """Return how many bars have closed since the beginning."""
        return self._series[instrument, interval].closed

    def read_tail(self, instrument: int, interval: Interval, count: int) -> list[Bar]:
        """Return the newest closed bars, oldest first, at most ``count`` and the depth."""
        return self._series[instrument, interval].read_tail(count)

    def rewrite_bars(self, instrument: int, interval: Interval, index: int, bars: Sequence[Bar]) -> None:
        """Replace the closed bars from number ``index`` on; there may be more of them than before.

        An ``index`` beyond the closed bars, as when a successor takes bars over, leaves those between missing.
        """
        self._series[instrument, interval].rewrite(index, bars)

    def close(self) -> None:
        """Let go of the shared memory."""
        self._words.close()
        self._mapping.close()


class _SeriesWriter:
    """The bars of one instrument and interval."""

    __slots__ = (
        "_first", "_forming", "_inherited", "_mapping", "_ring", "_slots", "_state", "_written", "closed", "depth",
        "revision",
    )  # fmt: skip

    def __init__(
        self,
        words: fences.SharedWords,
        mapping: mmap.mmap,
        layout: BoardLayout,
        instrument: int,
        interval: Interval,
    ) -> None:
        self._mapping = mapping
        self._slots = layout.ring
        self._ring = layout.ring_offset(instrument, interval)
        self._state = TwoSlotWriter(words, mapping, layout.series(instrument, interval), SERIES)
        self.depth = layout.depth
        self.closed = 0
        self.revision = 0
        self._first = 0
        self._written = 0
        self._forming = _NO_BAR
        before = self._state.current()
        self._inherited = before is not None
        if before is not None:
            # Taken over: the bars begin anew, once there is something to say, and under another revision.
            self.revision = (before[1] | 1) + 1

    def resume(self) -> None:
        """Go on with the bars that are there; those that were just being rewritten are gone."""
        before = self._state.current()
        if before is not None:
            self.closed, self.revision, self._first, *forming = before
            self.revision += self.revision & 1
            self._written = self.closed
            self._forming = forming
            self._inherited = False

    def write_forming(self, bar: Bar | None) -> None:
        self._forming = _NO_BAR if bar is None else bar
        self._publish()

    def append(self, bar: Bar) -> int:
        if self._inherited:
            # Or a reader would take the first of the new bars, in the place of an old one, for the old one.
            self._publish()
        slot = self.closed % self._slots
        BAR.pack_into(self._mapping, self._ring + slot * BAR.size, *bar)
        self.closed += 1
        self._written = max(self._written, self.closed)
        self._forming = _NO_BAR
        self._publish()
        return slot

    def read_tail(self, count: int) -> list[Bar]:
        first = max(self._oldest(), self.closed - min(count, self.depth))
        return [
            list(BAR.unpack_from(self._mapping, self._ring + index % self._slots * BAR.size))
            for index in range(first, self.closed)
        ]

    def rewrite(self, index: int, bars: Sequence[Bar]) -> None:
        packed = [BAR.pack(*bar) for bar in bars]
        # Readers see the run cut short before it is touched, so that none copies a half-written bar.
        self.revision += 1
        if index > self.closed:
            self._first = index
        self.closed = index
        self._written = max(self._written, index + len(bars))
        self._publish()
        for number, bar in enumerate(packed, index):
            at = self._ring + number % self._slots * BAR.size
            self._mapping[at : at + BAR.size] = bar
        self.revision += 1
        self.closed = index + len(bars)
        self._publish()

    def _oldest(self) -> int:
        """Return the number of the oldest bar written here whose slot no newer one takes, by a rewrite neither."""
        return max(self._first, self._written - self._slots)

    def _publish(self) -> None:
        self._inherited = False
        oldest = self._written - self._slots
        if oldest < self._first:
            oldest = self._first
        self._state.write(self.closed, self.revision, oldest, *self._forming)
