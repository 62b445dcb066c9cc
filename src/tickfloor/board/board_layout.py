"""Where everything lies on the board.

A fixed part holds, for every instrument the board has room for, its identity, its row and its book. The bars
come after it, a block per instrument that gets its memory when the instrument is added.
"""

import mmap
import struct
from dataclasses import dataclass

from tickfloor.board import two_slot
from tickfloor.board.row import ROW
from tickfloor.board.segment import PAGE
from tickfloor.contracts.bars import BAR_WORDS
from tickfloor.contracts.intervals import Interval

BOARD_MAGIC = 0x7463_6B66_626F_6172
LAYOUT_VERSION = 4

CAPACITY_OFFSET, DEPTH_OFFSET, COUNT_OFFSET, UPDATES_OFFSET = 64, 72, 128, 192
IDENTITY = struct.Struct("<32s96s")
"""Venue and symbol, UTF-8, padded with zeros."""

BOOK_LEVELS = 20
BOOK = struct.Struct(f"<QII{4 * BOOK_LEVELS}d")
"""Update id, number of bids, number of asks, then price and size of every bid and ask, best first."""

BAR = struct.Struct(f"<{BAR_WORDS}d")
SERIES = struct.Struct(f"<QQQ{BAR_WORDS}d")
"""Number of closed bars, revision (odd while bars are being rewritten), number of the oldest bar that no newer one
has overwritten, the forming bar (NaN start for none)."""

SPARE_BARS = 12
"""Bars kept beyond the depth. Fewer may close while a reader copies: the writer may be at the next one already."""

_IDENTITY_BYTES = 128
_ROW_OFFSET = _IDENTITY_BYTES
_BOOK_OFFSET = _ROW_OFFSET + two_slot.size_of(ROW)
_INSTRUMENT_BYTES = _BOOK_OFFSET + two_slot.size_of(BOOK)


@dataclass(frozen=True, slots=True)
class BoardLayout:
    """Offsets of a board of ``capacity`` instruments with ``depth`` closed bars per interval."""

    capacity: int
    depth: int

    @property
    def ring(self) -> int:
        """Bar slots per series."""
        return self.depth + SPARE_BARS

    @property
    def series_bytes(self) -> int:
        """Bytes of one interval's bars."""
        size = two_slot.size_of(SERIES) + self.ring * BAR.size
        return (size + 63) // 64 * 64

    @property
    def bars_bytes(self) -> int:
        """Bytes of all bars of one instrument, in whole pages."""
        return (self.series_bytes * len(Interval) + PAGE - 1) // PAGE * PAGE

    @property
    def fixed_bytes(self) -> int:
        """Bytes of everything but the bars."""
        return (PAGE + self.capacity * _INSTRUMENT_BYTES + PAGE - 1) // PAGE * PAGE

    @property
    def size(self) -> int:
        """Bytes of the whole segment."""
        return self.fixed_bytes + self.capacity * self.bars_bytes

    def identity(self, instrument: int) -> int:
        """Offset of an instrument's identity."""
        return PAGE + instrument * _INSTRUMENT_BYTES

    def row(self, instrument: int) -> int:
        """Offset of an instrument's row."""
        return self.identity(instrument) + _ROW_OFFSET

    def book(self, instrument: int) -> int:
        """Offset of an instrument's book."""
        return self.identity(instrument) + _BOOK_OFFSET

    def bars(self, instrument: int) -> int:
        """Offset of an instrument's bars."""
        return self.fixed_bytes + instrument * self.bars_bytes

    def series(self, instrument: int, interval: Interval) -> int:
        """Offset of the head of an instrument's bars of one interval."""
        return self.bars(instrument) + interval * self.series_bytes

    def ring_offset(self, instrument: int, interval: Interval) -> int:
        """Offset of the closed bars of one interval."""
        return self.series(instrument, interval) + two_slot.size_of(SERIES)


def layout_of(mapping: mmap.mmap) -> BoardLayout:
    """Return the layout that a board was made with."""
    return BoardLayout(
        int.from_bytes(mapping[CAPACITY_OFFSET : CAPACITY_OFFSET + 8], "little"),
        int.from_bytes(mapping[DEPTH_OFFSET : DEPTH_OFFSET + 8], "little"),
    )
