"""Which of ccxt's ``watch_…`` methods are called for which instruments."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.live.choosing.universe import UnknownChannelsError
from tickfloor.feeds.venue import Channel, StreamKey

BATCH: Final = 50
"""Instruments asked for in one call: what exchanges allow is not known to ccxt's callers."""


class Way(NamedTuple):
    """A method that gives channels, by ccxt's name of it in ``has``.

    Attributes:
        method: its name.
        batch: instruments that it takes at once.
    """

    has: str
    method: str
    batch: int


class Group(NamedTuple):
    """Streams that are waited for together.

    Attributes:
        name: of them as a connection.
        channels: what they say; quotes and tickers may come with the same items.
        method: that is called with ``symbols``, or with the only one if it takes one at a time (``single``).
    """

    name: str
    channels: tuple[Channel, ...]
    method: str
    symbols: tuple[str, ...]
    single: bool

    @property
    def keys(self) -> list[StreamKey]:
        """The streams."""
        return [StreamKey(channel, symbol) for channel in self.channels for symbol in self.symbols]


_WAYS: Final[Mapping[Channel, Sequence[Way]]] = {
    Channel.TRADES: (
        Way("watchTradesForSymbols", "watch_trades_for_symbols", BATCH),
        Way("watchTrades", "watch_trades", 1),
    ),
    Channel.QUOTES: (
        Way("watchBidsAsks", "watch_bids_asks", BATCH),
        Way("watchTickers", "watch_tickers", BATCH),
        Way("watchTicker", "watch_ticker", 1),
    ),
    Channel.BOOK: (
        Way("watchOrderBookForSymbols", "watch_order_book_for_symbols", BATCH),
        Way("watchOrderBook", "watch_order_book", 1),
    ),
    Channel.TICKERS: (
        Way("watchTickers", "watch_tickers", BATCH),
        Way("watchTicker", "watch_ticker", 1),
    ),
}
"""What gives a channel, the best first; bars are built from trades."""


def ways(settings: VenueSettings, has: Mapping[str, object]) -> dict[Channel, Way]:
    """Return how to get the channels that are asked for; those that the exchange lacks are left out.

    Raises:
        UnknownChannelsError: it has none of them.
    """
    found = {}
    for channel in map(Channel, settings.streams):
        way = next((way for way in _WAYS.get(channel, ()) if has.get(way.has)), None)
        if way is not None:
            found[channel] = way
    if not found:
        wanted = ", ".join(settings.streams)
        raise UnknownChannelsError(f"{settings.venue}: ccxt has none of its streams {wanted}; bars come with trades")
    return found


def groups(ways_of: Mapping[Channel, Way], kinds: Mapping[str, tuple[str, ...]]) -> list[Group]:
    """Return every stream of some symbols, whose kinds of market are given, in groups, none with two kinds."""
    by_kind: dict[tuple[str, ...], list[str]] = {}
    for symbol, kind in kinds.items():
        by_kind.setdefault(kind, []).append(symbol)
    by_way: dict[Way, list[Channel]] = {}
    for channel, way in ways_of.items():
        by_way.setdefault(way, []).append(channel)
    found = []
    for way, channels in by_way.items():
        batches = [
            tuple(symbols[begin : begin + way.batch])
            for symbols in by_kind.values()
            for begin in range(0, len(symbols), way.batch)
        ]
        found += [
            Group(f"{'+'.join(channels)}-{number}", tuple(channels), way.method, batch, way.batch == 1)
            for number, batch in enumerate(batches, 1)
        ]
    return found
