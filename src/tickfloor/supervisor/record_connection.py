"""The sockets by which a feed sends records to a reader that takes messages: one pair for each place at the tape."""

import os
import socket
from typing import NamedTuple

from tickfloor.contracts.record_messages import MAX_MESSAGE_BYTES

_BUFFER_BYTES = 1 << 20
"""Asked for; the kernel may give less."""


class RecordConnection(NamedTuple):
    """Both ends, as descriptors that never block; they outlive whoever uses them.

    A reader that wants messages says so with one of its own, which the feed sees and leaves where it is, so that the
    feed's successor sees it, too.
    """

    feed: int
    reader: int


def create() -> RecordConnection:
    """Return a new connection; each message is sent whole or not at all."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    return RecordConnection(*(end.detach() for end in ends))


def clear(connection: RecordConnection) -> None:
    """Take out what nobody will read, and the wish to be sent more; for a place whose reader is dead."""
    # The wish first, or the feed may send on.
    for end in (connection.feed, connection.reader):
        _drain(end)


def _drain(end: int) -> None:
    try:
        while os.read(end, MAX_MESSAGE_BYTES):
            pass
    except BlockingIOError:
        # That was all.
        return
