"""Kraken's frames as the face reads them; numbers stay as they are written. Sources: ``wire-facts.md`` §4."""

import re
import zlib
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from tickfloor.feeds.venues.rfc3339 import time_ns
from tickfloor.simulator.played_book import PlayedBook, Written
from tickfloor.simulator.played_trades import PlayedTrade

DEPTHS: Final = (10, 25, 100, 500, 1000)
CHECKED_LEVELS: Final = 10
_NAME: Final = re.compile(rb'\{"channel":"(book|ticker|trade|ohlc)"')
_SYMBOL: Final = re.compile(rb'"symbol":"([^"]{1,48})"')

Text = Any
"""A number as it is written; a whole one comes decoded."""


class Level(Struct, frozen=True, gc=False):
    """A level of a book."""

    price: Text
    qty: Text


class BookItem(Struct, frozen=True, gc=False):
    """What a message says of one book."""

    symbol: str
    bids: list[Level] = []
    asks: list[Level] = []
    timestamp: str = ""


class BookFrame(Struct, frozen=True, gc=False):
    """A ``book`` message."""

    type: str
    data: list[BookItem]


class TradeItem(Struct, frozen=True, gc=False):
    """One trade."""

    symbol: str
    side: Literal["buy", "sell"]
    price: Text
    qty: Text
    trade_id: int
    timestamp: str
    ord_type: str = "limit"


class ItemsFrame(Struct, frozen=True, gc=False):
    """Any message, its items undecoded."""

    type: str
    data: list[Raw]


class TickerItem(Struct, frozen=True, gc=False):
    """A ticker; without trades some of it is missing."""

    symbol: str
    bid: Text = 0
    bid_qty: Text = 0
    ask: Text = 0
    ask_qty: Text = 0
    last: Text = 0
    volume: Text = 0
    vwap: Text = 0
    low: Text = 0
    high: Text = 0


class TickerFrame(Struct, frozen=True, gc=False):
    """A ``ticker`` message."""

    data: list[TickerItem]


class SubscribedResult(Struct, frozen=True, gc=False):
    """What was subscribed to when the capture was made."""

    channel: str
    symbol: str = ""
    depth: int = 0


class SubscribedFrame(Struct, frozen=True, gc=False):
    """An answer to a request of then."""

    method: str = ""
    result: SubscribedResult | None = None


class Parameters(Struct, frozen=True, gc=False):
    """What a client asks for."""

    channel: str = ""
    symbol: list[str] = []
    depth: int = DEPTHS[0]
    snapshot: bool | None = None
    event_trigger: Literal["trades", "bbo"] = "trades"
    interval: int = 1


class Request(Struct, frozen=True, gc=False):
    """A client's message."""

    method: str
    params: Parameters | None = None
    req_id: Annotated[int, Meta(ge=0)] | None = None


BOOKS: Final = msgspec.json.Decoder(BookFrame, float_hook=str)
ITEMS: Final = msgspec.json.Decoder(ItemsFrame)
TRADE: Final = msgspec.json.Decoder(TradeItem, float_hook=str)
TICKERS: Final = msgspec.json.Decoder(TickerFrame, float_hook=str)
SUBSCRIBED: Final = msgspec.json.Decoder(SubscribedFrame)
REQUESTS: Final = msgspec.json.Decoder(Request)


def name_of(payload: bytes) -> tuple[str, str] | None:
    """Return channel and symbol of a frame with data, or None for anything else; a frame is of one symbol."""
    channel = _NAME.match(payload)
    symbol = None if channel is None else _SYMBOL.search(payload, channel.end())
    if channel is None or symbol is None:
        return None
    return channel[1].decode(), symbol[1].decode()


def trades_of(payload: bytes) -> tuple[bool, list[PlayedTrade]]:
    """Return whether the trades of a frame are live, and the trades.

    Raises:
        MsgspecError: it is malformed.
        FrameError: a time is none.
    """
    frame = ITEMS.decode(payload)
    found = []
    for raw in frame.data:
        item = TRADE.decode(raw)
        stamp_ns = time_ns(item.timestamp)
        found.append(PlayedTrade(item.trade_id, stamp_ns, str(item.price), str(item.qty), bytes(raw)))
    return frame.type == "update", found


def update(book: PlayedBook, item: BookItem) -> None:
    """Take in what a message says of a book."""
    book.update(_written(item.bids), _written(item.asks), item.timestamp)


def book_snapshot(symbol: str, book: PlayedBook) -> bytes:
    """Return a book as a new subscription brings it."""
    bids, asks = book.bids.levels(), book.asks.levels()
    stamp = f',"timestamp":"{book.stamp}"' if book.stamp else ""
    text = (
        f'{{"channel":"book","type":"snapshot","data":[{{"symbol":"{symbol}","bids":[{_levels(bids)}],'
        f'"asks":[{_levels(asks)}],"checksum":{checksum(bids, asks)}{stamp}}}]}}'
    )
    return text.encode()


def trades_snapshot(trades: Iterable[PlayedTrade]) -> bytes:
    """Return trades as a new subscription brings them."""
    return b'{"channel":"trade","type":"snapshot","data":[' + b",".join(trade.item for trade in trades) + b"]}"


def as_snapshot(frame: bytes) -> bytes:
    """Return an update that says all there is to say as a new subscription brings it."""
    return frame.replace(b'"type":"update"', b'"type":"snapshot"', 1)


def checksum(bids: list[Written], asks: list[Written]) -> int:
    """Return the CRC32 of the digits of the best asks and bids, best first."""
    best = [*asks[:CHECKED_LEVELS], *bids[:CHECKED_LEVELS]]
    return zlib.crc32("".join(_digits(price) + _digits(qty) for price, qty in best).encode())


def _digits(text: str) -> str:
    return text.replace(".", "").lstrip("0")


def _written(levels: list[Level]) -> list[Written]:
    return [(str(level.price), str(level.qty)) for level in levels]


def _levels(levels: list[Written]) -> str:
    return ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in levels)
