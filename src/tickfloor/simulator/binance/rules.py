"""In what Binance spot and USD-M futures differ (``wire-facts.md`` §2, §3)."""

from typing import Final

import msgspec

from tickfloor.simulator.face import WireLimits
from tickfloor.simulator.symbols import PERPETUALS, SPOT, Symbol

PUBLIC, MARKET, PRIVATE = "public", "market", "private"
"""Routes of the USD-M sockets: books under the first, everything else public under the second."""


class BinanceRules(msgspec.Struct, frozen=True, kw_only=True):
    """One market's rules.

    Attributes:
        rest: what REST paths begin with.
        symbols: what may be traded, most traded first.
        futures: routed sockets, shared update ids, ``pu``.
        depth_ms: of a diff stream that names no interval, and those that can be named.
        kline_ms, ticker_ms: how often these are sent.
        depth_weights, kline_weights: weight by the largest limit that it holds for.
        weights: of the other endpoints, for one symbol and for all.
    """

    venue: str
    rest: str
    symbols: tuple[Symbol, ...]
    futures: bool
    limits: WireLimits
    streams_per_connection: int
    weight_per_minute: int
    depth_ms: tuple[int, ...]
    kline_ms: int
    ticker_ms: int
    depth_weights: tuple[tuple[int, int], ...]
    kline_weights: tuple[tuple[int, int], ...]
    depth_limits: tuple[int, ...] | None
    depth_default: int
    weights: dict[str, tuple[int, int]]

    def route_of(self, stream: str) -> str | None:
        """Return under which route a stream is delivered; None where sockets are not routed."""
        if not self.futures:
            return None
        kind = stream.split("@", 1)[-1]
        book = stream == "!bookTicker" or kind == "bookTicker" or kind.startswith(("depth", "rpiDepth"))
        return PUBLIC if book else MARKET


BINANCE: Final = BinanceRules(
    venue="binance",
    rest="/api/v3/",
    symbols=SPOT,
    futures=False,
    limits=WireLimits(
        messages_per_second=5, connections=300, connections_seconds=300.0, ping_seconds=20.0, pong_seconds=60.0
    ),
    streams_per_connection=1024,
    weight_per_minute=6000,
    depth_ms=(1000, 100),
    kline_ms=2000,
    ticker_ms=1000,
    depth_weights=((100, 5), (500, 25), (1000, 50), (5000, 250)),
    kline_weights=((1000, 2),),
    depth_limits=None,
    depth_default=100,
    weights={
        "ping": (1, 1), "time": (1, 1), "exchangeInfo": (20, 20), "trades": (25, 25), "historicalTrades": (25, 25),
        "aggTrades": (4, 4), "ticker/24hr": (2, 80), "ticker/bookTicker": (2, 4),
    },
)  # fmt: skip
BINANCE_USDM: Final = BinanceRules(
    venue="binance-usdm",
    rest="/fapi/v1/",
    symbols=PERPETUALS,
    futures=True,
    limits=WireLimits(
        messages_per_second=10, connections=300, connections_seconds=300.0, ping_seconds=180.0, pong_seconds=600.0
    ),
    streams_per_connection=200,
    weight_per_minute=2400,
    depth_ms=(250, 100, 500),
    kline_ms=250,
    ticker_ms=2000,
    depth_weights=((50, 2), (100, 5), (500, 10), (1000, 20)),
    kline_weights=((99, 1), (499, 2), (1000, 5), (1500, 10)),
    depth_limits=(5, 10, 20, 50, 100, 500, 1000),
    depth_default=500,
    weights={
        "ping": (1, 1), "time": (1, 1), "exchangeInfo": (1, 1), "trades": (5, 5), "historicalTrades": (200, 200),
        "aggTrades": (20, 20), "ticker/24hr": (1, 40), "ticker/bookTicker": (2, 5),
    },
)  # fmt: skip
COINM: Final = msgspec.structs.replace(BINANCE_USDM, venue="binance-coinm", rest="/dapi/v1/", symbols=())


def weight_for(limit: int, table: tuple[tuple[int, int], ...]) -> int:
    """Return what a request with this limit costs."""
    return next((weight for most, weight in table if limit <= most), table[-1][1])
