"""The settings with which a floor receives what is simulated."""

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, StreamKey
from tickfloor.feeds.venues.binance.streams import VENUES as BINANCE_VENUES
from tickfloor.feeds.venues.binance.streams import key_of, stream_of
from tickfloor.feeds.venues.coinbase.connection_reader import CHANNELS as COINBASE_CHANNELS
from tickfloor.feeds.venues.kraken.frames import Result
from tickfloor.feeds.venues.kraken.replies import channels_of
from tickfloor.simulator.errors import SimulatorError
from tickfloor.simulator.simulator import Simulator

_NS: Final = 1_000_000_000


def settings_text(simulator: Simulator) -> str:
    """Return lines of a settings file: every venue at its address; of captures what they hold, and their time.

    Raises:
        SimulatorError: a capture's venue has streams that are not known here.
    """
    return "\n\n".join(_tables(simulator))


def _tables(simulator: Simulator) -> Iterator[str]:
    recorded = simulator.recorded()
    if recorded:
        # Rounded down: a floor does not mind that a venue is a little ahead of it.
        yield f'begins = "{datetime.fromtimestamp(simulator.begins_ns // _NS, UTC):%Y-%m-%dT%H:%M:%SZ}"'
    for venue in simulator.venues():
        stream_url, rest_url = simulator.urls(venue)
        lines = ["[[venues]]", f'venue = "{venue}"']
        if venue in recorded:
            symbols, streams = _held(venue, recorded[venue])
            if not streams:
                continue
            lines += [f"symbols = {_list(symbols)}", f"streams = {_list(streams)}"]
        yield "\n".join([*lines, f'stream_url = "{stream_url}"', f'rest_url = "{rest_url}"'])


def _held(venue: str, names: Collection[str]) -> tuple[list[str], list[str]]:
    """Return symbols and streams of a capture as settings name them; bars are made of trades."""
    found = [key for name in names for key in _keys(venue, name)]
    streams = {key.channel for key in found} - {Channel.BARS}
    return list(dict.fromkeys(key.symbol for key in found)), [each for each in Channel if each in streams]


def _keys(venue: str, name: str) -> list[StreamKey]:
    """Return what a recorded stream is about; nothing, where a floor does not use it.

    Raises:
        SimulatorError: it is not known how the venue names its streams.
    """
    read = _READERS.get(venue)
    if read is None:
        raise SimulatorError(f"it is not known how {venue!r} names its streams; known are {', '.join(_READERS)}")
    return read(name)


def _binance_keys(name: str) -> list[StreamKey]:
    try:
        key = key_of(stream_of(name))
    except FrameError:
        return []
    return [] if key is None else [key]


def _kraken_keys(name: str) -> list[StreamKey]:
    kind, _, symbol = name.partition(":")
    return [StreamKey(channel, symbol) for channel in channels_of(Result(channel=kind), None)]


def _coinbase_keys(name: str) -> list[StreamKey]:
    kind, _, symbol = name.partition(":")
    return [StreamKey(channel, symbol) for channel in COINBASE_CHANNELS.get(kind, ())]


_READERS: Final[Mapping[str, Callable[[str], list[StreamKey]]]] = {
    **dict.fromkeys(BINANCE_VENUES, _binance_keys),
    "kraken": _kraken_keys,
    "coinbase": _coinbase_keys,
}


def _list(texts: Collection[str]) -> str:
    return f"[{', '.join(msgspec.json.encode(text).decode() for text in texts)}]"
