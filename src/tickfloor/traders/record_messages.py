"""The other data path: a reader that takes its records from messages, and from the tape only what they leave out."""

import contextlib
import os
import select
import time
from collections.abc import Sequence
from time import monotonic_ns

import msgspec

from tickfloor.board.tape_reader import TapeReader
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.record_messages import MAX_MESSAGE_BYTES, RecordBatch, RecordMessage
from tickfloor.contracts.records import RECORD, RECORD_BYTES

_ON_THE_WAY_SECONDS = 0.02
"""A record that is on the tape for so long, and has come in no message, is read from the tape."""
_decode = msgspec.msgpack.Decoder(RecordBatch).decode
_pack = RECORD.pack
_fields = msgspec.structs.astuple


class RecordMessages(TapeReader):
    """Reads one tape in order, out of messages.

    Messages of what was read already are dropped, and what is missing before one is read from the tape: whatever a
    full socket, a dead feed or a dead predecessor has left out or left behind, each record is read exactly once.

    Args:
        connection: the reader's end.

    Attributes:
        from_messages, from_tape: records read, by where they came from.
        decoding_ns: time spent on making records of messages.
        packing_ns: time spent on giving them the form in which shared memory has them.
    """

    def __init__(self, tape_fd: int, readers_fd: int, *, run_id: int, index: int, connection: int) -> None:
        super().__init__(tape_fd, readers_fd, run_id=run_id, index=index)
        self._connection = connection
        self._batch: Sequence[RecordMessage] = ()
        self._asked = False
        self._look_at_tape = False
        self.from_messages = 0
        self.from_tape = 0
        self.decoding_ns = 0
        self.packing_ns = 0

    def ask(self) -> None:
        """Ask the feed for messages: who reads has asked, and who does not read yet holds up no replay."""
        self._asked = True
        # Full of the wishes of its predecessors: the feed knows.
        with contextlib.suppress(BlockingIOError):
            os.write(self._connection, b"messages, please")

    def read(self, limit: int = 4096) -> bytes:  # hot path
        """Return the next records, at most ``limit``; empty when there are none yet.

        Raises:
            TapeOverrunError: what messages have left out was overwritten on the tape. Nothing was returned for the
                hole; read on after :meth:`resume`.
            TickfloorError: the floor is gone.
        """
        if not self._asked:
            self.ask()
        while self._batch or self._receive():
            behind = self.position - self._batch[0].sequence
            if behind < 0:
                return self._read_tape(min(limit, -behind))
            if behind < len(self._batch):
                return self._take(behind, limit)
            self._batch = ()
        if not self._look_at_tape:
            return b""
        records = self._read_tape(limit)
        self._look_at_tape = bool(records)
        return records

    def look_at_tape(self) -> None:
        """Have the next read find on the tape what no message has brought."""
        self._look_at_tape = True

    def figures(self) -> dict[str, float]:
        """Return what this path has done and cost."""
        return {
            "records_from_messages": self.from_messages,
            "records_from_tape": self.from_tape,
            "decoding_seconds": self.decoding_ns / 1e9,
            "packing_seconds": self.packing_ns / 1e9,
        }

    def _receive(self) -> bool:
        try:
            message = os.read(self._connection, MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            # It was closed with the wish still in it.
            message = b""
        if not message:
            raise TickfloorError("the feed's end of the records' socket is closed: the floor is gone")
        began = monotonic_ns()
        self._batch = _decode(message).records
        self.decoding_ns += monotonic_ns() - began
        self._look_at_tape = False
        return True

    def _take(self, start: int, limit: int) -> bytes:
        began = monotonic_ns()
        taken = self._batch[start : start + limit]
        records = b"".join([_pack(*_fields(record)) for record in taken])
        self.packing_ns += monotonic_ns() - began
        self.position += len(taken)
        self.from_messages += len(taken)
        return records

    def _read_tape(self, limit: int) -> bytes:
        records = super().read(limit)
        self.from_tape += len(records) // RECORD_BYTES
        return records


class MessageArrival:
    """Sleeps in the kernel until a message or another descriptor is there to be read."""

    def __init__(self, messages: RecordMessages, connection: int, descriptors: Sequence[int]) -> None:
        self._messages = messages
        self._connection = connection
        self._poll = select.poll()
        for fd in (connection, *descriptors):
            self._poll.register(fd, select.POLLIN)
        self._unread_since = 0.0

    def wait(self, reader: TapeReader, timeout: float) -> None:
        """Sleep until there may be something to read, or the timeout."""
        del reader
        if self._messages.head() <= self._messages.position:
            self._unread_since = 0.0
        else:
            # On the tape first, and then sent: most likely it comes at once.
            self._unread_since = self._unread_since or time.monotonic()
            timeout = min(timeout, _ON_THE_WAY_SECONDS)
        ready = self._poll.poll(timeout * 1000)
        if any(fd == self._connection for fd, _ in ready):
            self._unread_since = 0.0
        elif self._unread_since and time.monotonic() - self._unread_since >= _ON_THE_WAY_SECONDS:
            self._unread_since = 0.0
            self._messages.look_at_tape()
