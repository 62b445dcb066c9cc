"""What to send to Binance, and where: hosts, limits, subscriptions and REST requests of its three markets."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec
from msgspec.json import Decoder

from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, Limits, Missing, Request, StreamKey, Traded
from tickfloor.feeds.venues.binance import streams
from tickfloor.feeds.venues.binance.frames import DayVolume, ExchangeInfo

Body = TypeVar("Body")

TRADING: Final = "TRADING"
ONE_SOCKET: Final = "all"
PUBLIC: Final = "public"
"""Books and best prices of USD-M; on the other socket they are accepted and never sent."""
MARKET: Final = "market"
"""Everything else of USD-M."""

MOST_CHANGED: Final = 10
"""Times which the weight that the venue allows is believed to have grown or fallen since this was written."""
MOST_TRADES: Final = 1_000
BOOK_LEVELS: Final = 1_000

_EXCHANGE_INFOS = Decoder(ExchangeInfo)
_DAY_VOLUMES = Decoder(list[DayVolume], strict=False)


class _Market(NamedTuple):
    """What differs between the markets: hosts, where REST begins, and what its answers cost."""

    stream_host: str
    rest_host: str
    rest_root: str
    instruments: Request
    volumes: Request
    trades_weight: int
    book_weight: int
    most_streams: int
    limits: Limits


def _limits(messages_per_second: float, weight_per_minute: int) -> Limits:
    return Limits(
        messages_per_second=messages_per_second,
        # The server goes silent on a message of more than 4096 bytes; a stream's name has up to 45.
        streams_per_message=80,
        connections=300,
        connections_seconds=300.0,
        # It closes them after 24 hours.
        life_seconds=23 * 3600.0,
        idle_seconds=30.0,
        ack_seconds=10.0,
        frame_bytes=8 << 20,
        # 61,000 are allowed in five minutes, whatever they cost.
        requests_per_second=50.0,
        weight_per_minute=weight_per_minute,
    )


_SPOT = _Market(
    stream_host="wss://stream.binance.com:9443",
    rest_host="https://api.binance.com",
    rest_root="/api/v3",
    # The permission sets, of no use here, are most of the answer.
    instruments=Request("/api/v3/exchangeInfo?showPermissionSets=false", 20),
    volumes=Request("/api/v3/ticker/24hr?type=MINI", 80),
    trades_weight=25,
    book_weight=50,
    most_streams=1024,
    # Five are allowed, and pongs count.
    limits=_limits(4.0, 6_000),
)
_USD_M = _Market(
    stream_host="wss://fstream.binance.com",
    rest_host="https://fapi.binance.com",
    rest_root="/fapi/v1",
    instruments=Request("/fapi/v1/exchangeInfo", 1),
    volumes=Request("/fapi/v1/ticker/24hr", 40),
    trades_weight=20,
    book_weight=20,
    most_streams=200,
    # Ten are allowed.
    limits=_limits(8.0, 2_400),
)
_COIN_M = _USD_M._replace(
    stream_host="wss://dstream.binance.com",
    rest_host="https://dapi.binance.com",
    rest_root="/dapi/v1",
    instruments=Request("/dapi/v1/exchangeInfo", 1),
    volumes=Request("/dapi/v1/ticker/24hr", 40),
)
_MARKETS: Final = dict(zip(streams.VENUES, (_SPOT, _USD_M, _COIN_M), strict=True))


class BinanceDialect:
    """Speaks to one Binance market. See ``wire-facts.md`` §2 and §3 for where the figures come from.

    Attributes:
        venue: ``binance``, ``binance-usdm`` or ``binance-coinm``.
        limits: what it allows.
    """

    def __init__(self, settings: VenueSettings) -> None:
        """Take the addresses from the settings, or the venue's own.

        Raises:
            ValueError: it is another venue's settings.
        """
        market = _MARKETS.get(settings.venue)
        if market is None:
            raise ValueError(f"{settings.venue!r} is not a Binance venue: {', '.join(_MARKETS)}")
        self.venue = settings.venue
        self.limits = market.limits
        self._market = market
        self._stream_host = (settings.stream_url or market.stream_host).rstrip("/")
        self._rest_host = (settings.rest_url or market.rest_host).rstrip("/")
        self._suffixes = {
            Channel.TRADES: streams.trades_of(settings.venue),
            Channel.QUOTES: "bookTicker",
            Channel.BOOK: "depth@100ms",
            Channel.BARS: "kline_1m",
            Channel.TICKERS: "ticker",
        }

    def route(self, key: StreamKey) -> str:
        """Return the socket of a stream: USD-M has two, the others one."""
        if self.venue != "binance-usdm":
            return ONE_SOCKET
        return PUBLIC if key.channel in (Channel.BOOK, Channel.QUOTES) else MARKET

    def most_streams(self, route: str) -> int:  # noqa: ARG002 - the same for all routes
        """Return how many streams a socket may have."""
        return self._market.most_streams

    def stream_url(self, route: str) -> str:
        """Return where to connect: always a socket of combined streams, which name the stream of a frame."""
        return f"{self._stream_host}/stream" if route == ONE_SOCKET else f"{self._stream_host}/{route}/stream"

    def rest_url(self) -> str:
        """Return what stands before a request's path."""
        return self._rest_host

    def opening(self) -> Sequence[bytes]:
        """Return nothing: a socket is ready when it is open."""
        return ()

    def subscribe(self, keys: Sequence[StreamKey], request_id: int) -> bytes:
        """Return a SUBSCRIBE message."""
        return _message("SUBSCRIBE", request_id, [self._name(key) for key in keys])

    def unsubscribe(self, keys: Sequence[StreamKey], request_id: int) -> bytes:
        """Return an UNSUBSCRIBE message."""
        return _message("UNSUBSCRIBE", request_id, [self._name(key) for key in keys])

    def listing(self, request_id: int) -> bytes | None:
        """Return a LIST_SUBSCRIPTIONS message."""
        return _message("LIST_SUBSCRIPTIONS", request_id)

    def ping(self, request_id: int) -> bytes | None:
        """Return a question about the connection: futures ping by themselves only every three minutes."""
        return _message("GET_PROPERTY", request_id, ["combined"])

    def channels(self) -> frozenset[Channel]:
        """Return all channels."""
        return frozenset(Channel)

    def along(self) -> frozenset[Channel]:
        """Return nothing: every channel has streams of its own."""
        return frozenset()

    def instruments(self) -> Request:
        """Return the request for exchangeInfo."""
        return self._market.instruments

    def listed(self, body: bytes) -> Sequence[Traded]:
        """Read exchangeInfo: the symbols that are traded now; what can be none is left out.

        Raises:
            FrameError: it is malformed.
        """
        infos = _decoded(_EXCHANGE_INFOS, body).symbols
        return [
            Traded(info.symbol, info.quoteAsset)
            for info in infos
            if TRADING in (info.status, info.contractStatus) and streams.is_symbol(info.symbol)
        ]

    def weight_allowed(self, body: bytes) -> int | None:
        """Read in exchangeInfo what requests may weigh in a minute; None where it does not say, or what cannot be.

        Raises:
            FrameError: it is malformed.
        """
        for each in _decoded(_EXCHANGE_INFOS, body).rateLimits:
            if (each.rateLimitType, each.interval, each.intervalNum) == ("REQUEST_WEIGHT", "MINUTE", 1):
                usual = self.limits.weight_per_minute
                return each.limit if usual // MOST_CHANGED <= each.limit <= usual * MOST_CHANGED else None
        return None

    def volumes(self) -> Request:
        """Return the request for the statistics of 24 hours of every symbol."""
        return self._market.volumes

    def volumes_of(self, body: bytes) -> Mapping[str, float]:
        """Read them: volume in quote currency by symbol; 0 where it is not said.

        Raises:
            FrameError: it is malformed.
        """
        return {item.symbol: _quote_volume(item) for item in _decoded(_DAY_VOLUMES, body)}

    def trades(self, symbol: str, missing: Missing) -> Request:
        """Return the request for trades of the kind that is streamed, from the first missing on, at most a thousand."""
        what = "historicalTrades" if self.venue == "binance" else "aggTrades"
        limit = min(MOST_TRADES, missing.last_id - missing.first_id + 1)
        return self._request(what, self._market.trades_weight, symbol=symbol, fromId=missing.first_id, limit=limit)

    def newest_trades(self, symbol: str) -> Request | None:
        """Return the request for the newest trade of the kind that is streamed."""
        what = "trades" if self.venue == "binance" else "aggTrades"
        return self._request(what, self._market.trades_weight, symbol=symbol, limit=1)

    def snapshot(self, symbol: str) -> Request | None:
        """Return the request for a book of a thousand levels a side."""
        return self._request("depth", self._market.book_weight, symbol=symbol, limit=BOOK_LEVELS)

    def _name(self, key: StreamKey) -> str:
        return f"{key.symbol.lower()}@{self._suffixes[key.channel]}"

    def _request(self, what: str, weight: int, **parameters: str | int) -> Request:
        return Request(f"{self._market.rest_root}/{what}?{urlencode(parameters)}", weight)


def _message(method: str, request_id: int, parameters: Sequence[str] | None = None) -> bytes:
    if parameters is None:
        return msgspec.json.encode({"method": method, "id": request_id})
    return msgspec.json.encode({"method": method, "params": parameters, "id": request_id})


def _quote_volume(item: DayVolume) -> float:
    if item.quoteVolume is not None:
        return item.quoteVolume
    return (item.baseVolume or 0.0) * (item.weightedAvgPrice or 0.0)


def _decoded(decoder: Decoder[Body], body: bytes) -> Body:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(str(error)[:200] or type(error).__name__) from error
