"""The single producer of a tape."""

import os
import time
from collections.abc import Callable, Mapping
from time import monotonic_ns

from tickfloor.board import fences, segment
from tickfloor.board.tape_layout import (
    ATTACHED,
    ATTACHMENTS_OFFSET,
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

_PACK_INTO = RECORD.pack_into
_AWAKE = memoryview(bytes(MAX_READERS)).cast("Q")


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

    __slots__ = (
        "_attached", "_attachments", "_attachments_seen", "_claimed", "_doorbells", "_group_end", "_group_stamp",
        "_holds", "_layout", "_mapping", "_mask", "_published", "_reader_words", "_readers", "_records", "_room",
        "_sleeping", "_slowest_seen", "_stamp_index", "_stamp_mask", "_stamps", "_store_claim", "_store_head",
        "_wait", "_while_waiting", "_words", "resumed_at", "rings", "sequence", "waits",
    )  # fmt: skip

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
        for index in doorbells:
            reader_offset(index)
        self._mapping = segment.map_writable(tape_fd)
        segment.check_header(self._mapping, TAPE_MAGIC, LAYOUT_VERSION, run_id)
        self._readers = segment.map_writable(readers_fd)
        segment.check_header(self._readers, READERS_MAGIC, LAYOUT_VERSION, run_id)
        segment.claim_writer(self._mapping, incarnation)
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
        self._holds = [self._reader_words.word(reader_offset(index) + HOLD).load for index in range(MAX_READERS)]
        self._attached = [self._reader_words.word(reader_offset(index) + ATTACHED).load for index in range(MAX_READERS)]
        # As words, because comparing eight of them costs a third of comparing 64 bytes.
        self._sleeping = memoryview(self._readers).cast("Q")[SLEEPING_OFFSET >> 3 : READERS_BYTES >> 3]
        self._attachments = self._reader_words.word(ATTACHMENTS_OFFSET).load
        self._attachments_seen = -1
        self._slowest_seen = 0
        self._doorbells = dict(doorbells)
        self._wait = wait_for_readers
        self._while_waiting = while_waiting
        self.sequence = 0
        self.resumed_at = self._words.word(HEAD_OFFSET).load()
        self._published = self.resumed_at
        self._group_end = self.resumed_at
        self._group_stamp = self._stamp_index
        self._claimed = self._words.word(CLAIM_OFFSET).load()
        self._room = 0
        self.waits = 0
        self.rings = 0
        if self.resumed_at:
            # The writer before may have died after it cleared a reader's request and before it rang.
            for eventfd in self._doorbells.values():
                os.eventfd_write(eventfd, 1)

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
        _PACK_INTO(
            self._mapping, self._records + ((sequence & self._mask) << 6),
            sequence, ts_event, ts_init, instrument, kind, code, flags, a, b, c, d,
        )  # fmt: skip
        self.sequence = sequence + 1

    def append_block(self, block: bytes | memoryview) -> None:  # hot path: benchmarks/tape.py
        """Append whole records made elsewhere; their sequences must continue the tape's.

        Args:
            block: at most 64 records of 64 bytes, as bytes.

        Raises:
            ValueError: the block has another size, or a resumed tape has not caught up yet.
        """
        sequence = self.sequence
        size = len(block)
        count = size >> 6
        if size & 63 or not 0 < count <= CLAIM_STEP:
            raise ValueError(f"a block is 1 to {CLAIM_STEP} records of {RECORD_BYTES} bytes, not {size} bytes")
        end = sequence + count
        if end > self._room:
            if sequence < self.resumed_at:
                raise ValueError("a resumed tape takes single records until it has caught up")
            self._make_room(end - 1)
        start = sequence & self._mask
        at = self._records + (start << 6)
        until_wrap = (self._mask + 1 - start) << 6
        if size <= until_wrap:
            self._mapping[at : at + size] = block
        else:
            self._mapping[at : at + until_wrap] = block[:until_wrap]
            self._mapping[self._records : self._records + size - until_wrap] = block[until_wrap:]
        self.sequence = end

    def resume(self, complete: int) -> None:
        """Go on where an earlier writer of this tape died, instead of making its records again.

        Args:
            complete: records before this sequence are known to be whole, published or not; those that it had not
                published yet are now.
        """
        self.sequence = max(complete, self.resumed_at)
        self.publish()
        self.resumed_at = self.sequence

    def read_back(self, first: int) -> bytes:
        """Return the published records from ``first`` on, as far as the tape still has them."""
        oldest = self._published - self._layout.capacity
        return b"".join(
            bytes(self._mapping[at : at + RECORD_BYTES])
            for sequence in range(max(first, oldest, 0), self._published)
            for at in (self._records + ((sequence & self._mask) << 6),)
        )

    def publish(self) -> None:  # hot path: benchmarks/tape.py
        """Make everything appended visible, and wake the readers that sleep."""
        sequence = self.sequence
        published = self._published
        if sequence <= published:
            return
        if sequence > self._group_end:
            self._begin_group(published, sequence)
        self._stamps[self._group_stamp] = monotonic_ns()
        self._published = sequence
        # The reader says that it sleeps and then looks at the head; we do it the other way round. Without a full
        # fence on both sides each may miss the other; ours is part of the store.
        self._store_head(sequence)
        if self._sleeping != _AWAKE:
            self._ring()

    def _begin_group(self, published: int, sequence: int) -> None:
        """Stamp every group that ends before the last record to be published, and turn to that record's group."""
        stamp, last = monotonic_ns(), (sequence - 1) // STAMP_GROUP
        for group in range(published // STAMP_GROUP, last):
            self._stamps[self._stamp_index + (group & self._stamp_mask)] = stamp
        self._group_stamp = self._stamp_index + (last & self._stamp_mask)
        self._group_end = (last + 1) * STAMP_GROUP

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
        # Never back to less than what a writer before has claimed: it may have written up to there before it died.
        claim = max((sequence // CLAIM_STEP + 1) * CLAIM_STEP, self._claimed)
        if self._wait:
            self._wait_for_slowest(claim - self._layout.capacity)
        self._store_claim(claim)
        self._room = self._claimed = claim
        return True

    def _wait_for_slowest(self, oldest: int) -> None:
        """Return when no attached reader needs a record before ``oldest``."""
        if self._slowest(oldest) >= oldest:
            return
        self.publish()
        while self._slowest(oldest) < oldest:
            self.waits += 1
            if self._while_waiting is not None:
                self._while_waiting()
            time.sleep(0.0002)

    def _slowest(self, enough: int) -> int:
        """Return the oldest hold, or one seen earlier that is ``enough`` as long as nobody was attached since."""
        attachments = self._attachments()
        if self._slowest_seen < enough or attachments != self._attachments_seen:
            self._slowest_seen = min(
                (hold() for attached, hold in zip(self._attached, self._holds, strict=True) if attached()),
                default=self.sequence,
            )
            self._attachments_seen = attachments
        return self._slowest_seen

    def close(self) -> None:
        """Let go of the shared memory; what was appended and not published is not seen."""
        self._words.close()
        self._reader_words.close()
        self._stamps.release()
        self._sleeping.release()
        self._mapping.close()
        self._readers.close()
