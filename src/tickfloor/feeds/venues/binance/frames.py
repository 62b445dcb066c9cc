"""Binance's frames, as far as they are used: field names are the wire's, numbers are checked while decoding.

Prices and quantities are strings on the wire and floats here; what is not finite, negative or absurdly large is
refused by the decoder, and so is an id that a float could not hold. Sources: ``wire-facts.md`` §2.3, §3.2.
"""

from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

Price = Annotated[float, Meta(gt=0, lt=1e18)]
Size = Annotated[float, Meta(ge=0, lt=1e18)]
Quantity = Annotated[float, Meta(gt=0, lt=1e18)]
Number = Annotated[float, Meta(gt=-1e24, lt=1e24)]
Volume = Annotated[float, Meta(ge=0, lt=1e24)]
Identity = Annotated[int, Meta(ge=0, lt=2**53)]
Whole = Annotated[int, Meta(gt=-(2**53), lt=2**53)]
Time = Annotated[int, Meta(gt=0, lt=2**53)]
"""Milliseconds UTC, or microseconds where the connection asked for them."""
Level = tuple[Price, Size]

MICROSECONDS_FROM = 10**14
"""A time from here on is in microseconds (in milliseconds it would be the year 5138)."""


def time_ns(time: int) -> int:
    """Return a wire time as ns UTC."""
    return time * 1_000_000 if time < MICROSECONDS_FROM else time * 1_000


class Trade(Struct, frozen=True, gc=False, tag_field="e", tag="trade"):
    """One trade; ``m`` says that the buyer was the maker, so the taker sold."""

    s: str
    t: Identity
    p: Price
    q: Quantity
    T: Time
    m: bool


class AggTrade(Struct, frozen=True, gc=False, tag_field="e", tag="aggTrade"):
    """The trades of one taker order at one price, ids ``f`` to ``l``."""

    s: str
    a: Identity
    p: Price
    q: Quantity
    f: Whole
    l: Whole  # noqa: E741
    T: Time
    m: bool


class TradeText(Struct, frozen=True, gc=False):
    """Price and quantity of a trade exactly as written, and its id."""

    p: str
    q: str
    t: Identity


class AggTradeText(Struct, frozen=True, gc=False):
    """Price and quantity of an aggregate exactly as written, and its id."""

    p: str
    q: str
    a: Identity


class BookTicker(Struct, frozen=True, gc=False):
    """Best bid and ask. Spot sends neither ``e`` nor times."""

    u: Identity
    s: str
    b: Size
    B: Size
    a: Size
    A: Size
    E: Time | None = None
    T: Time | None = None
    st: Whole | None = None


class Candle(Struct, frozen=True, gc=False):
    """The venue's own bar; ``x`` says that it has closed."""

    t: Whole
    T: Whole
    i: str
    o: Price
    c: Price
    h: Price
    l: Price  # noqa: E741
    v: Volume
    n: Whole
    x: bool
    q: Volume
    V: Volume


class Kline(Struct, frozen=True, gc=False, tag_field="e", tag="kline"):
    """An update of the venue's own bar."""

    E: Time
    s: str
    k: Candle


class DepthUpdate(Struct, frozen=True, gc=False, tag_field="e", tag="depthUpdate"):
    """A book event of the ids ``U`` to ``u``; ``pu``, the previous event's ``u``, and ``T`` on futures only."""

    E: Time
    s: str
    U: Identity
    u: Identity
    b: list[Level]
    a: list[Level]
    pu: Annotated[int, Meta(ge=-1, lt=2**53)] | None = None
    T: Time | None = None


class DepthSnapshot(Struct, frozen=True, gc=False):
    """The REST depth snapshot; times on futures only."""

    lastUpdateId: Identity  # noqa: N815
    bids: list[Level]
    asks: list[Level]
    symbol: str | None = None
    E: Time | None = None
    T: Time | None = None


class Ticker(Struct, frozen=True, gc=False, tag_field="e", tag="24hrTicker"):
    """24 h statistics. ``st`` 2 marks a COIN-M symbol in a USD-M array."""

    E: Time
    s: str
    c: Size
    o: Size
    h: Size
    l: Size  # noqa: E741
    v: Volume
    q: Volume
    P: Number
    n: Whole
    st: Whole | None = None


class MiniTicker(Struct, frozen=True, gc=False, tag_field="e", tag="24hrMiniTicker"):
    """24 h statistics without change and count."""

    E: Time
    s: str
    c: Size
    o: Size
    h: Size
    l: Size  # noqa: E741
    v: Volume
    q: Volume
    st: Whole | None = None


class AggTradeRow(Struct, frozen=True, gc=False):
    """One aggregate of an ``aggTrades`` answer."""

    a: Identity
    p: Price
    q: Quantity
    f: Whole
    l: Whole  # noqa: E741
    T: Time
    m: bool


class AggTradeRowText(Struct, frozen=True, gc=False):
    """Its price and quantity exactly as written."""

    p: str
    q: str


class TradeRow(Struct, frozen=True, gc=False):
    """One trade of a ``trades`` or ``historicalTrades`` answer."""

    id: Identity
    price: Price
    qty: Quantity
    time: Time
    isBuyerMaker: bool  # noqa: N815


class TradeRowText(Struct, frozen=True, gc=False):
    """Its price and quantity exactly as written."""

    price: str
    qty: str


class Filter(Struct, frozen=True, gc=False):
    """One trading rule of a symbol; only prices and lots are looked at."""

    filterType: str  # noqa: N815
    tickSize: str | None = None  # noqa: N815
    stepSize: str | None = None  # noqa: N815


class SymbolInfo(Struct, frozen=True, gc=False):
    """What exchangeInfo says of one symbol; COIN-M calls the status otherwise."""

    symbol: str
    filters: list[Filter] = []
    status: str = ""
    contractStatus: str = ""  # noqa: N815
    quoteAsset: str = ""  # noqa: N815


class RateLimit(Struct, frozen=True, gc=False):
    """One of the limits that exchangeInfo names: so much of a kind in so many intervals."""

    rateLimitType: str = ""  # noqa: N815
    interval: str = ""
    intervalNum: int = 0  # noqa: N815
    limit: int = 0


class ExchangeInfo(Struct, frozen=True, gc=False):
    """The exchangeInfo body."""

    symbols: list[SymbolInfo]
    rateLimits: list[RateLimit] = []  # noqa: N815


class DayVolume(Struct, frozen=True, gc=False):
    """What ``ticker/24hr`` says of one symbol; COIN-M counts contracts, and the base asset."""

    symbol: str
    quoteVolume: Volume | None = None  # noqa: N815
    baseVolume: Volume | None = None  # noqa: N815
    weightedAvgPrice: Volume | None = None  # noqa: N815


class Fault(Struct, frozen=True, gc=False):
    """Why a request was refused."""

    code: Whole | None = None
    msg: str = ""


class Envelope(Struct, frozen=True, gc=False):
    """Any frame, to find out what it is."""

    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    e: str | None = None
    s: str | None = None
    u: Identity | None = None
    id: Whole | str | None = None
    code: Whole | None = None
    msg: str = ""
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


Data = TypeVar("Data")


class Combined(Struct, Generic[Data], frozen=True, gc=False):
    """The wrapper of a combined stream's frames."""

    data: Data
