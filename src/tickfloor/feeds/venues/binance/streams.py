"""What a Binance stream's name says: which symbol, which kind of frame."""

import re
from typing import Final, NamedTuple

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, StreamKey
from tickfloor.feeds.venues.binance.frames import Envelope

TRADE, AGG_TRADE, BOOK_TICKER = "trade", "aggTrade", "bookTicker"
DEPTH, KLINE, TICKER, MINI_TICKER = "depth", "kline", "24hrTicker", "24hrMiniTicker"

SHUTDOWN_STREAM, SHUTDOWN_EVENT = "!serverShutdown", "serverShutdown"

VENUES: Final = ("binance", "binance-usdm", "binance-coinm")

ALL_SYMBOLS: Final = ""
"""Stands for the symbol of an all-market stream."""

MAX_SYMBOL: Final = 48

NOT_USED: Final = frozenset({
    "partial_depth", "rpiDepth", "blockTrade", "avgPrice", "referencePrice", "rollingTicker", "continuousKline",
    "markPrice", "forceOrder", "contractInfo", "indexPrice", "compositeIndex", "assetIndex",
})  # fmt: skip
"""Kinds that are known and counted by name; the rest is counted as ``other``."""

_DIFF_DEPTH = re.compile(r"depth(@\d+ms)?")
_PARTIAL_DEPTH = re.compile(r"depth(5|10|20)(@\d+ms)?")
_KLINE = re.compile(r"kline_\w+(@\+\d\d:\d\d)?")
_ROLLING = re.compile(r"ticker_(1h|4h|1d)(@arr)?")
_ALL_MARKET = {"!bookTicker": BOOK_TICKER, "!ticker@arr": TICKER, "!miniTicker@arr": MINI_TICKER}
_ONE_SYMBOL = {"trade": TRADE, "aggTrade": AGG_TRADE, "bookTicker": BOOK_TICKER, "ticker": TICKER,
               "miniTicker": MINI_TICKER}  # fmt: skip
_BY_EVENT = {"trade": TRADE, "aggTrade": AGG_TRADE, "bookTicker": BOOK_TICKER, "kline": KLINE,
             "depthUpdate": DEPTH, "24hrTicker": TICKER, "24hrMiniTicker": MINI_TICKER}  # fmt: skip
_CHANNELS = {TRADE: Channel.TRADES, AGG_TRADE: Channel.TRADES, BOOK_TICKER: Channel.QUOTES, DEPTH: Channel.BOOK,
             KLINE: Channel.BARS, TICKER: Channel.TICKERS, MINI_TICKER: Channel.TICKERS}  # fmt: skip


class Stream(NamedTuple):
    """Kind of frame and symbol; ALL_SYMBOLS where the frames name their own."""

    kind: str
    symbol: str


def stream_of(name: str) -> Stream:
    """Return what a combined stream's name promises.

    Raises:
        FrameError: the symbol cannot be one.
    """
    if name.startswith("!"):
        kind = _ALL_MARKET.get(name)
        return Stream(kind or _other(name[1:]), ALL_SYMBOLS)
    symbol, _, rest = name.partition("@")
    symbol = checked_symbol(symbol.upper())
    if rest in _ONE_SYMBOL:
        return Stream(_ONE_SYMBOL[rest], symbol)
    if _DIFF_DEPTH.fullmatch(rest):
        return Stream(DEPTH, symbol)
    if _KLINE.fullmatch(rest):
        return Stream(KLINE, symbol)
    if _PARTIAL_DEPTH.fullmatch(rest):
        return Stream("partial_depth", symbol)
    return Stream(_other(rest), symbol)


def key_of(stream: Stream) -> StreamKey | None:
    """Return what a stream is about, or None for a kind that is not used; an all-market stream's symbol is empty."""
    channel = _CHANNELS.get(stream.kind)
    return None if channel is None else StreamKey(channel, stream.symbol)


def trades_of(venue: str) -> str:
    """Return the kind of the trade stream that a live feed subscribes to.

    Futures have a ``trade`` stream, too, but it is undocumented and silent at times (``wire-facts.md`` §3.1).
    """
    return TRADE if venue == "binance" else AGG_TRADE


def stream_of_event(event: str, symbol: str | None) -> Stream:
    """Return the stream of a raw frame from its event type.

    Raises:
        FrameError: the symbol cannot be one.
    """
    kind = _BY_EVENT.get(event)
    if kind is None:
        return Stream(_other(event.removesuffix("Update")), ALL_SYMBOLS)
    return Stream(kind, checked_symbol(symbol or ""))


def event_of(envelope: Envelope) -> Stream | None:
    """Return the stream of a raw frame, or None where it is of none; spot's ``bookTicker`` has no event type.

    Raises:
        FrameError: the symbol cannot be one.
    """
    if envelope.e is not None and envelope.e != SHUTDOWN_EVENT:
        return stream_of_event(envelope.e, envelope.s)
    if envelope.u is not None and envelope.s is not None:
        return Stream(BOOK_TICKER, checked_symbol(envelope.s))
    return None


def checked_symbol(symbol: str) -> str:
    """Return a symbol that can be one.

    Raises:
        FrameError: it is empty, too long or not printable.
    """
    if not is_symbol(symbol):
        raise FrameError(f"{symbol[:MAX_SYMBOL]!r} is not a symbol")
    return symbol


def is_symbol(text: str) -> bool:
    """Say whether this can be a symbol."""
    return 0 < len(text) <= MAX_SYMBOL and text.isprintable() and " " not in text


def _other(name: str) -> str:
    if _ROLLING.fullmatch(name):
        return "rollingTicker"
    found = re.split(r"[@_]", name, maxsplit=1)[0]
    return found if found in NOT_USED else "other"
