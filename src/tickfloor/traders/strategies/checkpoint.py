"""The strategies of one worker as plain data, so that other workers can take them over."""

import msgspec

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.errors import CheckpointError
from tickfloor.traders.state.checkpoint import LateTrade

VERSION = 1
"""Grows when the meaning of the fields below changes."""


class BarsCheckpoint(msgspec.Struct, array_like=True):
    """The bars of one instrument; ``key`` is its ``venue:symbol``, the rest as in its :class:`InstrumentBars`."""

    key: str
    skip_through: int
    minute: Bar | None
    closed_part: list[Bar | None]
    closed_until_ms: list[int]
    whole: list[bool]
    late: LateTrade | None
    revised: list[int]


class StrategyCheckpoint(msgspec.Struct, array_like=True):
    """One strategy.

    Attributes:
        identity: what its state depends on; another revision or other code starts anew.
        since: position from which it has been on the tape without a hole.
        failed: why it is stopped for good, or empty.
        saved: what it saved, packed; None if it has saved nothing yet.
    """

    identity: tuple[int, str, str, str]
    since: int
    failed: str
    calls: int
    signals: int
    failures: int
    failures_in_row: int
    held_back: int
    saved: bytes | None


class HostCheckpoint(msgspec.Struct, array_like=True):
    """All strategies of a worker, and the bars of their instruments."""

    version: int
    source: str
    tape: str
    position: int
    strategies: dict[str, StrategyCheckpoint]
    bars: dict[int, BarsCheckpoint]


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(HostCheckpoint)


def decoded(blob: bytes, tape: str) -> HostCheckpoint:
    """Return a checkpoint from its bytes.

    Raises:
        CheckpointError: it is damaged, or of another version or tape.
    """
    try:
        saved = DECODER.decode(blob)
    except msgspec.MsgspecError as error:
        raise CheckpointError(f"the checkpoint cannot be read ({error}); start without it") from error
    if (saved.version, saved.tape) != (VERSION, tape):
        raise CheckpointError(
            f"the checkpoint is of version {saved.version} and tape {saved.tape}, "
            f"not {VERSION} and {tape}; start without it"
        )
    return saved
