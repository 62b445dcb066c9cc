"""Coinbase's frames as the face reads and makes them. Sources: ``wire-facts.md`` §5, and the recorded frames."""

import re
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Raw, Struct

from tickfloor.feeds.venues.rfc3339 import time_ns
from tickfloor.simulator.played_book import PlayedBook
from tickfloor.simulator.played_trades import PlayedTrade

LEVEL2: Final = "level2"
HEARTBEATS: Final = "heartbeats"
MARKET_TRADES: Final = "market_trades"
CHANNELS: Final = frozenset({MARKET_TRADES, "ticker", "ticker_batch", LEVEL2, "candles", "status", HEARTBEATS})
"""By the name that they are asked for with."""
_NAME: Final = re.compile(rb'\{"channel":"(market_trades|ticker|ticker_batch|l2_data|candles)"')
_PRODUCT: Final = re.compile(rb'"product_id":"([^"]{1,48})"')
_UPDATE: Final = b'"events":[{"type":"update"'


class TradeItem(Struct, frozen=True, gc=False):
    """One trade."""

    trade_id: Annotated[int, Meta(ge=0)]
    product_id: str
    price: str
    size: str
    time: str


class TradesEvent(Struct, frozen=True, gc=False):
    """Some trades, undecoded."""

    type: str
    trades: list[Raw]


class TradesFrame(Struct, frozen=True, gc=False):
    """A ``market_trades`` frame."""

    events: list[TradesEvent]


class TradesBody(Struct, frozen=True, gc=False):
    """A recorded REST answer."""

    trades: list[Raw]


class BookUpdate(Struct, frozen=True, gc=False):
    """A level."""

    side: str
    price_level: str
    new_quantity: str
    event_time: str = ""


class BookEvent(Struct, frozen=True, gc=False):
    """A book, or changes of it."""

    type: str
    product_id: str
    updates: list[BookUpdate]


class BookFrame(Struct, frozen=True, gc=False):
    """An ``l2_data`` frame."""

    events: list[BookEvent]


class TickerItem(Struct, frozen=True, gc=False):
    """A ticker."""

    product_id: str
    price: str = "0"
    volume_24_h: str = "0"
    best_bid: str = ""
    best_ask: str = ""


class TickersEvent(Struct, frozen=True, gc=False):
    """Some tickers."""

    tickers: list[TickerItem]


class TickersFrame(Struct, frozen=True, gc=False):
    """A ``ticker`` frame."""

    events: list[TickersEvent]


class Request(Struct, frozen=True, gc=False):
    """A client's message."""

    type: str
    channel: str = ""
    product_ids: list[str] = []


BOOKS: Final = msgspec.json.Decoder(BookFrame)
TICKERS: Final = msgspec.json.Decoder(TickersFrame)
REQUESTS: Final = msgspec.json.Decoder(Request)
_TRADE: Final = msgspec.json.Decoder(TradeItem, strict=False)
_TRADES: Final = msgspec.json.Decoder(TradesFrame)
_BODIES: Final = msgspec.json.Decoder(TradesBody)


def name_of(payload: bytes) -> tuple[str, str] | None:
    """Return the channel, as it is asked for, and the product of a frame; None for anything else.

    A frame is of one product.
    """
    channel = _NAME.match(payload)
    product = None if channel is None else _PRODUCT.search(payload, channel.end())
    if channel is None or product is None:
        return None
    name = channel[1].decode()
    return LEVEL2 if name == "l2_data" else name, product[1].decode()


def trades_of(payload: bytes) -> list[tuple[bool, list[PlayedTrade]]]:
    """Return of every event of a frame whether its trades are live, and the trades.

    Raises:
        MsgspecError: it is malformed.
        FrameError: a time is none.
    """
    return [(event.type == "update", [_trade(raw) for raw in event.trades]) for event in _TRADES.decode(payload).events]


def body_trades(body: bytes) -> list[PlayedTrade]:
    """Return the trades of a recorded answer.

    Raises:
        MsgspecError: it is malformed.
        FrameError: a time is none.
    """
    return [_trade(raw) for raw in _BODIES.decode(body).trades]


def update(book: PlayedBook, event: BookEvent) -> None:
    """Take in what an event says of a book."""
    levels = event.updates
    book.update(
        ((level.price_level, level.new_quantity) for level in levels if level.side == "bid"),
        ((level.price_level, level.new_quantity) for level in levels if level.side == "offer"),
        levels[-1].event_time if levels else "",
    )


def enveloped(channel: str, stamp: str, number: int, events: list[dict[str, Any]]) -> bytes:
    """Return a frame."""
    return msgspec.json.encode({"channel": channel, "timestamp": stamp, "sequence_num": number, "events": events})


def book_event(product: str, book: PlayedBook) -> dict[str, Any]:
    """Return a book as a new subscription brings it."""
    sides = (("bid", book.bids), ("offer", book.asks))
    updates = [
        {"side": side, "event_time": book.stamp, "price_level": price, "new_quantity": qty}
        for side, levels in sides
        for price, qty in levels.levels()
    ]
    return {"type": "snapshot", "product_id": product, "updates": updates}


def trades_event(trades: list[PlayedTrade]) -> dict[str, Any]:
    """Return trades as a new subscription brings them, the newest first."""
    return {"type": "snapshot", "trades": [Raw(trade.item) for trade in reversed(trades)]}


def as_snapshot(frame: bytes) -> bytes:
    """Return an update that says all there is to say as a new subscription brings it."""
    return frame.replace(_UPDATE, _UPDATE.replace(b"update", b"snapshot"), 1)


def _trade(raw: Raw) -> PlayedTrade:
    item = _TRADE.decode(raw)
    return PlayedTrade(item.trade_id, time_ns(item.time), item.price, item.size, bytes(raw))
