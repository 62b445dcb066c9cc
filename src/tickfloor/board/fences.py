"""Memory order: every guarantee that shared memory here relies on, in one place.

On x86-64 aligned eight-byte loads and stores keep their order except that a store may pass a later load.
Weakly ordered CPUs (ARM) promise less. Nothing outside this file knows which machine it runs on:

* ``store_release``: everything written before it is visible to whoever reads the new value with acquire.
* ``acquire``: put after reading a published word, before what it publishes is read, and after copying data,
  before the word that validates the copy is read again.
* ``full``: nothing passes it in either direction; both sides of a sleep and wake handshake need it.

The real fences come from ``atomicshm``. Where it cannot be loaded, the C library's own atomics are called
through ctypes, about ten times slower; where neither exists, importing this module fails.
"""

import mmap
from collections.abc import Callable
from typing import Protocol


class Word(Protocol):
    """An aligned eight-byte word in shared memory with one writer."""

    def load(self) -> int:
        """Return the value; what was published before it was stored may be read afterwards."""

    def store(self, value: int) -> None:
        """Publish a value: everything written before is visible to who loads it."""


class _NativeWord:
    __slots__ = ("load", "store")

    def __init__(self, buffer: "NativeWords", offset: int) -> None:
        from functools import partial

        cell = buffer.view.cell_u64(offset)
        self.load: Callable[[], int] = partial(cell.load, _native.ACQUIRE)
        # Sequentially consistent, which is more than release; its default order saves an argument a call.
        self.store: Callable[[int], None] = cell.store


class NativeWords:
    """The words of a writable mapping, through ``atomicshm``."""

    def __init__(self, mapping: mmap.mmap) -> None:
        self.view = _native.AtomicView(mapping)

    def word(self, offset: int) -> Word:
        """Return the word at a byte offset, which is a multiple of eight."""
        return _NativeWord(self, offset)

    def close(self) -> None:
        """Let go of the mapping."""
        self.view.close()


class _FencedWord:
    __slots__ = ("_index", "_words")

    def __init__(self, words: memoryview, offset: int) -> None:
        self._words = words
        self._index = offset >> 3

    def load(self) -> int:
        value: int = self._words[self._index]
        acquire()
        return value

    def store(self, value: int) -> None:
        full()
        self._words[self._index] = value
        full()


class FencedWords:
    """The words of a writable mapping, as plain stores between the C library's fences."""

    def __init__(self, mapping: mmap.mmap) -> None:
        self._words = memoryview(mapping).cast("Q")

    def word(self, offset: int) -> Word:
        """Return the word at a byte offset, which is a multiple of eight."""
        return _FencedWord(self._words, offset)

    def close(self) -> None:
        """Let go of the mapping."""
        self._words.release()


def _library_fence() -> Callable[[int], None]:
    import ctypes
    import ctypes.util

    name = ctypes.util.find_library("atomic")
    if name is None:
        raise ImportError("no memory fences on this machine: install atomicshm, or the system's libatomic")
    fence = ctypes.CDLL(name).atomic_thread_fence
    fence.argtypes = [ctypes.c_int]
    fence.restype = None
    return fence  # type: ignore[no-any-return]


Words: type[NativeWords] | type[FencedWords]
try:
    import atomicshm as _native
except ImportError:
    from functools import partial as _partial

    BACKEND = "libatomic"
    Words = FencedWords
    # 5 is memory_order_seq_cst in C11, the strongest; the slow path need not tell them apart.
    full: Callable[[], None] = _partial(_library_fence(), 5)
    acquire: Callable[[], None] = full
else:
    from functools import partial as _partial

    BACKEND = "atomicshm"
    Words = NativeWords
    full = _native.fence
    acquire = _partial(_native.fence, _native.ACQUIRE)
