"""An engine's state as plain data, keyed by text, so that an engine with other traders can take it over."""

import msgspec

from tickfloor.contracts.bars import Bar
from tickfloor.traders.statistics import Counters

VERSION = 2
"""Grows when the meaning of the fields below changes."""

NEVER = -(2**62)
"""Venue time before every other."""


class LaneState(msgspec.Struct, array_like=True):
    """The columns of one interval of one instrument; runs of floats as the bytes of an ``array("d")``.

    Attributes:
        bars: closed bars kept, oldest first.
        trimmed: whether older ones are no longer kept.
        keys: the columns.
        rows: their values at the last closed bars, oldest first; each aligned with keys.
        indicators: per column key, the indicator's state.
    """

    bars: list[bytes]
    trimmed: bool
    keys: list[str]
    rows: list[bytes]
    indicators: dict[str, bytes]


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


class ClosedBars(msgspec.Struct, array_like=True, frozen=True):
    """Closed bars of one interval from which columns have not been computed yet.

    Attributes:
        numbers: the bars, oldest first, as one run of floats.
        trimmed: whether there were older ones.
    """

    numbers: bytes
    trimmed: bool


class InstrumentCheckpoint(msgspec.Struct, array_like=True):
    """One instrument.

    Attributes:
        key: its ``venue:symbol``.
        skip_through, market, last_ts, minute, closed_part, closed_until_ms: as in the instrument's state.
        lanes: packed :class:`LaneState` by interval label.
        event: what an unfinished event has done so far.
        matched: names of the traders that match.
        signalled: venue time of the last signal, by name of the traders that have a cooldown.
        replay: by interval label, closed bars to compute its columns from.
        silent: names of the traders whose match at the next record's outset is no news.
    """

    key: str
    skip_through: int
    market: list[float]
    last_ts: int
    minute: Bar | None
    closed_part: list[Bar | None]
    closed_until_ms: list[int]
    lanes: dict[str, bytes]
    event: EventState
    matched: list[str]
    signalled: dict[str, int]
    replay: dict[str, ClosedBars]
    silent: list[str]


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
LANE_DECODER = msgspec.msgpack.Decoder(LaneState)
