r"""A capture's lines: ``recv_ns TAB kind TAB ref TAB payload``.

A payload or ref that cannot stand in a line, because of a line end or, in the ref, a tab, is wrapped: kind ``B``, an
empty ref, and as payload JSON with the true ``kind`` and ``ref``, and the true ``payload`` in base64.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import msgspec

MAX_LINE_BYTES: Final = 64 << 20
"""Longer lines are not read."""
MAX_PAYLOAD_BYTES: Final = 47 << 20
"""Longer payloads are not recorded: wrapped, their line would be too long."""
WRAPPED: Final = b"B"
KINDS: Final = {b"F": "F", b"S": "S", b"C": "C", b"H": "H"}
"""Server's frame, client's frame, connection (payload = URL), HTTP body (ref = URL)."""


class Wrapped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line that could not stand as it is."""

    kind: Literal["F", "S", "C", "H"]
    ref: str
    payload: bytes


class Unwrapped(NamedTuple):
    """What a wrapped line holds."""

    kind: str
    ref: str
    payload: bytes


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Wrapped).decode


def start_of_line(kind: str, ref: str) -> bytes | None:
    """Return what stands between a line's time and its payload; None where the ref cannot stand in a line."""
    return None if "\t" in ref or "\n" in ref else b"\t%b\t%b\t" % (kind.encode(), _utf8(ref))


def frame_line(recv_ns: int, kind: str, ref: str, payload: bytes) -> bytes:
    """Return a whole line, without its end, wrapped if it must be.

    Raises:
        ValueError: there is no such kind.
    """
    if kind.encode() not in KINDS:
        raise ValueError(f"kind {kind!r} is not F, S, C or H")
    start = start_of_line(kind, ref)
    if start is None or not _stands(payload):
        wrapped = {"kind": kind, "ref": _utf8(ref).decode(), "payload": payload}
        return b"%d\t%b\t\t%b" % (recv_ns, WRAPPED, _encode(wrapped))
    return b"%d%b%b" % (recv_ns, start, payload)


def text_of(lines: Sequence[bytes]) -> bytes:
    """Return lines as a text, those wrapped whose payload cannot stand in one; the refs are known to."""
    together = b"".join(lines)
    # Looked for in all of them together, because hardly any has one.
    if b"\n" in together or b"\r" in together:
        lines = [_mended(line) for line in lines]
    return b"\n".join((*lines, b""))


def unwrapped(payload: bytes) -> Unwrapped:
    """Return what a wrapped line holds.

    Raises:
        ValueError: it is malformed.
    """
    try:
        wrapped = _decode(payload)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(f"the wrapped line cannot be read: {str(error)[:200]}") from error
    return Unwrapped(wrapped.kind, wrapped.ref, wrapped.payload)


def _mended(line: bytes) -> bytes:
    if _stands(line):
        return line
    recv, kind, ref, payload = line.split(b"\t", 3)
    return frame_line(int(recv), kind.decode(), ref.decode(), payload)


def _stands(payload: bytes) -> bool:
    # A carriage return at the end would be read as part of the line's end.
    return b"\n" not in payload and not payload.endswith(b"\r")


def _utf8(ref: str) -> bytes:
    # A lone surrogate, the only text without UTF-8, is in no URL and no name of ours, and must not end a feed.
    return ref.encode(errors="backslashreplace")
