"""When a trader worker's state is saved, and when a saved one is left alone because a successor goes on from it."""

import struct
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from tickfloor.contracts.signals import Signal
from tickfloor.worker.checkpoint import Checkpoint

_SECONDS = 0.25
IDLE_SECONDS = 0.02
_IDLE_SHARE = 0.02
"""Most of the time that saving may take while nothing is read, as far as it is not due anyway."""


class SavedHead(msgspec.Struct, frozen=True):
    """What a trader worker's checkpoint begins with.

    Attributes:
        position: of the tape.
        unstored: signals that are not stored.
        sizes: of the traders' states, which follow.
    """

    position: int
    unstored: tuple[Signal, ...]
    sizes: tuple[int, ...]


class Saved(NamedTuple):
    """A trader worker's checkpoint: its traders at a position of the tape, and signals that are not stored."""

    position: int
    traders: Sequence[bytes]
    unstored: tuple[Signal, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(SavedHead).decode
_HEAD_SIZE = struct.Struct("<I")


def read_saved(checkpoint: Checkpoint) -> Saved | None:
    """Return what a checkpoint holds; None of one that was never written.

    Raises:
        CheckpointError: it is damaged.
    """
    state = checkpoint.read()
    if state is None:
        return None
    at = _HEAD_SIZE.size
    (size,) = _HEAD_SIZE.unpack_from(state)
    head = _decode(state[at : at + size])
    traders = []
    for each in head.sizes:
        at += size
        traders.append(state[at : at + each])
        size = each
    return Saved(head.position, traders, head.unstored)


class HeldTape(Protocol):
    """A reader's tape, whose records are kept for it until it lets go."""

    @property
    def capacity(self) -> int:
        """Records that the tape holds."""

    @property
    def position(self) -> int:
        """The next record to read."""

    def commit(self, hold: int) -> None:
        """Let go of the records before ``hold``."""


class StateKeeper:
    """Saves four times a second, sooner when much has been read, and moves the reader's hold up behind.

    When there is nothing to read it saves sooner, too, as long as that takes little of the time.

    Args:
        state: gives what to save: the traders, in pieces, and the signals that are not stored.
        clock: monotonic seconds.

    Attributes:
        frozen: the last state stays what it is.
        position: of the state that is saved.
        taken: states saved; size: bytes of the last.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        tape: HeldTape,
        state: Callable[[], tuple[Sequence[bytes], tuple[Signal, ...]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._checkpoint = checkpoint
        self._tape = tape
        self._state = state
        self._clock = clock
        self._every = tape.capacity // 8
        self._at = clock()
        self._idle_seconds = IDLE_SECONDS
        self.frozen = False
        self.position = 0
        self.taken = 0
        self.size = 0

    @property
    def behind(self) -> bool:
        """Whether there is something to save that may be saved."""
        return self._tape.position > self.position and not self.frozen

    def save_if_due(self, *, idle: bool) -> None:
        """Save, if it is time to."""
        if not self.behind:
            return
        since = self._clock() - self._at
        due = self._idle_seconds if idle else _SECONDS
        if since >= due or self._tape.position - self.position >= self._every:
            self.save()

    def due_in(self) -> float:
        """Return the seconds until there is something to save while nothing is read."""
        return max(0.0, self._at + self._idle_seconds - self._clock()) if self.behind else _SECONDS

    def save(self) -> None:
        """Save now."""
        began = self._clock()
        position = self._tape.position
        traders, unstored = self._state()
        head = _encode(SavedHead(position, unstored, tuple(map(len, traders))))
        self.size = self._checkpoint.write(_HEAD_SIZE.pack(len(head)), head, *traders)
        self.position = position
        self._at = self._clock()
        self._idle_seconds = min(max(IDLE_SECONDS, (self._at - began) / _IDLE_SHARE), _SECONDS)
        self.taken += 1
        self._tape.commit(hold=position)
