"""What indicators share that are made of others: their parts are taken back and kept together."""

import struct
from typing import Protocol

from tickfloor.indicators.protocol import State

_LENGTH = struct.Struct("q")


class Part(Protocol):
    """Anything that takes commits back and keeps its state."""

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""

    def state(self) -> State:
        """Return everything needed to go on from here."""

    def restore(self, state: State) -> None:
        """Become what gave this state."""


class Composed:
    """An indicator of several parts, each of which is committed once a bar."""

    __slots__ = ("_parts",)

    def __init__(self, *parts: Part) -> None:
        self._parts = parts

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        for part in self._parts:
            part.rewind(bars)

    def state(self) -> State:
        """Return the states of the parts, each after its length."""
        states = [part.state() for part in self._parts]
        return b"".join(_LENGTH.pack(len(state)) + state for state in states)

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        for part in self._parts:
            (length,) = _LENGTH.unpack_from(state)
            part.restore(state[_LENGTH.size : _LENGTH.size + length])
            state = state[_LENGTH.size + length :]
