"""An engine's state as plain data, keyed by text, so that an engine with other traders can take it over."""

import msgspec

from tickfloor.contracts.bars import Bar
from tickfloor.traders.statistics import Counters

VERSION = 1
"""Grows when the meaning of the fields below changes."""


class LaneState(msgspec.Struct, array_like=True):
    """The columns of one interval of one instrument.

    Attributes:
        bars: closed bars kept, oldest first.
        trimmed: whether older ones are no longer kept.
        columns: per column key, its values at the last closed bars, oldest first; all of one length.
        indicators: per column key, the indicator's state.
    """

    bars: list[Bar]
    trimmed: bool
    columns: dict[str, list[float]]
    indicators: dict[str, list[float]]


class LateTrade(msgspec.Struct, array_like=True, frozen=True):
    """A trade of a closed minute, until its revisions have come."""

    ts_ms: int
    price: float
    qty: float
    bought: bool


class EventState(msgspec.Struct, array_like=True):
    """What the records of an unfinished event have done so far."""

    inputs: int = 0
    closed: list[int] = []
    late: LateTrade | None = None
    revised: list[int] = []


class InstrumentCheckpoint(msgspec.Struct, array_like=True):
    """One instrument; lanes by interval label, and the names of the traders that match or have signalled."""

    key: str
    skip_through: int
    market: list[float]
    last_ts: int
    minute: Bar | None
    closed_part: list[Bar | None]
    lanes: dict[str, LaneState]
    event: EventState
    matched: list[str]
    signalled: dict[str, int]


class EngineCheckpoint(msgspec.Struct, array_like=True):
    """A whole engine. ``traders`` holds, by name, what a match state depends on."""

    version: int
    source: str
    tape: str
    position: int
    traders: dict[str, tuple[int, str, str, str]]
    counters: Counters
    instruments: dict[int, InstrumentCheckpoint]


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(EngineCheckpoint)
