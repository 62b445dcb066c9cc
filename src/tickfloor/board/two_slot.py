"""Two slots and a version: a record that readers can always read, whatever happens to its writer.

The writer fills the slot that is not published and then publishes it by raising the version; the low bit
says which slot is current. A reader accepts a copy only if the version is unchanged after copying, because
only then can nobody have begun to fill that slot again. A writer that dies while filling leaves the
published slot whole. Version 0 means that nothing was published yet.
"""

import mmap
import struct
from typing import Any

from tickfloor.board import fences

_WORD = struct.Struct("<d")

LINE = 64
"""Bytes the version takes: a cache line of its own."""


def size_of(slot: struct.Struct) -> int:
    """Return the bytes that a version and two slots take, in whole cache lines."""
    return LINE + 2 * _aligned(slot.size)


class TwoSlotWriter:
    """The single writer of one two-slot record."""

    __slots__ = ("_mapping", "_offsets", "_pack_into", "_store", "_unpack_from", "version")

    def __init__(
        self,
        words: fences.SharedWords,
        mapping: mmap.mmap,
        offset: int,
        slot: struct.Struct,
    ) -> None:
        word = words.word(offset)
        self._store = word.store
        self._mapping = mapping
        self._pack_into = slot.pack_into
        self._unpack_from = slot.unpack_from
        self._offsets = (offset + LINE, offset + LINE + _aligned(slot.size))
        self.version = word.load()

    def current(self) -> tuple[Any, ...] | None:
        """Return what is published, by this writer or the one before it; None for nothing yet."""
        return self._unpack_from(self._mapping, self._offsets[self.version & 1]) if self.version else None

    def write(self, *values: float) -> None:  # hot path: benchmarks/ingest.py
        """Publish new values of the slot's struct."""
        version = self.version + 1
        self._pack_into(self._mapping, self._offsets[version & 1], *values)
        self._store(version)
        self.version = version

    def set_word(self, index: int, value: float) -> None:
        """Change one float of what is published, in place: eight aligned bytes, so no reader sees half of it."""
        if self.version:
            at = self._offsets[self.version & 1] + 8 * index
            self._mapping[at : at + 8] = _WORD.pack(value)
            fences.full()


class TwoSlotReader:
    """Any reader of one two-slot record, over a mapping it cannot write.

    Attributes:
        retries: copies thrown away because the writer published meanwhile.
    """

    __slots__ = ("_index", "_mapping", "_offsets", "_size", "_unpack", "_words", "retries")

    def __init__(self, words: memoryview, mapping: mmap.mmap, offset: int, slot: struct.Struct) -> None:
        self._words = words
        self._index = offset >> 3
        self._mapping = mapping
        self._size = slot.size
        self._unpack = slot.unpack
        self._offsets = (offset + LINE, offset + LINE + _aligned(slot.size))
        self.retries = 0

    def version(self) -> int:
        """Return the number of times the record was published."""
        version: int = self._words[self._index]
        return version

    def read(self) -> tuple[int, tuple[Any, ...]] | None:
        """Return the version and values of one whole publication, or None before the first."""
        words, index, mapping, size = self._words, self._index, self._mapping, self._size
        while True:
            version: int = words[index]
            if version == 0:
                return None
            fences.acquire()
            start = self._offsets[version & 1]
            copy = mapping[start : start + size]
            fences.acquire()
            if words[index] == version:
                return version, self._unpack(copy)
            self.retries += 1


def _aligned(size: int) -> int:
    return (size + LINE - 1) // LINE * LINE
