"""Looks through a recorded file: what is in it, and up to where it is whole."""

import hashlib
import zlib
from pathlib import Path
from typing import Final, NamedTuple

_CHUNK_BYTES: Final = 1 << 18
_PIECE_BYTES: Final = 1 << 20
_TIME_BYTES: Final = 32
"""At the beginning of a line, for its time."""


class Scan(NamedTuple):
    """What a file holds, up to the end of its last whole gzip member.

    Attributes:
        end: where that member ends in the file.
        lines: after the first; bytes, sha256: of the text.
        first_recv_ns, last_recv_ns: of those lines, ns UTC; 0 without lines.
        damage: why the file does not end there; empty if it does.
    """

    end: int
    lines: int
    bytes: int
    sha256: str
    first_recv_ns: int
    last_recv_ns: int
    damage: str


class _Text:
    """What is known of a text after each piece of it."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()
        self.bytes = 0
        self.ends = 0
        self.second = b""
        self.last = b""
        self._line = b""

    def copy(self) -> "_Text":
        copied = _Text()
        copied.__dict__.update(self.__dict__, digest=self.digest.copy())
        return copied

    def add(self, piece: bytes) -> None:
        self.digest.update(piece)
        self.bytes += len(piece)
        if self.ends < 2:
            self._look_for_second(piece)
        final = piece.rfind(b"\n")
        if final < 0:
            self._line = (self._line + piece[:_TIME_BYTES])[:_TIME_BYTES]
            return
        self.ends += piece.count(b"\n")
        before = piece.rfind(b"\n", 0, final)
        whole = self._line + piece[:_TIME_BYTES] if before < 0 else piece[before + 1 : before + 1 + _TIME_BYTES]
        self.last = whole[:_TIME_BYTES]
        self._line = piece[final + 1 : final + 1 + _TIME_BYTES]

    def _look_for_second(self, piece: bytes) -> None:
        begins = 0 if self.ends else piece.find(b"\n") + 1
        if self.ends or begins:
            self.second = (self.second + piece[begins : begins + _TIME_BYTES])[:_TIME_BYTES]


def scan(path: Path) -> Scan:
    """Look through a file.

    Raises:
        OSError: it cannot be read.
    """
    whole, end, damage = _Text(), 0, ""
    text, member = whole, zlib.decompressobj(zlib.MAX_WBITS | 16)
    read = 0
    with path.open("rb") as file:
        while not damage and (chunk := file.read(_CHUNK_BYTES)):
            read += len(chunk)
            while chunk and not damage:
                if text is whole:
                    text = whole.copy()
                try:
                    text.add(member.decompress(chunk, _PIECE_BYTES))
                except zlib.error as error:
                    damage = f"the gzip data is damaged after byte {end} ({error})"
                    break
                if not member.eof:
                    chunk = member.unconsumed_tail
                    continue
                chunk = member.unused_data
                whole, end = text, read - len(chunk)
                member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    if not damage and text is not whole:
        damage = f"the gzip data is cut off after byte {end}"
    lines = max(0, whole.ends - 1)
    return Scan(
        end=end,
        lines=lines,
        bytes=whole.bytes,
        sha256=whole.digest.hexdigest(),
        first_recv_ns=_time(whole.second) if lines else 0,
        last_recv_ns=_time(whole.last) if lines else 0,
        damage=damage,
    )


def _time(line: bytes) -> int:
    try:
        return int(line.split(b"\t", 1)[0])
    except ValueError:
        return 0
