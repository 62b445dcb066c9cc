"""What a venue's face is to the generic server: one file a face (or one package) speaks one venue's protocol.

A new one needs a line in :mod:`tickfloor.simulator.venues`. Its sessions ask ``Conditions.ignores_subscribe`` at each
request to subscribe; where frames differ between connections (a number per connection, say), its ``Streams`` make
streams of a kind of their own, with another ``deliver``.
"""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from tickfloor.simulator.stream import Streams, Subscriber


class WireLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue puts up with on its sockets.

    Attributes:
        messages_per_second: of a client's frames, pings and pongs included; 0: any number.
        connections, connections_seconds: attempts within so many seconds; 0: any number.
        ping_seconds, pong_seconds: the server pings so often, and closes without a pong within so long; 0: never.
    """

    messages_per_second: int
    connections: int
    connections_seconds: float
    ping_seconds: float
    pong_seconds: float


class Asked(NamedTuple):
    """A REST request; header names in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Reply(NamedTuple):
    """A REST answer, what it costs of the venue's budget per minute, and whether it is a book."""

    status: int
    body: bytes
    weight: int = 1
    snapshot: bool = False


class Session(Protocol):
    """What one client has asked for over one connection."""

    def opened(self) -> None:
        """Say what the venue says first; the connection can be written to from here on."""

    def message(self, payload: bytes) -> None:
        """Take in a client's message."""

    def subscriptions(self) -> list[str]:
        """Return what the venue believes that the client is subscribed to."""

    def going_away(self) -> bytes | None:
        """Return what the venue says before it closes a connection for maintenance, or None if it says nothing."""


@runtime_checkable
class BeatingSession(Session, Protocol):
    """A session of a venue that says something by itself now and then.

    Attributes:
        beat_seconds: from one call of :meth:`beat` to the next, while the connection is open.
    """

    beat_seconds: float

    def beat(self, *, quiet: bool) -> bool:
        """Say it, and return whether the connection may stay open.

        Args:
            quiet: nothing was sent since the last time.
        """


class Face(Protocol):
    """One venue: its sockets, its REST, and what it sends of a market or a capture.

    Attributes:
        venue: for example ``binance``; its own paths are served, and the same ones under ``/binance``.
        streams: everything that can be subscribed to; hostilities find streams here, by name.
        weight_per_minute: what REST requests may cost together; 0: anything.
    """

    venue: str
    limits: WireLimits
    streams: Streams
    weight_per_minute: int

    def session(self, path: str, connection: Subscriber) -> Session | None:
        """Return a new session where the path is one of this venue's, else None.

        Args:
            path: of the URL, with its query.
        """

    def stream_names(self) -> Collection[str]:
        """Return the names of all streams that can bring frames, whether or not somebody has asked for them."""

    def serves(self, path: str) -> bool:
        """Say whether a REST path is one of this venue's."""

    def rest(self, asked: Asked) -> Reply:
        """Answer a REST request."""

    def too_many(self, *, banned: bool) -> bytes:
        """Return the body of a 429, or of a 418."""

    def weight_header(self, used: int) -> tuple[str, str] | None:
        """Return the header that says what was used of this minute's weight, or None if none does."""

    def ledger(self, symbol: str | None) -> dict[str, Any]:
        """Return what happened, by symbol: all of them, or the one asked for.

        Raises:
            SimulatorError: there is no such symbol.
        """

    def skew(self, skew_ns: int) -> None:
        """Set how far the venue's clock is ahead of the true time.

        Raises:
            HostilityError: it has no clock: what it sends was recorded.
        """

    def burst(self, events: int) -> None:
        """Send the next so many events at once."""

    def reset_sequence(self, symbol: str, *, trades: bool) -> None:
        """Number a symbol's book anew, and its trades if asked.

        Raises:
            HostilityError: there is no such symbol, or its numbers were recorded.
        """

    def settle(self) -> None:
        """Send what would be sent at the next interval: the market has stopped for now."""
