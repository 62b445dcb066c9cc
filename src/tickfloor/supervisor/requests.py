"""What is asked of the zygote and its templates, and how a request and its answer travel."""

import os
import socket
from collections.abc import Callable

import msgspec

MAX_DESCRIPTORS = 200


class SpawnRequest(msgspec.Struct, frozen=True, tag=True):
    """What to fork; the descriptors come with the message, the channel first, then one per name.

    ``from_template``: fork a process that has loaded the entry's module already. Answered with the worker's pid.
    """

    entry: str
    slot: str
    incarnation: int
    epoch: int
    run_id: int
    supervisor: int
    names: tuple[str, ...]
    from_template: bool


class PrepareRequest(msgspec.Struct, frozen=True, tag=True):
    """Have the template of an entry fork from a process that the entry's module has prepared; never answered.

    The payload is the content of the one descriptor: a message of this kind of socket has a limit.
    """

    entry: str


Request = SpawnRequest | PrepareRequest

encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Request).decode

Answer = Callable[[Request, bytes, list[int]], int | None]
"""Gives a pid, or None for a request that is not answered; told the request's bytes and descriptors, too."""


def answer_one(control: socket.socket, answer: Answer) -> bool:
    """Take one request and answer it; say whether there was one, or whoever asks has hung up."""
    body, descriptors, _, _ = socket.recv_fds(control, 1 << 16, MAX_DESCRIPTORS)
    if not body:
        return False
    pid = answer(_decode(body), body, descriptors)
    for fd in descriptors:
        os.close(fd)
    if pid is not None:
        control.send(pid.to_bytes(8, "little"))
    return True


def send_payload(control: socket.socket, entry: str, payload: bytes) -> None:
    """Ask for a preparation, and wait for nothing.

    Raises:
        OSError: nobody is there to be asked, or the host lacks the memory.
    """
    memory = os.memfd_create("payload")
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(payload)
        socket.send_fds(control, [encode(PrepareRequest(entry))], [memory])
    finally:
        os.close(memory)


def payload_of(descriptors: list[int]) -> bytes:
    """Return what came with a :class:`PrepareRequest`."""
    (memory,) = descriptors
    return os.pread(memory, os.fstat(memory).st_size, 0)
