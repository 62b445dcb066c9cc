"""When a trader worker's state is saved, and when a saved one is left alone because a successor goes on from it."""

import time
from collections.abc import Callable

import msgspec

from tickfloor.board.tape_reader import TapeReader
from tickfloor.contracts.signals import Signal
from tickfloor.worker.checkpoint import Checkpoint

_SECONDS = 0.25
IDLE_SECONDS = 0.02


class Saved(msgspec.Struct, frozen=True):
    """A trader worker's checkpoint: its traders at a position of the tape, and signals that are not stored."""

    position: int
    traders: bytes
    unstored: tuple[Signal, ...]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Saved).decode


def read_saved(checkpoint: Checkpoint) -> Saved | None:
    """Return what a checkpoint holds; None of one that was never written.

    Raises:
        CheckpointError: it is damaged.
    """
    state = checkpoint.read()
    return None if state is None else _decode(state)


class StateKeeper:
    """Saves four times a second, sooner when much has been read, and moves the reader's hold up behind.

    Args:
        state: gives what to save: the traders, and the signals that are not stored.

    Attributes:
        frozen: the last state stays what it is.
        position: of the state that is saved.
        taken: states saved; size: bytes of the last.
    """

    def __init__(
        self, checkpoint: Checkpoint, tape: TapeReader, state: Callable[[], tuple[bytes, tuple[Signal, ...]]]
    ) -> None:
        self._checkpoint = checkpoint
        self._tape = tape
        self._state = state
        self._every = tape.capacity // 8
        self._at = 0.0
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
        since = time.monotonic() - self._at
        if since >= _SECONDS or (idle and since >= IDLE_SECONDS) or self._tape.position - self.position >= self._every:
            self.save()

    def save(self) -> None:
        """Save now."""
        position = self._tape.position
        traders, unstored = self._state()
        state = _encode(Saved(position, traders, unstored))
        self._checkpoint.write(state)
        self.position = position
        self._at = time.monotonic()
        self.taken += 1
        self.size = len(state)
        self._tape.commit(hold=position)
