"""One end of the socket pair between the supervisor and a worker: typed messages, in order, both ways.

A message is four bytes of length and its msgpack. A peer that dies in the middle of a message leaves a part
that is thrown away: what was not received whole was not said.
"""

import select
import socket
from collections import deque
from typing import Generic, TypeVar

import msgspec

from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.messages import FromWorker, ToWorker

_LENGTH_BYTES = 4
_RECEIVE_BYTES = 1 << 18

Incoming = TypeVar("Incoming")
Outgoing = TypeVar("Outgoing")


class ChannelClosedError(TickfloorError):
    """The other end is gone."""


class Channel(Generic[Incoming, Outgoing]):
    """Never blocks: what the socket does not take is kept, in order, until :meth:`flush`.

    Attributes:
        closed: the other end is gone; what was received before still counts.
    """

    def __init__(self, connection: socket.socket, decoder: "msgspec.msgpack.Decoder[Incoming]") -> None:
        connection.setblocking(False)
        self._socket = connection
        self._decode = decoder.decode
        self._encode = msgspec.msgpack.Encoder().encode
        self._outgoing: deque[bytes | memoryview] = deque()
        self._partial = bytearray()
        self.closed = False

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    @property
    def backlog(self) -> int:
        """Messages that the socket has not taken yet."""
        return len(self._outgoing)

    def send(self, message: Outgoing) -> None:
        """Queue a message and send what the socket takes; to a peer that is gone nothing is sent."""
        body = self._encode(message)
        self._outgoing.append(len(body).to_bytes(_LENGTH_BYTES, "little") + body)
        self.flush()

    def flush(self) -> bool:
        """Send what the socket takes; say whether nothing is left."""
        outgoing = self._outgoing
        while outgoing and not self.closed:
            try:
                sent = self._socket.send(outgoing[0])
            except BlockingIOError:
                return False
            except OSError:
                # The reading side says so too, after it has delivered what came before the end.
                break
            if sent == len(outgoing[0]):
                outgoing.popleft()
            else:
                outgoing[0] = memoryview(outgoing[0])[sent:]
        return not outgoing

    def flush_within(self, seconds: float) -> bool:
        """Wait until everything is sent, at most so long; say whether it is."""
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        while not self.flush():
            if self.closed or not poll.poll(seconds * 1000):
                return False
        return True

    def receive(self) -> list[Incoming]:
        """Return the messages that have come; sets ``closed`` when the other end is gone.

        Raises:
            msgspec.DecodeError: the other end speaks another protocol.
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
        messages = []
        start = 0
        while len(partial) - start >= _LENGTH_BYTES:
            end = start + _LENGTH_BYTES + int.from_bytes(partial[start : start + _LENGTH_BYTES], "little")
            if len(partial) < end:
                break
            messages.append(self._decode(memoryview(partial)[start + _LENGTH_BYTES : end].tobytes()))
            start = end
        del partial[:start]
        return messages

    def close(self) -> None:
        """Close this end."""
        self.closed = True
        self._socket.close()


def worker_end(connection: socket.socket) -> Channel[ToWorker, FromWorker]:
    """Return the channel as a worker holds it."""
    return Channel(connection, msgspec.msgpack.Decoder(ToWorker))


def supervisor_end(connection: socket.socket) -> Channel[FromWorker, ToWorker]:
    """Return the channel as the supervisor holds it."""
    return Channel(connection, msgspec.msgpack.Decoder(FromWorker))
