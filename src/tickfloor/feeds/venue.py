"""What a venue is to a feed: an adapter that reads what it sends, and a dialect in which it is asked for it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec


class Channel(StrEnum):
    """What a stream is about."""

    TRADES = "trades"
    QUOTES = "quotes"
    BOOK = "book"
    BARS = "bars"
    TICKERS = "tickers"


class StreamKey(NamedTuple):
    """One stream of one instrument, by the venue's own symbol."""

    channel: Channel
    symbol: str


# What a venue says about itself and not about a market


class Acked(NamedTuple):
    """The venue accepts a request: for these streams, or, where it does not name them, for all of it."""

    request_id: int | None
    keys: tuple[StreamKey, ...] | None


class Refused(NamedTuple):
    """The venue refuses a request, or these streams of it."""

    request_id: int | None
    keys: tuple[StreamKey, ...] | None
    reason: str


class Listed(NamedTuple):
    """Everything that the venue believes this connection is subscribed to."""

    keys: frozenset[StreamKey]


class GoingAway(NamedTuple):
    """The venue's server is about to close this connection."""


class Resubscribe(NamedTuple):
    """What came over these streams cannot be trusted: ask for them anew; the venue begins with a snapshot."""

    keys: tuple[StreamKey, ...]
    reason: str


class TooManyMessages(NamedTuple):
    """The venue had more messages than it takes and has left out one of them; it does not say which."""


Control = Acked | Refused | Listed | GoingAway | Resubscribe | TooManyMessages

Reader = Callable[[int, bytes], Control | None]
"""Takes receive time, ns UTC, and a frame of one connection; None of whatever is about a market.

Raises:
    FrameError: the frame is malformed; nothing of it was applied.
"""


class Adapter(Protocol):
    """The half of a venue that reads: frames and HTTP bodies in, market events out. It sends nothing."""

    heard: dict[StreamKey, int]
    """receive time of the newest frame of each stream, ns UTC"""

    def reader(self, connection: str) -> Reader:
        """Return what reads one connection's frames; a new one for each connection."""

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        """Take in a REST answer.

        Args:
            ref: its URL, or the path and query of it.

        Raises:
            FrameError: it is malformed; nothing of it was applied.
        """

    def left_out(self) -> dict[str, int]:
        """Return what was received whole and not used, by reason; the reasons that did not occur are left out."""

    def refused(self) -> tuple[str, ...]:
        """Return the symbols that the board had no row for."""

    def figures(self) -> dict[str, dict[str, Any]]:
        """Return the report's exact figures of every instrument, by ``venue:symbol``.

        Raises:
            ValueError: the adapter was made without an audit.
        """


class Missing(NamedTuple):
    """Trades of an instrument that have not come, and the venue times between which they were made.

    Attributes:
        first_id, last_id: both included.
        since_ns: of the trade before them, ns UTC; 0: not known.
        until_ns: of the trade after them, ns UTC; 0: not known.
    """

    first_id: int
    last_id: int
    since_ns: int = 0
    until_ns: int = 0


class Repairs(Protocol):
    """Whom an adapter asks when something is missing. The answers come by ``on_http`` or with a new snapshot."""

    def trades(self, symbol: str, missing: Missing, /) -> None:
        """Ask for trades."""

    def book(self, symbol: str, /) -> None:
        """Ask for a snapshot of a book; asking again while one is under way is no second request."""


class NoRepairs:
    """Asks nobody: what a replay does not hold is a gap."""

    def trades(self, symbol: str, missing: Missing, /) -> None:
        """Do nothing."""

    def book(self, symbol: str, /) -> None:
        """Do nothing."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue allows, and what it promises.

    Attributes:
        messages_per_second: of ours on one connection, pings and pongs included.
        messages_shared: the venue counts them for all connections from here together.
        streams_per_message: at most.
        connections, connections_seconds: attempts to connect within so many seconds.
        life_seconds: after which a connection is replaced, before the venue closes it; 0: never.
        idle_seconds: without any frame, after which a connection is dead.
        ack_seconds: for an answer to a request of ours.
        frame_bytes: longest frame.
        requests_per_second: of REST; two seconds' worth may be sent at once.
        weight_per_minute: of REST requests, until the venue says another number.
    """

    messages_per_second: float
    messages_shared: bool = False
    streams_per_message: int
    connections: int
    connections_seconds: float
    life_seconds: float
    idle_seconds: float
    ack_seconds: float
    frame_bytes: int
    requests_per_second: float
    weight_per_minute: int


class Request(NamedTuple):
    """A REST request: path with query, and what it costs of the venue's budget."""

    path: str
    weight: int


class Traded(NamedTuple):
    """An instrument that can be traded, as the venue lists it."""

    symbol: str
    quote: str


class Dialect(Protocol):
    """The half of a venue that speaks: what to send where. It neither sends nor keeps state."""

    venue: str
    limits: Limits

    def route(self, key: StreamKey) -> str:
        """Return which kind of connection a stream needs; streams of several routes never share one."""

    def most_streams(self, route: str) -> int:
        """Return how many streams a connection of a route may have."""

    def stream_url(self, route: str) -> str:
        """Return where to connect for a route."""

    def rest_url(self) -> str:
        """Return what stands before a request's path."""

    def opening(self) -> Sequence[bytes]:
        """Return what to send as soon as a connection is open, before any subscription."""

    def subscribe(self, keys: Sequence[StreamKey], request_id: int) -> bytes:
        """Return one message that asks for at most ``streams_per_message`` streams of one channel."""

    def unsubscribe(self, keys: Sequence[StreamKey], request_id: int) -> bytes:
        """Return one message that ends them."""

    def listing(self, request_id: int) -> bytes | None:
        """Return what asks for a :class:`Listed`, or None where the venue cannot be asked."""

    def ping(self, request_id: int) -> bytes | None:
        """Return what makes a quiet connection give a sign of life, or None where frames of its own do."""

    def channels(self) -> frozenset[Channel]:
        """Return what the venue can be asked for."""

    def along(self) -> frozenset[Channel]:
        """Return what comes along with streams of other channels, and is not asked for by itself."""

    # REST

    def instruments(self) -> Request:
        """Return what lists the instruments; the adapter takes their metadata from the same answer."""

    def listed(self, body: bytes) -> Sequence[Traded]:
        """Read that list: those that are traded now.

        Raises:
            FrameError: it is malformed.
        """

    def weight_allowed(self, body: bytes) -> int | None:
        """Read in that list what REST requests may cost in a minute; None where it does not say.

        Raises:
            FrameError: it is malformed.
        """

    def volumes(self) -> Request:
        """Return what says how much of each instrument was traded in 24 h."""

    def volumes_of(self, body: bytes) -> Mapping[str, float]:
        """Read that: 24 h volume in quote currency by symbol.

        Raises:
            FrameError: it is malformed.
        """

    def trades(self, symbol: str, missing: Missing) -> Request:
        """Return what gives the missing trades, or as many of the first or last of them as fit into an answer."""

    def newest_trades(self, symbol: str) -> Request | None:
        """Return what gives the newest trade, to find out if a silent stream should have said it."""

    def snapshot(self, symbol: str) -> Request | None:
        """Return what gives a book, or None where it comes with a new subscription."""


class BacklogTrade(NamedTuple):
    """A trade from a REST answer or a snapshot: as :meth:`InstrumentWriter.trade` takes it, and as it was written."""

    ts_event: int
    price: float
    qty: float
    side: int
    trade_id: int
    trades: int
    price_text: str
    qty_text: str


def by_route(dialect: Dialect, keys: Iterable[StreamKey]) -> dict[str, list[StreamKey]]:
    """Return streams by the kind of connection that they need, each kind in the order given."""
    found: dict[str, list[StreamKey]] = {}
    for key in keys:
        found.setdefault(dialect.route(key), []).append(key)
    return found
