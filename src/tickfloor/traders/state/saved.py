"""An instrument between two of its records, packed: nobody has opened it since the traders changed."""

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from tickfloor.contracts.errors import CheckpointError
from tickfloor.traders.state.checkpoint import ENCODER, HEAD_DECODER, INSTRUMENT_DECODER, InstrumentCheckpoint
from tickfloor.traders.state.merge import check, limit, merged

T = TypeVar("T")

Part = tuple[frozenset[str], msgspec.Raw]
"""The traders of whom a packed :class:`~tickfloor.traders.state.checkpoint.InstrumentCheckpoint` is believed."""


class SavedInstrument:
    """What one or several engines knew of an instrument at one position of the tape."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = list(parts)

    def known(self) -> frozenset[str]:
        """Return the traders whose match state is known; others start unknown."""
        return frozenset().union(*(known for known, _ in self._parts))

    def add(self, part: Part) -> None:
        """Add what another engine knew at the same position."""
        self._parts.append(part)

    def check(self, position: int) -> None:
        """Check that the parts, of this position of the tape, belong together.

        Raises:
            CheckpointError: they do not, or one is damaged.
        """
        if len(self._parts) > 1:
            check([_decoded(HEAD_DECODER, packed) for _, packed in self._parts], position)

    def forget(self, names: frozenset[str]) -> None:
        """Believe no more what is said of these traders."""
        self._parts = [(known if known.isdisjoint(names) else known - names, packed) for known, packed in self._parts]

    def state(self) -> InstrumentCheckpoint:
        """Return the state to go on from.

        Raises:
            CheckpointError: a part is damaged.
        """
        states = []
        for known, packed in self._parts:
            state = _decoded(INSTRUMENT_DECODER, packed)
            limit(state, known)
            states.append(state)
        found = merged(states)
        if len(states) > 1:  # where columns have got a longer history, a decision may differ
            found.waiting = sorted(self.known())
        return found

    def packed(self, names: frozenset[str]) -> msgspec.Raw:
        """Return the state for an engine with these traders, packed; the same bytes until something changes.

        Raises:
            CheckpointError: as :meth:`state`.
        """
        known, packed = self._parts[0]
        if len(self._parts) > 1 or known != names:
            state = self.state()
            state.waiting = sorted({*state.waiting, *(names - self.known())})
            packed = msgspec.Raw(ENCODER.encode(state))
        self._parts = [(names, packed)]
        return packed


def _decoded(decoder: "msgspec.msgpack.Decoder[T]", packed: msgspec.Raw) -> T:
    try:
        return decoder.decode(packed)
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"an instrument's checkpoint cannot be read ({error}); start without it") from error
