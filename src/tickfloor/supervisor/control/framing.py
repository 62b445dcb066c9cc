"""Frames on a control socket: four bytes of length, then JSON."""

import struct

HEADER = struct.Struct(">I")
LARGEST_REQUEST = 256 << 10
LARGEST_ANSWER = 64 << 20


def framed(payload: bytes) -> bytes:
    """Return a payload as it is sent."""
    return HEADER.pack(len(payload)) + payload
