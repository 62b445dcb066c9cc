"""One end of the socket pair between the supervisor and a worker: typed messages, in order, both ways.

A message is four bytes of length, four of CRC-32, and the msgpack of its correlation id and itself. A peer that
dies in the middle of a message leaves a part that is thrown away: what was not received whole was not said.
"""

import select
import socket
import time
import zlib
from collections import deque
from typing import Generic, NamedTuple, TypeVar

import msgspec

from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.messages import FromWorker, ToWorker
from tickfloor.worker.correlation import current

MAX_MESSAGE_BYTES = 1 << 28
"""More than any message needs; a greater length is not a length."""

_LENGTH_BYTES = 4
_HEADER_BYTES = 8
_RECEIVE_BYTES = 1 << 16
"""As much as the allocator hands out without asking the kernel: four times this costs 14 us with every message."""

Incoming = TypeVar("Incoming")
Outgoing = TypeVar("Outgoing")


class ProtocolError(TickfloorError):
    """What came is no message: the other end speaks another protocol, or memory was overwritten."""


class Unintelligible(NamedTuple):
    """A whole message that means nothing here: of an unknown type, or with fields that are not its own."""

    reason: str


class Channel(Generic[Incoming, Outgoing]):
    """Never blocks: what the socket does not take is kept, in order, until :meth:`flush`.

    Every message carries a correlation id: the one given, or that of what is being worked at, or else a number of
    its own.

    Attributes:
        closed: the other end is gone; what was received before still counts.
        sent, received: messages so far.
    """

    def __init__(
        self, connection: socket.socket, decoder: "msgspec.msgpack.Decoder[tuple[str, Incoming]]", name: str
    ) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._name = name
        self.sent = 0
        self.received = 0
        self._decode = decoder.decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._outgoing: deque[bytes | memoryview] = deque()
        self._partial = bytearray()
        self._refused = False
        self.closed = False

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    @property
    def backlog(self) -> int:
        """Messages that the socket has not taken yet."""
        return len(self._outgoing)

    def send(self, message: Outgoing, correlation_id: str = "") -> str:
        """Queue a message and send what the socket takes; return the correlation id that it carries.

        To a peer that is gone nothing is sent.

        Raises:
            ProtocolError: the message is too large.
        """
        self.sent += 1
        correlation_id = correlation_id or current.get() or f"{self._name}:{self.sent}"
        body = self._encode((correlation_id, message))
        if len(body) > MAX_MESSAGE_BYTES:
            raise ProtocolError(f"a {type(message).__name__} of {len(body):,} bytes is too large to send")
        header = len(body) | zlib.crc32(body) << 32
        self._outgoing.append(header.to_bytes(_HEADER_BYTES, "little") + body)
        self.flush()
        return correlation_id

    def flush(self) -> bool:
        """Send what the socket takes; say whether nothing is left. To a peer that is gone there is nothing left."""
        outgoing = self._outgoing
        if self._refused or self.closed:
            outgoing.clear()
        while outgoing:
            try:
                sent = self._socket.send(outgoing[0])
            except BlockingIOError:
                return False
            except OSError:
                # The reading side says that the peer is gone, after it has delivered what came before the end.
                self._refused = True
                outgoing.clear()
                break
            if sent == len(outgoing[0]):
                outgoing.popleft()
            else:
                outgoing[0] = memoryview(outgoing[0])[sent:]
        return not outgoing

    def flush_within(self, seconds: float) -> bool:
        """Wait until the socket has taken everything, at most so long; say whether it has."""
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        until = time.monotonic() + seconds
        while not self.flush():
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                return False
        return not self._refused and not self.closed

    def receive(self) -> list[tuple[str, Incoming | Unintelligible]]:
        """Return the messages that have come, each with its correlation id.

        Sets ``closed`` when the other end is gone.

        Raises:
            ProtocolError: something that is no message came; the channel is closed, and what came before it is lost.
        """
        partial = self._partial
        while not self.closed:
            try:
                received = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError:
                received = b""
            if not received:
                self.closed = True
                break
            partial += received
            if len(received) < _RECEIVE_BYTES:
                break
        messages: list[tuple[str, Incoming | Unintelligible]] = []
        start = 0
        while len(partial) - start >= _HEADER_BYTES:
            length = int.from_bytes(partial[start : start + _LENGTH_BYTES], "little")
            end = start + _HEADER_BYTES + length
            if length > MAX_MESSAGE_BYTES:
                raise self._broken(f"a message of {length:,} bytes is announced")
            if len(partial) < end:
                break
            body = bytes(memoryview(partial)[start + _HEADER_BYTES : end])
            if zlib.crc32(body) != int.from_bytes(partial[start + _LENGTH_BYTES : start + _HEADER_BYTES], "little"):
                raise self._broken(f"the checksum of {length:,} bytes is wrong")
            try:
                messages.append(self._decode(body))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                messages.append(("", Unintelligible(str(error))))
            start = end
        self.received += len(messages)
        del partial[:start]
        return messages

    def _broken(self, reason: str) -> ProtocolError:
        self.closed = True
        self._partial.clear()
        return ProtocolError(f"what came over the channel is no message: {reason}")

    def close(self) -> None:
        """Close this end."""
        self.closed = True
        self._socket.close()


def worker_end(connection: socket.socket, name: str) -> Channel[ToWorker, FromWorker]:
    """Return the channel as a worker holds it."""
    return Channel(connection, msgspec.msgpack.Decoder(tuple[str, ToWorker]), name)


def supervisor_end(connection: socket.socket, name: str) -> Channel[FromWorker, ToWorker]:
    """Return the channel as the supervisor holds it."""
    return Channel(connection, msgspec.msgpack.Decoder(tuple[str, FromWorker]), name)
