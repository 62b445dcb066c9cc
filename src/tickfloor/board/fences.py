"""Memory order: every guarantee that shared memory here relies on, in one place.

On x86-64 aligned eight-byte loads and stores keep their order except that a store may pass a later load.
Weakly ordered CPUs (ARM) promise less. Nothing outside this file knows which machine it runs on:

* ``Word.store``: nothing passes it in either direction. What was written before is visible to whoever loads the
  new value; what is written afterwards is not seen before it (a writer that refills a slot relies on this); what
  is loaded afterwards is not older than it (the writer's half of a sleep and wake handshake relies on this).
* ``Word.load``: what was published with the value may be read afterwards.
* ``acquire``: put after reading a published word, before what it publishes is read, and after copying data,
  before the word that validates the copy is read again.
* ``full``: nothing passes it in either direction.

The real fences come from ``atomicshm``. Where it cannot be loaded, the C library's own atomics are called
through ctypes, about ten times slower; where neither exists, importing this module fails. The environment
variable ``TICKFLOOR_FENCES`` names one of :data:`BACKENDS` to be used and no other.
"""

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Protocol

STORES_ARE_BARRIERS = os.uname().machine in ("x86_64", "amd64", "AMD64")
"""A sequentially consistent store is a locked instruction here, and so a full fence by itself."""

_SEQ_CST = 5
"""``memory_order_seq_cst`` of C11, the strongest; the slow backend need not tell them apart."""


class Word(Protocol):
    """An aligned eight-byte word in shared memory with one writer."""

    @property
    def load(self) -> Callable[[], int]:
        """Return the value; what was published before it was stored may be read afterwards."""

    @property
    def store(self) -> Callable[[int], None]:
        """Publish a value; nothing passes the store in either direction."""


class SharedWords(Protocol):
    """The words of a writable mapping."""

    def word(self, offset: int) -> Word:
        """Return the word at a byte offset, which is a multiple of eight."""

    def close(self) -> None:
        """Let go of the mapping."""


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to the CPU's fences."""

    name: str
    words: Callable[[mmap.mmap], SharedWords]
    full: Callable[[], None]
    acquire: Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Word:
    load: Callable[[], int]
    store: Callable[[int], None]


class _NativeWords:
    """Words of ``atomicshm``."""

    def __init__(self, native: ModuleType, mapping: mmap.mmap) -> None:
        self._native = native
        self._view = native.AtomicView(mapping)

    def word(self, offset: int) -> Word:
        cell = self._view.cell_u64(offset)
        # The default order is sequentially consistent; leaving it out saves an argument a call.
        store = cell.store if STORES_ARE_BARRIERS else partial(_store_then_fence, cell.store, self._native.fence)
        return _Word(partial(cell.load, self._native.ACQUIRE), store)

    def close(self) -> None:
        self._view.close()


def _store_then_fence(store: Callable[[int], None], fence: Callable[[], None], value: int) -> None:
    """Publish where a sequentially consistent store lets later plain stores pass it, as on ARM."""
    store(value)
    fence()


class _FencedWords:
    """Words as plain loads and stores between fences."""

    def __init__(self, fence: Callable[[], None], mapping: mmap.mmap) -> None:
        self._fence = fence
        self._words = memoryview(mapping).cast("Q")

    def word(self, offset: int) -> Word:
        words, index, fence = self._words, offset >> 3, self._fence

        def load() -> int:
            value: int = words[index]
            fence()
            return value

        def store(value: int) -> None:
            fence()
            words[index] = value
            fence()

        return _Word(load, store)

    def close(self) -> None:
        self._words.release()


def _atomicshm() -> Backend:
    import atomicshm

    acquire = partial(atomicshm.fence, atomicshm.ACQUIRE)
    return Backend("atomicshm", partial(_NativeWords, atomicshm), atomicshm.fence, acquire)


def _libatomic() -> Backend:
    import ctypes
    import ctypes.util

    try:
        library = ctypes.PyDLL("libatomic.so.1")
    except OSError:
        # The search starts other programs, so it comes second.
        name = ctypes.util.find_library("atomic")
        if name is None:
            raise ImportError(
                "no memory fences on this machine: install atomicshm, or the system's libatomic"
            ) from None
        library = ctypes.PyDLL(name)
    fence = library.atomic_thread_fence
    fence.argtypes = [ctypes.c_int]
    fence.restype = None
    full = partial(fence, _SEQ_CST)
    return Backend("libatomic", partial(_FencedWords, full), full, full)


BACKENDS: dict[str, Callable[[], Backend]] = {"atomicshm": _atomicshm, "libatomic": _libatomic}


def use(name: str) -> None:
    """Take the fences of one backend for every segment that is mapped from now on.

    Raises:
        ImportError: this machine lacks it, or there is no such backend.
    """
    global BACKEND, Words, full, acquire
    if name not in BACKENDS:
        raise ImportError(f"TICKFLOOR_FENCES names {name!r}; there are {', '.join(BACKENDS)}")
    backend = BACKENDS[name]()
    BACKEND, Words, full, acquire = backend.name, backend.words, backend.full, backend.acquire


BACKEND: str
Words: Callable[[mmap.mmap], SharedWords]
full: Callable[[], None]
acquire: Callable[[], None]

_wanted = os.environ.get("TICKFLOOR_FENCES")
if _wanted:
    use(_wanted)
else:
    try:
        use("atomicshm")
    except ImportError:
        use("libatomic")
