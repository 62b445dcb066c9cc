"""Where everything lies in a tape and in the table of its readers.

Tape: a page of header (head and claim each on a cache line of its own), a publication stamp per group of 64
records, the ring of records. Readers: a line per reader, then one byte each that says who sleeps. They lie in a
segment of their own, because readers write them and must not be able to write the tape.
"""

import os
from dataclasses import dataclass

from tickfloor.board.segment import PAGE
from tickfloor.contracts.errors import SegmentError
from tickfloor.contracts.records import RECORD_BYTES

TAPE_MAGIC = 0x7463_6B66_7461_7065
READERS_MAGIC = 0x7463_6B66_7264_7273
LAYOUT_VERSION = 2

HEAD_OFFSET = 128
"""Number of records published."""
CLAIM_OFFSET = 256
"""Records before ``claim - capacity`` may be half overwritten; published before the first of them is touched."""
STAMP_GROUP = 64
"""Records that share a publication stamp, monotonic ns."""
CLAIM_STEP = 64
"""Records claimed at once: the claim is a store, and a store a record would show."""

ATTACHMENTS_OFFSET = 32
"""In the readers' table: how often a reader was attached, so that the writer knows when to look again."""
MAX_READERS = 64
READER_LINE = 64
READERS_OFFSET = 64
CURSOR, HOLD, ATTACHED = 0, 8, 16
"""Words of a reader's line: the next record it will read, the oldest it may still need, whether it counts."""
SLEEPING_OFFSET = READERS_OFFSET + MAX_READERS * READER_LINE
READERS_BYTES = SLEEPING_OFFSET + MAX_READERS


@dataclass(frozen=True, slots=True)
class TapeLayout:
    """Offsets of a tape of ``capacity`` records, a power of two of at least 256."""

    capacity: int

    def __post_init__(self) -> None:
        if self.capacity < 4 * CLAIM_STEP or self.capacity & (self.capacity - 1):
            raise ValueError(f"tape_records must be a power of two of at least {4 * CLAIM_STEP}, not {self.capacity}")

    @property
    def stamps_offset(self) -> int:
        """Byte offset of the publication stamps."""
        return PAGE

    @property
    def records_offset(self) -> int:
        """Byte offset of the ring, on a page."""
        stamps = self.capacity // STAMP_GROUP * 8
        return PAGE + (stamps + PAGE - 1) // PAGE * PAGE

    @property
    def size(self) -> int:
        """Bytes of the whole segment."""
        return self.records_offset + self.capacity * RECORD_BYTES


def reader_offset(index: int) -> int:
    """Return the byte offset of a reader's line in the readers segment.

    Raises:
        ValueError: the table has no such line.
    """
    if not 0 <= index < MAX_READERS:
        raise ValueError(f"a tape has readers 0 to {MAX_READERS - 1}, not {index}")
    return READERS_OFFSET + index * READER_LINE


def head_of(tape_fd: int) -> int:
    """Return the number of records published on a tape that is not mapped here."""
    return int.from_bytes(os.pread(tape_fd, 8, HEAD_OFFSET), "little")


def capacity_of(size: int) -> int:
    """Return the capacity of the tape whose segment has ``size`` bytes.

    Raises:
        SegmentError: no tape has that size.
    """
    capacity = 4 * CLAIM_STEP
    while TapeLayout(capacity).size < size:
        capacity *= 2
    if TapeLayout(capacity).size != size:
        raise SegmentError(f"no tape has {size} bytes: the segment was cut or is none")
    return capacity
