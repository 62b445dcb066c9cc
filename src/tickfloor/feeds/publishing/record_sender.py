"""The other data path: records leave the feed as messages, too, for readers that do not read shared memory."""

import errno
import os
import select
from collections.abc import Callable, Iterable
from time import monotonic_ns
from typing import Protocol

import msgspec

from tickfloor.contracts.record_messages import MAX_BATCH, RecordBatch, RecordMessage
from tickfloor.feeds.publishing.ports import TapePort

_LOOK_AGAIN_MS = 5
_FULL = (errno.EAGAIN, errno.ENOBUFS)
_Fields = tuple[int, int, int, int, int, int, int, float, float, float, float]
_encode = msgspec.msgpack.Encoder().encode


class ResumableTape(TapePort, Protocol):
    """A tape that an earlier writer may have begun."""

    resumed_at: int
    """records before it are on the tape already"""


class RecordSender:
    """A tape that also sends what it publishes to every reader that has asked for messages.

    The tape stays the truth: what a reader is not sent, it reads there. So a full socket does not hold up a live
    feed; the message is left out and counted.

    Args:
        connections: the feed's ends; a reader's wish lies in its end, unread.
        while_waiting: called again and again while a reader's socket is full.

    Attributes:
        sequence: the sequence that the next record gets.
        patient: wait for a reader whose socket is full, as in a replay, where reading from the tape instead would
            make it another path.
        messages, message_bytes: sent, each counted once for every reader.
        left_out: messages that found a socket full.
        serialising_ns: time spent on making messages of records.
    """

    def __init__(
        self, tape: ResumableTape, connections: Iterable[int], *, patient: bool, while_waiting: Callable[[], None]
    ) -> None:
        self._tape = tape
        self._wishes = select.poll()
        for connection in connections:
            self._wishes.register(connection, select.POLLIN)
        self._while_waiting = while_waiting
        self._readers = self._listening()
        self._batch: list[_Fields] = []
        self.sequence = tape.sequence
        self.patient = patient
        self.messages = 0
        self.message_bytes = 0
        self.left_out = 0
        self.serialising_ns = 0

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
    ) -> None:  # hot path
        """Append one record to the tape, and keep it to be sent."""
        sequence = self.sequence
        self._tape.append(ts_event, ts_init, instrument, kind, code, flags, a, b, c, d)
        self.sequence = sequence + 1
        if self._readers and sequence >= self._tape.resumed_at:
            self._batch.append((sequence, ts_event, ts_init, instrument, kind, code, flags, a, b, c, d))

    def publish(self) -> None:
        """Show what was appended, and send it."""
        self._tape.publish()
        self.send_published()

    def send_published(self) -> None:
        """Send what was appended; the tape shows it already."""
        batch, self._batch = self._batch, []
        for start in range(0, len(batch), MAX_BATCH):
            began = monotonic_ns()
            message = _encode(RecordBatch([RecordMessage(*each) for each in batch[start : start + MAX_BATCH]]))
            self.serialising_ns += monotonic_ns() - began
            for reader in self._readers:
                self._send(reader, message)
        self._readers = self._listening()

    def figures(self) -> dict[str, float]:
        """Return what this path has done and cost."""
        return {
            "messages": self.messages,
            "message_bytes": self.message_bytes,
            "messages_left_out": self.left_out,
            "serialising_seconds": self.serialising_ns / 1e9,
        }

    def _listening(self) -> list[int]:
        return [fd for fd, _ in self._wishes.poll(0)]

    def _send(self, reader: int, message: bytes) -> None:
        while True:
            try:
                os.write(reader, message)
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                if self.patient and error.errno == errno.EAGAIN and self._has_room(reader):
                    continue
                self.left_out += 1
            else:
                self.messages += 1
                self.message_bytes += len(message)
            return

    def _has_room(self, reader: int) -> bool:
        """Wait until a reader's socket takes a message; say whether there still is a reader."""
        room = select.poll()
        room.register(reader, select.POLLOUT)
        while reader in self._listening():
            if room.poll(_LOOK_AGAIN_MS):
                return True
            self._while_waiting()
        return False
