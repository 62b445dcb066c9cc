"""A reader of a tape: its own cursor, and the truth about what it missed."""

from tickfloor.board import fences, segment
from tickfloor.board.tape_layout import (
    ATTACHED,
    ATTACHMENTS_OFFSET,
    CLAIM_OFFSET,
    CURSOR,
    HEAD_OFFSET,
    HOLD,
    LAYOUT_VERSION,
    READERS_MAGIC,
    SLEEPING_OFFSET,
    STAMP_GROUP,
    TAPE_MAGIC,
    TapeLayout,
    capacity_of,
    reader_offset,
)
from tickfloor.contracts.errors import TapeOverrunError
from tickfloor.contracts.records import RECORD_BYTES


def attach_reader(readers_fd: int, index: int, position: int = 0) -> None:
    """Count a reader in, from a position on, before its worker exists: a replay then waits for it."""
    _set_place(readers_fd, index, position, attached=1)


def detach_reader(readers_fd: int, index: int) -> None:
    """Count a reader out whose worker is gone for good: nobody waits for it any more."""
    _set_place(readers_fd, index, 0, attached=0)


def _set_place(readers_fd: int, index: int, position: int, *, attached: int) -> None:
    with segment.map_writable(readers_fd) as mapping:
        words = fences.Words(mapping)
        line = reader_offset(index)
        words.word(line + CURSOR).store(position)
        words.word(line + HOLD).store(position)
        words.word(line + ATTACHED).store(attached)
        # One that was killed while it slept would be rung by every publication.
        mapping[SLEEPING_OFFSET + index] = 0
        attachments = words.word(ATTACHMENTS_OFFSET)
        attachments.store(attachments.load() + 1)
        words.close()


class TapeReader:
    """Reads one tape in order.

    Attributes:
        position: sequence of the next record to read.
        overruns: times the writer lapped this reader; lost: records missed by that.
    """

    def __init__(self, tape_fd: int, readers_fd: int, *, run_id: int, index: int) -> None:
        self._mapping = segment.map_read_only(tape_fd)
        segment.check_header(self._mapping, TAPE_MAGIC, LAYOUT_VERSION, run_id)
        self._readers = segment.map_writable(readers_fd)
        segment.check_header(self._readers, READERS_MAGIC, LAYOUT_VERSION, run_id)
        layout = TapeLayout(capacity_of(len(self._mapping)))
        self._words = memoryview(self._mapping).cast("Q")
        self._own = fences.Words(self._readers)
        line = reader_offset(index)
        self._store_cursor = self._own.word(line + CURSOR).store
        self._store_hold = self._own.word(line + HOLD).store
        self._sleeping = SLEEPING_OFFSET + index
        self._records = layout.records_offset
        self._stamps = layout.stamps_offset >> 3
        self._stamp_mask = layout.capacity // STAMP_GROUP - 1
        self.capacity = layout.capacity
        self.position = 0
        self.overruns = 0
        self.lost = 0

    def head(self) -> int:
        """Return the number of records published so far."""
        head: int = self._words[HEAD_OFFSET >> 3]
        fences.acquire()
        return head

    def read(self, limit: int = 4096) -> bytes:  # hot path: benchmarks/tape.py
        """Return the next records, at most ``limit`` and none across the ring's end; empty when there are none.

        Raises:
            TapeOverrunError: the writer has lapped this reader. Nothing was returned for the hole; read on
                after :meth:`resume`.
        """
        position = self.position
        count = self.head() - position
        if count <= 0:
            return b""
        capacity = self.capacity
        start = position & (capacity - 1)
        count = min(count, limit, capacity - start)
        at = self._records + start * RECORD_BYTES
        copy = self._mapping[at : at + count * RECORD_BYTES]
        fences.acquire()
        if self._words[CLAIM_OFFSET >> 3] > position + capacity:
            head = self.head()
            self.overruns += 1
            self.lost += head - position
            raise TapeOverrunError(position, head)
        self.position = position + count
        return copy

    def resume(self, position: int) -> None:
        """Read on from a sequence, after an overrun or from a checkpoint."""
        self.position = position

    def commit(self, hold: int) -> None:
        """Publish how far this reader is, and the oldest record it may still need to read again."""
        self._store_cursor(self.position)
        self._store_hold(hold)

    def published_at(self, sequence: int) -> int:
        """Return when a record of the ring was published, monotonic ns, to within its group of 64."""
        stamp: int = self._words[self._stamps + ((sequence // STAMP_GROUP) & self._stamp_mask)]
        return stamp

    def announce_sleep(self) -> bool:
        """Ask to be rung; say whether it is still right to sleep, that is, whether nothing came meanwhile."""
        self._readers[self._sleeping] = 1
        fences.full()
        if self._words[HEAD_OFFSET >> 3] > self.position:
            self._readers[self._sleeping] = 0
            return False
        return True

    def announce_wake(self) -> None:
        """Take the request back."""
        self._readers[self._sleeping] = 0

    def close(self) -> None:
        """Let go of the shared memory; the reader's place stays attached for its successor."""
        self._words.release()
        self._own.close()
        self._mapping.close()
        self._readers.close()
