"""Reads recorded sessions: ``*.frames.gz``, or the same text uncompressed.

The first line is ``# {json provenance}``; every other one ``recv_ns TAB kind TAB ref TAB payload``, kind ``F`` for
a server's frame, ``S`` for a client's, ``C`` for a connection (payload = URL), ``H`` for an HTTP body (ref = URL), and
``B`` for one of these that cannot stand in a line, see :mod:`tickfloor.feeds.recording.capture_lines`.
What is readable is yielded; what is not becomes a problem with its line number.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tickfloor.contracts.errors import CaptureError
from tickfloor.feeds.recording.capture_lines import KINDS, MAX_LINE_BYTES, WRAPPED, unwrapped

CapturedFrame = tuple[int, str, str, bytes, int]
"""Receive time in ns UTC, kind, ref, payload, line number from 1."""

VENUES: Final = {
    ("binance", "spot"): "binance",
    ("binance", "usdm"): "binance-usdm",
    ("binance", "coinm"): "binance-coinm",
    ("kraken", "spot-ws-v2"): "kraken",
    ("coinbase", "advanced-trade"): "coinbase",
}
"""Venue by the provenance's exchange and market; a recording of ours names it."""

CHUNK_BYTES: Final = 1 << 15
MAX_PIECE_BYTES: Final = 1 << 20
MAX_PROBLEMS: Final = 100
_GZIP_MAGIC: Final = b"\x1f\x8b"


class Problem(NamedTuple):
    """Something in a capture that could not be used."""

    file: str
    line: int
    reason: str


class Provenance(msgspec.Struct, frozen=True):
    """What the first line says of where the frames come from."""

    exchange: str
    market: str
    name: str = ""
    venue: str = ""


class Capture:
    """One capture file. Iterating reads it from the beginning, in pieces.

    Attributes:
        path: the file.
        venue: for example ``binance-usdm``; None where nothing says whose frames they are (a problem then).
        bytes_total: size of the file, for progress.
        bytes_read: how much of it the current iteration has read.
        problems: the first hundred things that could not be used in the newest iteration.
        problem_count: all of them.
    """

    def __init__(self, path: Path | str) -> None:
        """Open a capture and read its first line.

        Raises:
            CaptureError: the file cannot be opened, or its venue is none of ours.
        """
        self.path = Path(path)
        self.problems: list[Problem] = []
        self.problem_count = 0
        self.bytes_read = 0
        self.bytes_total = 0
        self.venue: str | None = None
        try:
            with self.path.open("rb") as file:
                self.bytes_total = os.fstat(file.fileno()).st_size
        except OSError as error:
            raise CaptureError(f"capture {self.path} cannot be read: {error.strerror}") from error
        for number, line in self._lines():
            self.venue = self._venue_of(number, line)
            break
        else:
            if not self.problem_count:
                self.note(1, "the file is empty")

    def note(self, line: int, reason: str) -> None:
        """Add a problem; also for what others find wrong with a line's frame."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(str(self.path), line, reason))

    def __iter__(self) -> Iterator[CapturedFrame]:
        """Yield every readable line of a capture of a known venue, in file order."""
        if self.venue is None:
            return
        self.problems.clear()
        self.problem_count = 0
        lines = self._lines()
        next(lines, None)
        kinds = KINDS
        for number, line in lines:
            try:
                recv, kind, ref, payload = line.split(b"\t", 3)
                recv_ns = int(recv)
                if kind == WRAPPED:
                    kind_text, ref_text, payload = unwrapped(payload)
                else:
                    kind_text, ref_text = kinds[kind], ref.decode()
            except (ValueError, KeyError):
                if line:
                    self.note(number, _what_is_wrong(line))
                continue
            if recv_ns <= 0 or recv_ns >= 1 << 63:
                self.note(number, f"receive time {recv_ns} is not ns UTC")
                continue
            yield recv_ns, kind_text, ref_text, payload, number

    def _venue_of(self, number: int, line: bytes) -> str | None:
        line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.startswith(b"#"):
            self.note(number, "no provenance line (# {json}): whose frames these are is unknown")
            return None
        try:
            provenance = msgspec.json.decode(line[1:], type=Provenance)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.note(number, f"the provenance line cannot be read: {str(error)[:200]}")
            return None
        venue = provenance.venue or VENUES.get((provenance.exchange, provenance.market))
        if venue not in VENUES.values():
            source = provenance.venue or f"{provenance.exchange} {provenance.market}"
            supported = ", ".join(f"{exchange} {market}" for exchange, market in VENUES)
            raise CaptureError(
                f"capture {self.path} is of {source}, which cannot be replayed; supported are {supported}"
            )
        return venue

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield every line with its number, without its end. A problem with the file ends the reading."""
        carry: list[bytes] = []
        carried = 0
        number = 0
        try:
            for text in self._texts():
                if b"\n" not in text:
                    carried += len(text)
                    if carried <= MAX_LINE_BYTES:
                        carry.append(text)
                    else:
                        carry.clear()
                    continue
                lines = text.split(b"\n")
                if carried > MAX_LINE_BYTES:
                    number += 1
                    self.note(number, f"the line is longer than {MAX_LINE_BYTES >> 20} MiB")
                    del lines[0]
                else:
                    lines[0] = b"".join(carry) + lines[0]
                carry = [lines.pop()]
                carried = len(carry[0])
                for line in lines:
                    number += 1
                    yield number, line[:-1] if line.endswith(b"\r") else line
        except (_EndsHereError, OSError) as error:
            # What is carried is cut off: it belongs to this problem, not to the frames.
            self.note(number + 1, f"{error}; what comes after cannot be read")
            return
        if carried > MAX_LINE_BYTES:
            self.note(number + 1, f"the line is longer than {MAX_LINE_BYTES >> 20} MiB")
        elif carried:
            yield number + 1, b"".join(carry)

    def _texts(self) -> Iterator[bytes]:
        """Yield the file's text in pieces, decompressed if it is gzip.

        Not by the gzip module: it withholds what it has read when the file turns out to be cut.
        """
        self.bytes_read = 0
        with self.path.open("rb") as file:
            chunk = file.read(CHUNK_BYTES)
            if not chunk.startswith(_GZIP_MAGIC):
                while chunk:
                    self.bytes_read += len(chunk)
                    yield chunk
                    chunk = file.read(CHUNK_BYTES)
                return
            member = zlib.decompressobj(zlib.MAX_WBITS | 16)
            while chunk:
                self.bytes_read += len(chunk)
                while chunk:
                    if member.eof:
                        # Tapes and some tools fill the last block with zeros, and gzip itself reads over them.
                        chunk = chunk.lstrip(b"\0")
                        if not chunk:
                            break
                        if not chunk.startswith(_GZIP_MAGIC[:1]):
                            raise _EndsHereError("there is something else after the gzip data")
                        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                    before = member.copy()
                    try:
                        text = member.decompress(chunk, MAX_PIECE_BYTES)
                    except zlib.error as error:
                        yield from _salvaged(before, chunk)
                        raise _EndsHereError(f"the gzip data is damaged ({error})") from error
                    chunk = member.unused_data if member.eof else member.unconsumed_tail
                    if text:
                        yield text
                chunk = file.read(CHUNK_BYTES)
            if not member.eof:
                rest = member.flush()
                if rest:
                    yield rest
                raise _EndsHereError("the gzip data is cut off")


class _EndsHereError(Exception):
    """Nothing more of the file can be read."""


def _salvaged(member: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    """Yield what decompresses up to the damage; zlib keeps back all of a piece that has an error in it."""
    for at in range(len(chunk)):
        try:
            text = member.decompress(chunk[at : at + 1])
        except zlib.error:
            return
        if text:
            yield text


def _what_is_wrong(line: bytes) -> str:
    """Say why a line is not one of a capture."""
    parts = line.split(b"\t", 3)
    if len(parts) < 4:
        return f"{len(parts)} of the 4 parts recv_ns, kind, ref, payload"
    if parts[1] not in KINDS and parts[1] != WRAPPED:
        return f"kind {parts[1][:8].decode(errors='replace')!r} is not F, S, C or H"
    try:
        int(parts[0])
    except ValueError:
        return f"receive time {parts[0][:24].decode(errors='replace')!r} is not a number"
    if parts[1] == WRAPPED:
        try:
            unwrapped(parts[3])
        except ValueError as error:
            return str(error)
    return "the ref is not UTF-8"
