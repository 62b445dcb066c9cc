"""An engine's state as plain data, keyed by text, so that an engine with other traders can take it over."""

import msgspec

from tickfloor.contracts.bars import Bar
from tickfloor.traders.statistics import Counters

VERSION = 4
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
        closes: bars that have closed in all.
        since: how many had when each column began; aligned with keys.
    """

    bars: list[bytes]
    trimmed: bool
    closes: int
    keys: list[str]
    since: list[int]
    rows: list[bytes]
    indicators: dict[str, bytes]


class LateTrade(msgspec.Struct, array_like=True, frozen=True):
    """A trade of a closed minute, until its revisions have come."""

    ts_ms: int
    price: float
    qty: float
    bought: bool
    overtaken: bool


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


class InstrumentHead(msgspec.Struct, array_like=True):
    """What a checkpoint of an instrument begins with, to be read alone.

    Attributes:
        key: its ``venue:symbol``.
        since: sequence of the first record that it knows of; 0 if it comes from the board, which knows of all.
        skip_through: as in the instrument's state.
    """

    key: str
    since: int
    skip_through: int


class InstrumentCheckpoint(InstrumentHead, array_like=True):
    """One instrument.

    Attributes:
        market, last_ts, latest, minute, closed_part, closed_until_ms: as in the instrument's state.
        lanes: packed :class:`LaneState` by interval label.
        event: what an unfinished event has done so far.
        matched: names of the traders that match.
        signalled: venue time of the last signal, by name of the traders that have a cooldown.
        replay: by interval label, closed bars to compute its columns from.
        silent: names of the traders whose match at the next record's outset is no news.
        waiting: names of the traders to decide at the next record of their inputs, whatever it changes.
    """

    market: list[float]
    last_ts: int
    latest: int
    minute: Bar | None
    closed_part: list[Bar | None]
    closed_until_ms: list[int]
    lanes: dict[str, bytes]
    event: EventState
    matched: list[str]
    signalled: dict[str, int]
    replay: dict[str, ClosedBars]
    silent: list[str]
    waiting: list[str]


TraderIdentity = tuple[int, str, str, str, bool]
"""What a trader's match state depends on: revision, rule, when it is decided, interval, whether on live data."""


class EngineCheckpoint(msgspec.Struct, array_like=True):
    """A whole engine.

    Attributes:
        traders: who was there, packed: :data:`TraderIdentity` by name.
        tallies: how often each trader was decided, became true aloud, and gave a signal.
        volumes: venue and quote volume of 24 hours by row, of all instruments of the tape that have one.
        instruments: packed :class:`InstrumentCheckpoint` by row; names in them that are no traders mean nothing.
    """

    version: int
    source: str
    tape: str
    position: int
    traders: msgspec.Raw
    counters: Counters
    tallies: dict[str, tuple[int, int, int]]
    volumes: dict[int, tuple[str, float]]
    instruments: dict[int, msgspec.Raw]


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(EngineCheckpoint)
TRADERS_DECODER = msgspec.msgpack.Decoder(dict[str, TraderIdentity])
HEAD_DECODER = msgspec.msgpack.Decoder(InstrumentHead)
INSTRUMENT_DECODER = msgspec.msgpack.Decoder(InstrumentCheckpoint)
LANE_DECODER = msgspec.msgpack.Decoder(LaneState)
