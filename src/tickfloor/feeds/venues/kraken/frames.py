"""Kraken's frames, as far as they are used: field names are the wire's, numbers are checked while decoding.

Sources: ``wire-facts.md`` §4.2 to §4.5.
"""

import re
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from msgspec.json import Decoder

Price = Annotated[float, Meta(gt=0, lt=1e18)]
Size = Annotated[float, Meta(ge=0, lt=1e18)]
Quantity = Annotated[float, Meta(gt=0, lt=1e18)]
Number = Annotated[float, Meta(gt=-1e24, lt=1e24)]
Volume = Annotated[float, Meta(ge=0, lt=1e24)]
Identity = Annotated[int, Meta(ge=0, lt=2**53)]
Count = Annotated[int, Meta(ge=0, lt=2**53)]
Decimals = Annotated[int, Meta(ge=0, le=20)]

Written = Any
"""A number as its text: what a decoder that is given ``float_hook=str`` makes of one; whole numbers stay int."""

Item = TypeVar("Item")


class Frame(Struct, Generic[Item], frozen=True, gc=False):
    """What every channel with data sends."""

    type: Literal["snapshot", "update"]
    data: list[Item]


class Trade(Struct, frozen=True, gc=False):
    """One trade; ``side`` is the taker's."""

    symbol: str
    side: Literal["buy", "sell"]
    price: Price
    qty: Quantity
    trade_id: Identity
    timestamp: str


class TradeText(Struct, frozen=True, gc=False):
    """A trade with price and quantity exactly as written."""

    symbol: str
    side: Literal["buy", "sell"]
    price: Written
    qty: Written
    trade_id: Identity
    timestamp: str


class BookLevel(Struct, frozen=True, gc=False):
    """A level of a book; quantity 0 removes it."""

    price: Written
    qty: Written


class BookEvent(Struct, frozen=True, gc=False):
    """A snapshot of a book or what changed in it; some snapshots have no time."""

    symbol: str
    checksum: Annotated[int, Meta(ge=0, lt=2**32)]
    bids: list[BookLevel] = []
    asks: list[BookLevel] = []
    timestamp: str | None = None


class BookName(Struct, frozen=True, gc=False):
    """Whose book a message is about."""

    symbol: str


class BookNames(Struct, frozen=True, gc=False):
    """A frame of which nothing else can be read."""

    channel: str | None = None
    data: list[BookName] = []


class Ticker(Struct, frozen=True, gc=False):
    """Best prices and 24 h statistics; a side without orders, or a market without trades, may lack its part."""

    symbol: str
    bid: Size | None = None
    bid_qty: Size | None = None
    ask: Size | None = None
    ask_qty: Size | None = None
    last: Size | None = None
    volume: Volume | None = None
    vwap: Volume | None = None
    low: Size | None = None
    high: Size | None = None
    change: Number | None = None
    change_pct: Number | None = None
    timestamp: str | None = None


class Candle(Struct, frozen=True, gc=False):
    """The venue's own bar of ``interval`` minutes. Nothing says that it has closed; the next one has begun then."""

    symbol: str
    interval: Annotated[int, Meta(gt=0, le=21_600)]
    interval_begin: str
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Volume
    vwap: Volume
    trades: Count


class Pair(Struct, frozen=True, gc=False):
    """What the instrument channel says of a market; prices and steps as written."""

    symbol: str
    price_precision: Decimals | None = None
    qty_precision: Decimals | None = None
    price_increment: Written = None
    qty_increment: Written = None


class Pairs(Struct, frozen=True, gc=False):
    """The instrument channel's data."""

    pairs: list[Pair] = []


class InstrumentFrame(Struct, frozen=True, gc=False):
    """The one channel whose data is no list."""

    data: Pairs


class Status(Struct, frozen=True, gc=False):
    """State of the venue's engine: ``online``, ``cancel_only``, ``maintenance``, ``post_only``."""

    system: Annotated[str, Meta(max_length=32)] = ""


class Result(Struct, frozen=True, gc=False):
    """What a request was about."""

    channel: str
    symbol: str | None = None
    depth: Annotated[int, Meta(gt=0, le=10_000)] | None = None
    event_trigger: str | None = None


class Envelope(Struct, frozen=True, gc=False, rename={"rate_error": "Error"}):
    """Any frame, to find out what it is; answers to requests are read with it."""

    channel: str | None = None
    method: str | None = None
    req_id: Identity | None = None
    success: bool | None = None
    error: str | None = None
    symbol: str | None = None
    result: Result | None = None
    rate_error: str | None = None


class RestAnswer(Struct, frozen=True, gc=False):
    """Every REST body: errors, or a result."""

    error: list[str] = []
    result: dict[str, msgspec.Raw] = {}


class AssetPair(Struct, frozen=True, gc=False):
    """What REST says of a market; ``wsname`` is the v1 name and absent where the WebSocket does not have it."""

    pair_decimals: Decimals
    lot_decimals: Decimals
    wsname: str | None = None
    tick_size: str | None = None
    status: str = "online"


class TickerSums(Struct, frozen=True, gc=False):
    """Of a REST ticker: volume and its average price, of today and of 24 h."""

    v: tuple[Volume, Volume]
    p: tuple[Volume, Volume]


RestTrade = tuple[str, str, Written, Literal["b", "s"], str, str, Identity]
"""Price, quantity, seconds, taker's side, order type, anything, id."""

ENVELOPES: Final = Decoder(Envelope)
TRADES: Final = Decoder(Frame[Trade])
TRADE_TEXTS: Final = Decoder(Frame[TradeText], float_hook=str)
BOOK_NAMES: Final = Decoder(BookNames)
BOOKS: Final = Decoder(Frame[BookEvent], float_hook=str)
TICKERS: Final = Decoder(Frame[Ticker])
CANDLES: Final = Decoder(Frame[Candle])
STATUSES: Final = Decoder(Frame[Status])
INSTRUMENTS: Final = Decoder(InstrumentFrame, float_hook=str)
REST_ANSWERS: Final = Decoder(RestAnswer)
ASSET_PAIRS: Final = Decoder(AssetPair)
TICKER_SUMS: Final = Decoder(TickerSums, strict=False)
REST_TRADES: Final = Decoder(list[RestTrade], float_hook=str)

DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_KIND: Final = re.compile(rb'\s*\{\s*"(channel|method)"\s*:\s*"(\w+)"')
_OF_BOOKS: Final = (b"channel", b"book")


def books_in(payload: bytes, known: AbstractSet[str]) -> AbstractSet[str]:
    """Return whose books, of those known, a frame that is refused may be about: all where it does not say."""
    try:
        frame = BOOK_NAMES.decode(payload)
    except DECODE_ERRORS:
        kind = _KIND.match(payload)
        return known if kind is None or kind.groups() == _OF_BOOKS else frozenset()
    return known & {item.symbol for item in frame.data} if frame.channel == "book" else frozenset()


def reason(error: Exception) -> str:
    """Return what is wrong with a frame, short."""
    return str(error)[:200] or type(error).__name__
