"""A board for a feed that repeats its predecessor's work: written aside, and shown when it has caught up.

A successor reads its source again from the beginning. Were it to write the real board meanwhile, every reader
would see the market's past once more.
"""

import os
from collections.abc import Sequence

from tickfloor.board import segment
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval


class CatchUpBoard:
    """Writes a board of its own until :meth:`show`, and the real one from then on."""

    def __init__(self, fd: int, *, run_id: int, incarnation: int) -> None:
        self._real = BoardWriter(fd, run_id=run_id, incarnation=incarnation)
        self.layout = self._real.layout
        self._run_id = run_id
        self._aside_fd = create_board("catch-up", self._real.layout, run_id)
        self._aside = BoardWriter(self._aside_fd, run_id=run_id, incarnation=incarnation)
        self._board = self._aside
        self._instruments: list[Instrument] = []

    @property
    def catching_up(self) -> bool:
        """Whether the real board is untouched still."""
        return self._board is self._aside

    def show(self) -> None:
        """Bring the real board up to what was written aside, and write it directly from now on."""
        readable = segment.read_only(self._aside_fd)
        reader = BoardReader(readable, run_id=self._run_id)
        for instrument in self._instruments:
            self._real.add_instrument(instrument)
            self._copy(reader, instrument.id)
        reader.close()
        self._aside.close()
        os.close(readable)
        os.close(self._aside_fd)
        self._board = self._real

    def _copy(self, reader: BoardReader, number: int) -> None:
        for interval in Interval:
            bars = reader.bars(number, interval, self._real.layout.depth)
            first = bars.closed_count - len(bars.closed)
            self._real.rewrite_bars(number, interval, first, bars.closed)
            self._real.write_forming(number, interval, bars.forming)
        book = reader.book(number)
        if book is not None:
            self._real.write_book(number, *book)
        row = reader.row(number)
        if row is not None:
            self._real.write_row(number, row)

    def add_instrument(self, instrument: Instrument, /) -> None:
        """As :meth:`BoardWriter.add_instrument`."""
        self._instruments.append(instrument)
        self._board.add_instrument(instrument)

    def write_row(self, instrument: int, row: Sequence[float], /) -> None:
        """As :meth:`BoardWriter.write_row`."""
        self._board.write_row(instrument, row)

    def mark_bars_ahead(self, instrument: int, sequence: int, /) -> None:
        """As :meth:`BoardWriter.mark_bars_ahead`."""
        self._board.mark_bars_ahead(instrument, sequence)

    def write_book(
        self,
        instrument: int,
        update_id: int,
        bids: Sequence[tuple[float, float]],
        asks: Sequence[tuple[float, float]],
        /,
    ) -> None:
        """As :meth:`BoardWriter.write_book`."""
        self._board.write_book(instrument, update_id, bids, asks)

    def write_forming(self, instrument: int, interval: Interval, bar: Bar | None, /) -> None:
        """As :meth:`BoardWriter.write_forming`."""
        self._board.write_forming(instrument, interval, bar)

    def append_bar(self, instrument: int, interval: Interval, bar: Bar, /) -> int:
        """As :meth:`BoardWriter.append_bar`."""
        return self._board.append_bar(instrument, interval, bar)

    def closed_bars(self, instrument: int, interval: Interval, /) -> int:
        """As :meth:`BoardWriter.closed_bars`."""
        return self._board.closed_bars(instrument, interval)

    def read_tail(self, instrument: int, interval: Interval, count: int, /) -> list[Bar]:
        """As :meth:`BoardWriter.read_tail`."""
        return self._board.read_tail(instrument, interval, count)

    def rewrite_bars(self, instrument: int, interval: Interval, index: int, bars: Sequence[Bar], /) -> None:
        """As :meth:`BoardWriter.rewrite_bars`."""
        self._board.rewrite_bars(instrument, interval, index, bars)

    def close(self) -> None:
        """Let go of the shared memory."""
        if self.catching_up:
            self._aside.close()
            os.close(self._aside_fd)
        self._real.close()
