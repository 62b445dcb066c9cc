"""How Kraken is spoken to. Sources: ``wire-facts.md`` §4.1 to §4.4."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import msgspec

from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, Limits, Missing, Request, StreamKey, Traded
from tickfloor.feeds.venues.kraken import frames
from tickfloor.feeds.venues.kraken.adapter import result_of
from tickfloor.feeds.venues.kraken.names import pair_of, symbol_of
from tickfloor.feeds.venues.kraken.replies import numbered

STREAM_URL: Final = "wss://ws.kraken.com"
REST_URL: Final = "https://api.kraken.com"
BOOK_DEPTH: Final = 25
"""The least that the venue offers of at least the twenty levels that the board shows."""
STREAMS_PER_CONNECTION: Final = 400
MOST_TRADES: Final = 1_000
SINCE_MARGIN_NS: Final = 1_000_000
"""REST writes times finer than the stream does, and begins after the one that it is given."""

QUOTES_ROUTE: Final = "quotes"
MARKET_ROUTE: Final = "market"

_PARAMETERS: Final[dict[Channel, dict[str, object]]] = {
    Channel.TRADES: {"channel": "trade", "snapshot": True},
    Channel.BOOK: {"channel": "book", "depth": BOOK_DEPTH, "snapshot": True},
    Channel.BARS: {"channel": "ohlc", "interval": 1, "snapshot": False},
    Channel.QUOTES: {"channel": "ticker", "event_trigger": "bbo", "snapshot": True},
    Channel.TICKERS: {"channel": "ticker", "event_trigger": "trades", "snapshot": True},
}


class KrakenDialect:
    """What to send where. A subscription's snapshot repairs books always, and trades up to the last fifty; REST gives
    trades by time.

    Attributes:
        venue: ``kraken``.
        limits: the message rate is not published, nor how many streams a connection may have; these are what others
            get along with.
    """

    def __init__(self, settings: VenueSettings) -> None:
        """Take over the addresses of the settings, where they name some: hosts, without path."""
        self.venue = settings.venue
        self.limits = Limits(
            messages_per_second=10,
            streams_per_message=50,
            connections=100,
            connections_seconds=600,
            life_seconds=0,
            idle_seconds=10,
            ack_seconds=10,
            frame_bytes=16 << 20,
            requests_per_second=1.0,
            weight_per_minute=60,
        )
        self._stream_url = (settings.stream_url or STREAM_URL).rstrip("/")
        self._rest_url = (settings.rest_url or REST_URL).rstrip("/")

    def route(self, key: StreamKey) -> str:
        """Return which kind of connection a stream needs.

        Quotes and 24 h tickers are one channel with different triggers, of which a connection can have one per
        symbol.
        """
        return QUOTES_ROUTE if key.channel is Channel.QUOTES else MARKET_ROUTE

    def most_streams(self, route: str) -> int:  # noqa: ARG002 - the same for all routes
        """Return how many streams a connection may have."""
        return STREAMS_PER_CONNECTION

    def stream_url(self, route: str) -> str:  # noqa: ARG002 - all routes lead to one address
        """Return where to connect."""
        return f"{self._stream_url}/v2"

    def rest_url(self) -> str:
        """Return what stands before a request's path."""
        return self._rest_url

    def opening(self) -> Sequence[bytes]:
        """Return nothing: the venue speaks first."""
        return ()

    def subscribe(self, keys: Sequence[StreamKey], request_id: int) -> bytes:
        """Return one message that asks for streams of one channel."""
        return _message("subscribe", keys, request_id)

    def unsubscribe(self, keys: Sequence[StreamKey], request_id: int) -> bytes:
        """Return one message that ends them."""
        return _message("unsubscribe", keys, request_id)

    def listing(self, request_id: int) -> bytes | None:  # noqa: ARG002 - the protocol's signature
        """Return None: the venue cannot be asked what it believes."""
        return None

    def ping(self, request_id: int) -> bytes | None:  # noqa: ARG002 - the protocol's signature
        """Return None: heartbeats come every second that is quiet otherwise."""
        return None

    def channels(self) -> frozenset[Channel]:
        """Return what the venue can be asked for."""
        return frozenset(_PARAMETERS)

    def along(self) -> frozenset[Channel]:
        """Return nothing: quotes and tickers are asked for one by one."""
        return frozenset()

    def instruments(self) -> Request:
        """Return what lists the instruments."""
        return Request("/0/public/AssetPairs", 1)

    def listed(self, body: bytes) -> Sequence[Traded]:
        """Read that list: those that are traded now.

        Raises:
            FrameError: it is malformed.
        """
        try:
            pairs = [frames.ASSET_PAIRS.decode(raw) for raw in result_of(body).values()]
        except frames.DECODE_ERRORS as error:
            raise FrameError(frames.reason(error)) from error
        found = []
        for pair in pairs:
            symbol = None if pair.wsname is None or pair.status != "online" else symbol_of(pair.wsname)
            if symbol is not None:
                found.append(Traded(symbol, symbol.partition("/")[2]))
        return found

    def weight_allowed(self, body: bytes) -> int | None:  # noqa: ARG002 - every dialect's signature
        """Return None: the list does not say."""
        return None

    def volumes(self) -> Request:
        """Return what says how much of each instrument was traded in 24 h."""
        return Request("/0/public/Ticker?assetVersion=1", 1)

    def volumes_of(self, body: bytes) -> Mapping[str, float]:
        """Read that: 24 h volume in quote currency by symbol; names that cannot be told are left out.

        Raises:
            FrameError: it is malformed.
        """
        try:
            sums = {name: frames.TICKER_SUMS.decode(raw) for name, raw in result_of(body).items()}
        except frames.DECODE_ERRORS as error:
            raise FrameError(frames.reason(error)) from error
        found = {}
        for name, each in sums.items():
            symbol = symbol_of(name)
            if symbol is not None:
                found[symbol] = each.v[1] * each.p[1]
        return found

    def trades(self, symbol: str, missing: Missing) -> Request:
        """Return what gives a thousand trades from the time of the hole on, or the newest where that is not known."""
        since = {"since": missing.since_ns - SINCE_MARGIN_NS} if missing.since_ns else {}
        return _trades(symbol, count=MOST_TRADES, **since)

    def newest_trades(self, symbol: str) -> Request | None:
        """Return what gives the newest trade."""
        return _trades(symbol, count=1)

    def snapshot(self, symbol: str) -> Request | None:  # noqa: ARG002 - the protocol's signature
        """Return None: it comes with a new subscription, and REST's cannot be joined to a stream without numbers."""
        return None


def _trades(symbol: str, **parameters: int) -> Request:
    return Request(f"/0/public/Trades?{urlencode({'pair': pair_of(symbol), **parameters})}", 1)


def _message(method: str, keys: Sequence[StreamKey], request_id: int) -> bytes:
    [channel] = {key.channel for key in keys}
    parameters = {**_PARAMETERS[channel], "symbol": [key.symbol for key in keys]}
    return msgspec.json.encode({"method": method, "params": parameters, "req_id": numbered(request_id, channel)})
