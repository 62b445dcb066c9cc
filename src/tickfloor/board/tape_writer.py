"""The single producer of a tape."""

import mmap
import os
import time
from collections.abc import Callable, Mapping

from tickfloor.board import fences, segment
from tickfloor.board.tape_layout import (
    ATTACHED,
    CLAIM_OFFSET,
    CLAIM_STEP,
    HEAD_OFFSET,
    HOLD,
    LAYOUT_VERSION,
    MAX_READERS,
    READERS_BYTES,
    READERS_MAGIC,
    SLEEPING_OFFSET,
    STAMP_GROUP,
    TAPE_MAGIC,
    TapeLayout,
    capacity_of,
    reader_offset,
)
from tickfloor.contracts.records import RECORD, RECORD_BYTES

_AWAKE = bytes(MAX_READERS)


def create_tape(name: str, capacity: int, run_id: int) -> tuple[int, int]:
    """Return the descriptors of a new tape and of its readers' table.

    Raises:
        OutOfMemoryError: the host lacks the memory.
        ValueError: ``capacity`` is not a power of two of at least 256.
    """
    size = TapeLayout(capacity).size
    descriptors: list[int] = []
    try:
        for part, magic, length in (("tape", TAPE_MAGIC, size), ("readers", READERS_MAGIC, READERS_BYTES)):
            fd = segment.create(f"{name}-{part}", length)
            descriptors.append(fd)
            segment.reserve(fd, 0, length, f"{name} {part}")
            with segment.map_writable(fd) as mapping:
                segment.write_header(mapping, magic, LAYOUT_VERSION, run_id)
    except BaseException:
        for fd in descriptors:
            os.close(fd)
        raise
    return descriptors[0], descriptors[1]


class TapeWriter:
    """Appends records and publishes them in groups.

    What is appended is visible to readers after :meth:`publish`, which also rings the doorbells of those who
    sleep. Live, appending never waits. With ``wait_for_readers``, as in a replay, it waits for the slowest
    attached reader's hold instead of overwriting what that reader still needs.

    Attributes:
        sequence: the sequence that the next record gets.
        resumed_at: where an earlier writer of this tape stopped; records before it are dropped here, so
            that a deterministic source can be run again from its beginning to continue the tape.
    """

    def __init__(
        self,
        tape_fd: int,
        readers_fd: int,
        *,
        run_id: int,
        incarnation: int,
        doorbells: Mapping[int, int],
        wait_for_readers: bool = False,
        while_waiting: Callable[[], None] | None = None,
    ) -> None:
        self._mapping = segment.map_writable(tape_fd)
        segment.check_header(self._mapping, TAPE_MAGIC, LAYOUT_VERSION, run_id)
        segment.claim_writer(self._mapping, incarnation)
        self._readers = segment.map_writable(readers_fd)
        segment.check_header(self._readers, READERS_MAGIC, LAYOUT_VERSION, run_id)
        self._words = fences.Words(self._mapping)
        self._reader_words = fences.Words(self._readers)
        self._layout = TapeLayout(capacity_of(len(self._mapping)))
        self._mask = self._layout.capacity - 1
        self._records = self._layout.records_offset
        self._stamps = memoryview(self._mapping).cast("Q")
        self._stamp_index = self._layout.stamps_offset >> 3
        self._stamp_mask = self._layout.capacity // STAMP_GROUP - 1
        self._store_head = self._words.word(HEAD_OFFSET).store
        self._store_claim = self._words.word(CLAIM_OFFSET).store
        self._holds = [
            self._reader_words.word(reader_offset(index) + HOLD).load for index in range(MAX_READERS)
        ]
        self._attached = [
            self._reader_words.word(reader_offset(index) + ATTACHED).load for index in range(MAX_READERS)
        ]
        self._doorbells = dict(doorbells)
        self._wait = wait_for_readers
        self._while_waiting = while_waiting
        self.sequence = 0
        self.resumed_at = self._words.word(HEAD_OFFSET).load()
        self._published = self.resumed_at
        self._room = 0
        self.waits = 0
        self.rings = 0

    def append(
        self,
        ts_event: int,
        ts_init: int,
        instrument: int,
        kind: int,
        code: int,
        flags: int,
        a: float,
        b: float,
        c: float,
        d: float,
    ) -> None:  # hot path: benchmarks/tape.py
        """Append one record; times in ns, payload by kind, see :mod:`tickfloor.contracts.records`."""
        sequence = self.sequence
        if sequence >= self._room and not self._make_room(sequence):
            self.sequence = sequence + 1
            return
        RECORD.pack_into(
            self._mapping, self._records + ((sequence & self._mask) << 6),
            sequence, ts_event, ts_init, instrument, kind, code, flags, a, b, c, d,
        )  # fmt: skip
        self.sequence = sequence + 1

    def append_block(self, block: bytes | memoryview) -> None:
        """Append whole records made elsewhere; their sequences must continue the tape's.

        Args:
            block: at most 64 records of 64 bytes.
        """
        sequence = self.sequence
        count = len(block) // RECORD_BYTES
        last = sequence + count - 1
        if last >= self._room and not self._make_room(last):
            raise ValueError("a resumed tape takes single records until it has caught up")
        start = sequence & self._mask
        until_wrap = self._layout.capacity - start
        at = self._records + start * RECORD_BYTES
        if count <= until_wrap:
            self._mapping[at : at + count * RECORD_BYTES] = block
        else:
            cut = until_wrap * RECORD_BYTES
            self._mapping[at : at + cut] = block[:cut]
            self._mapping[self._records : self._records + len(block) - cut] = block[cut:]
        self.sequence = last + 1

    def publish(self) -> None:
        """Make everything appended visible, and wake the readers that sleep."""
        sequence = self.sequence
        if sequence <= self._published:
            return
        stamp = time.monotonic_ns()
        stamps, mask, first = self._stamps, self._stamp_mask, self._stamp_index
        for group in range(self._published // STAMP_GROUP, (sequence - 1) // STAMP_GROUP + 1):
            stamps[first + (group & mask)] = stamp
        self._published = sequence
        self._store_head(sequence)
        # The reader says that it sleeps and then looks at the head; we do it the other way round. Without a full
        # fence on both sides each may miss the other.
        fences.full()
        if self._readers[SLEEPING_OFFSET:] != _AWAKE:
            self._ring()

    def _ring(self) -> None:
        for index, eventfd in self._doorbells.items():
            if self._readers[SLEEPING_OFFSET + index]:
                # Cleared here, so that a reader that is slow to wake is rung once and not at every publication.
                self._readers[SLEEPING_OFFSET + index] = 0
                os.eventfd_write(eventfd, 1)
                self.rings += 1

    def _make_room(self, sequence: int) -> bool:
        """Claim the next records; say whether the record is to be written at all."""
        if sequence < self.resumed_at:
            self._room = 0
            return False
        claim = (sequence // CLAIM_STEP + 1) * CLAIM_STEP
        if self._wait:
            self._wait_for_slowest(claim - self._layout.capacity)
        self._store_claim(claim)
        fences.full()
        self._room = claim
        return True

    def _wait_for_slowest(self, oldest: int) -> None:
        """Return when no attached reader needs a record before ``oldest``."""
        if self._slowest() >= oldest:
            return
        self.publish()
        while self._slowest() < oldest:
            self.waits += 1
            if self._while_waiting is not None:
                self._while_waiting()
            time.sleep(0.0002)

    def _slowest(self) -> int:
        return min(
            (hold() for attached, hold in zip(self._attached, self._holds, strict=True) if attached()),
            default=self.sequence,
        )

    def close(self) -> None:
        """Let go of the shared memory; what was appended and not published is not seen."""
        self._words.close()
        self._reader_words.close()
        self._stamps.release()
        self._mapping.close()
        self._readers.close()
