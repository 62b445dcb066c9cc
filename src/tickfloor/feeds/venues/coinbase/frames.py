"""Coinbase's frames, as far as they are used: field names are the wire's, numbers are checked while decoding.

Prices, quantities and trade ids are strings on the wire. Sources: ``wire-facts.md`` §5.2, and the recorded frames.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.json import Decoder

from tickfloor.feeds.errors import FrameError

Price = Annotated[float, Meta(gt=0, lt=1e18)]
Size = Annotated[float, Meta(ge=0, lt=1e18)]
Quantity = Annotated[float, Meta(gt=0, lt=1e18)]
Identity = Annotated[int, Meta(ge=0, lt=2**53)]
NO_NUMBER: Final = -1
"""Of a frame that is not numbered: one about an error."""
BOOK_CHANNEL: Final = "l2_data"
EventType = Literal["snapshot", "update"]

DECODE_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Trade(Struct, frozen=True, gc=False):
    """One trade; ``side`` is the maker's."""

    trade_id: Identity
    product_id: str
    price: Price
    size: Quantity
    time: str
    side: str


class TradeText(Struct, frozen=True, gc=False):
    """Price and quantity of a trade exactly as written."""

    price: str
    size: str


class TradesEvent(Struct, frozen=True, gc=False):
    """Some trades, the newest first."""

    type: EventType
    trades: list[Trade]


class MarketTrades(Struct, frozen=True, gc=False, tag_field="channel", tag="market_trades"):
    """Trades; a snapshot of the newest hundred at first."""

    sequence_num: Identity
    events: list[TradesEvent]


class TradeTextsEvent(Struct, frozen=True, gc=False):
    """The same trades in the same order."""

    trades: list[TradeText]


class MarketTradeTexts(Struct, frozen=True, gc=False):
    """The same frame again, for the digits."""

    events: list[TradeTextsEvent]


class Ticker(Struct, frozen=True, gc=False):
    """Best prices and 24 h statistics; a number that is not known is empty."""

    product_id: str
    price: str = ""
    volume_24_h: str = ""
    low_24_h: str = ""
    high_24_h: str = ""
    price_percent_chg_24_h: str = ""
    best_bid: str = ""
    best_bid_quantity: str = ""
    best_ask: str = ""
    best_ask_quantity: str = ""


class TickersEvent(Struct, frozen=True, gc=False):
    """Some tickers."""

    tickers: list[Ticker]


class Tickers(Struct, frozen=True, gc=False, tag_field="channel", tag="ticker"):
    """Sent with every trade and every change of the best prices."""

    sequence_num: Identity
    events: list[TickersEvent]


class Bid(Struct, frozen=True, gc=False, tag_field="side", tag="bid"):
    """A level of the book and its new quantity; 0 removes it."""

    price_level: Price
    new_quantity: Size
    event_time: str


class Offer(Struct, frozen=True, gc=False, tag_field="side", tag="offer"):
    """The same of the other side, which is called ``offer``, not ``ask``."""

    price_level: Price
    new_quantity: Size
    event_time: str


class BookEvent(Struct, frozen=True, gc=False):
    """A whole book, or changes of one, all of one moment."""

    type: EventType
    product_id: str
    updates: list[Bid | Offer]


class Books(Struct, frozen=True, gc=False, tag_field="channel", tag=BOOK_CHANNEL):
    """What ``level2`` brings. A first frame can have 5 MB."""

    sequence_num: Identity
    events: list[BookEvent]


class Heartbeat(Struct, frozen=True, gc=False):
    """The counter is written as a number or as a string."""

    heartbeat_counter: Identity


class Heartbeats(Struct, frozen=True, gc=False, tag_field="channel", tag="heartbeats"):
    """Sent every second."""

    sequence_num: Identity
    events: list[Heartbeat]


class Subscribed(Struct, frozen=True, gc=False):
    """Everything that the connection is subscribed to, products by channel."""

    subscriptions: dict[str, list[str]]


class Subscriptions(Struct, frozen=True, gc=False, tag_field="channel", tag="subscriptions"):
    """The answer to every request."""

    sequence_num: Identity
    events: list[Subscribed]


class Other(Struct, frozen=True, gc=False):
    """Any other frame: of a channel that is not used, or about an error."""

    channel: str | None = None
    sequence_num: Identity = NO_NUMBER
    type: str | None = None
    message: str | None = None


class BookName(Struct, frozen=True, gc=False):
    """Whose book an event is about."""

    product_id: str


class BookNames(Struct, frozen=True, gc=False):
    """A frame of books of which nothing else can be read."""

    events: list[BookName]


class TradesAnswer(Struct, frozen=True, gc=False):
    """The REST answer of a product's trades, the newest first."""

    trades: list[Trade]


Frame = MarketTrades | Tickers | Books | Heartbeats | Subscriptions
USED: Final = frozenset({"market_trades", "ticker", BOOK_CHANNEL, "heartbeats", "subscriptions"})

_FRAMES: Decoder[Frame] = Decoder(Frame, strict=False)
_OTHERS = Decoder(Other)
_BOOK_NAMES = Decoder(BookNames)
_TEXTS = Decoder(MarketTradeTexts)
_ANSWERS = Decoder(TradesAnswer, strict=False)
_ANSWER_TEXTS = Decoder(TradeTextsEvent)


def decode(payload: bytes) -> Frame | Other:  # hot path: every frame
    """Return a frame.

    Raises:
        FrameError: it is malformed.
    """
    try:
        return _FRAMES.decode(payload)
    except DECODE_ERRORS as error:
        return _other(payload, error)


def envelope_of(payload: bytes) -> Other | None:
    """Return what a malformed frame says of itself, or None where not even that can be read."""
    try:
        return _OTHERS.decode(payload)
    except DECODE_ERRORS:
        return None


def products_of_books(payload: bytes) -> frozenset[str] | None:
    """Return whose books a malformed frame is about, or None where it cannot be read."""
    try:
        return frozenset(event.product_id for event in _BOOK_NAMES.decode(payload).events)
    except DECODE_ERRORS:
        return None


def trade_texts(payload: bytes) -> list[list[TradeText]]:
    """Return the digits of the trades of a frame that :func:`decode` took, event by event.

    Raises:
        FrameError: some are no strings.
    """
    try:
        return [event.trades for event in _TEXTS.decode(payload).events]
    except DECODE_ERRORS as error:
        raise malformed(error) from error


def decode_trades(body: bytes) -> tuple[list[Trade], list[TradeText]]:
    """Return the trades of a REST answer, and their digits.

    Raises:
        FrameError: it is malformed.
    """
    try:
        return _ANSWERS.decode(body).trades, _ANSWER_TEXTS.decode(body).trades
    except DECODE_ERRORS as error:
        raise malformed(error) from error


def malformed(error: Exception) -> FrameError:
    """Return what is raised for a frame or a body that cannot be decoded."""
    return FrameError(str(error)[:200] or type(error).__name__)


def _other(payload: bytes, error: Exception) -> Other:
    """Return a frame that is none of those used; what should have been one of them is malformed."""
    other = envelope_of(payload)
    if other is None or other.channel in USED:
        raise malformed(error) from error
    return other
