"""What Coinbase Advanced Trade is asked, and where (``wire-facts.md`` §5)."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.venue import Channel, Limits, Missing, Request, StreamKey, Traded
from tickfloor.feeds.venues.coinbase import listing

STREAM_URL: Final = "wss://advanced-trade-ws.coinbase.com"
REST_URL: Final = "https://api.coinbase.com"
PRODUCTS: Final = "/api/v3/brokerage/market/products"
BOOK_ROUTE, MARKET_ROUTE = "book", "market"
MOST_TRADES: Final = 1000
NS_PER_SECOND: Final = 1_000_000_000

WIRE_CHANNELS: Final = {
    Channel.TRADES: "market_trades",
    Channel.QUOTES: "ticker",
    Channel.TICKERS: "ticker",
    Channel.BOOK: "level2",
}
"""By the name that a channel is asked for with; a book's frames come as ``l2_data``."""

BOOKS_PER_CONNECTION: Final = 15
"""The 31st is refused; some have measured the 17th."""
STREAMS_PER_CONNECTION: Final = 150

HEARTBEATS: Final = b'{"type":"subscribe","channel":"heartbeats"}'


class CoinbaseDialect:
    """Speaks to Coinbase Advanced Trade. Requests have no ids: the answer is everything that is subscribed to.

    Books have connections of their own: what is lost on one makes all its books untrusted. Quotes and tickers are
    one stream there, which either asks for and ends: so only one of them is offered, and brings both.
    """

    venue = "coinbase"

    def __init__(self, settings: VenueSettings) -> None:
        """Take the addresses of the settings instead of the venue's own, where they are given."""
        self._stream_url = settings.stream_url or STREAM_URL
        self._rest_url = settings.rest_url or REST_URL
        self._ticker = Channel.TICKERS if Channel.QUOTES not in settings.streams else Channel.QUOTES
        self.limits = Limits(
            # Eight are allowed for all connections together, and as many connections; one is for a pong.
            messages_per_second=5.0,
            messages_shared=True,
            streams_per_message=50,
            connections=1,
            connections_seconds=1.0,
            life_seconds=0.0,
            idle_seconds=10.0,
            ack_seconds=10.0,
            frame_bytes=64 << 20,
            requests_per_second=10.0,
            weight_per_minute=600,
        )

    def route(self, key: StreamKey) -> str:
        """Return which kind of connection a stream needs."""
        return BOOK_ROUTE if key.channel is Channel.BOOK else MARKET_ROUTE

    def most_streams(self, route: str) -> int:
        """Return how many streams a connection of a route may have."""
        return BOOKS_PER_CONNECTION if route == BOOK_ROUTE else STREAMS_PER_CONNECTION

    def stream_url(self, route: str) -> str:  # noqa: ARG002 - every dialect's signature
        """Return where to connect."""
        return self._stream_url

    def rest_url(self) -> str:
        """Return what stands before a request's path."""
        return self._rest_url

    def opening(self) -> Sequence[bytes]:
        """Return the subscription to heartbeats: without, quiet channels are closed after a minute."""
        return (HEARTBEATS,)

    def subscribe(self, keys: Sequence[StreamKey], request_id: int) -> bytes:  # noqa: ARG002 - requests have no ids
        """Return one message that asks for streams of one channel.

        Raises:
            ValueError: they are of several channels, or of one that the venue does not have.
        """
        return _message("subscribe", keys)

    def unsubscribe(self, keys: Sequence[StreamKey], request_id: int) -> bytes:  # noqa: ARG002 - requests have no ids
        """Return one message that ends them.

        Raises:
            ValueError: they are of several channels, or of one that the venue does not have.
        """
        return _message("unsubscribe", keys)

    def listing(self, request_id: int) -> bytes | None:  # noqa: ARG002 - every dialect's signature
        """Return None: the venue lists everything after every request and cannot be asked."""
        return None

    def ping(self, request_id: int) -> bytes | None:  # noqa: ARG002 - every dialect's signature
        """Return None: heartbeats come every second."""
        return None

    def channels(self) -> frozenset[Channel]:
        """Return what the venue can be asked for; its own bars are of five minutes."""
        return frozenset({Channel.TRADES, Channel.BOOK, self._ticker})

    def along(self) -> frozenset[Channel]:
        """Return the other one of quotes and tickers."""
        return frozenset({Channel.QUOTES, Channel.TICKERS}) - {self._ticker}

    def instruments(self) -> Request:
        """Return what lists the products."""
        return Request(PRODUCTS, 1)

    def listed(self, body: bytes) -> Sequence[Traded]:
        """Read that list: those that are traded now, each market once.

        Raises:
            FrameError: it is malformed.
        """
        found = (listing.traded(product) for product in listing.products_of(body))
        return tuple(each for each in found if each is not None)

    def weight_allowed(self, body: bytes) -> int | None:  # noqa: ARG002 - every dialect's signature
        """Return None: the list does not say."""
        return None

    def volumes(self) -> Request:
        """Return what says the products' volumes: the same list."""
        return Request(PRODUCTS, 1)

    def volumes_of(self, body: bytes) -> Mapping[str, float]:
        """Read that: 24 h volume in quote currency by symbol.

        Raises:
            FrameError: it is malformed.
        """
        found = ((product.product_id, listing.volume(product)) for product in listing.products_of(body))
        return {symbol: volume for symbol, volume in found if volume is not None}

    def trades(self, symbol: str, missing: Missing) -> Request:
        """Return what gives the trades of the time of the hole, or the newest of them where they do not all fit.

        Seconds are the finest that can be asked for; where the times are not known, it is the newest of all.
        """
        if not missing.since_ns or not missing.until_ns:
            return _trades(symbol, limit=MOST_TRADES)
        start, end = missing.since_ns // NS_PER_SECOND, missing.until_ns // NS_PER_SECOND + 1
        return _trades(symbol, limit=MOST_TRADES, start=start, end=end)

    def newest_trades(self, symbol: str) -> Request | None:
        """Return what gives the newest trade."""
        return _trades(symbol, limit=1)

    def snapshot(self, symbol: str) -> Request | None:  # noqa: ARG002 - every dialect's signature
        """Return None: a book comes with a new subscription."""
        return None


def _trades(symbol: str, **parameters: int) -> Request:
    return Request(f"{PRODUCTS}/{quote(symbol, safe='')}/ticker?{urlencode(parameters)}", 1)


def _message(kind: str, keys: Sequence[StreamKey]) -> bytes:
    channels = {key.channel for key in keys}
    name = WIRE_CHANNELS.get(keys[0].channel)
    if len(channels) != 1 or name is None:
        raise ValueError(f"Coinbase has no one stream of {', '.join(sorted(channels))}")
    return msgspec.json.encode({"type": kind, "product_ids": [key.symbol for key in keys], "channel": name})
