"""Hostilities that connections suffer."""

import asyncio
from typing import Annotated, ClassVar

from msgspec import Meta
from picows import WSCloseCode

from tickfloor.simulator.connection import Connection
from tickfloor.simulator.errors import HostilityError
from tickfloor.simulator.hostility import Count, Exchange, Hostility, Seconds, counted


class Refuse(Hostility, frozen=True):
    """Answer 503 to whoever wants to connect.

    Attributes:
        seconds: for so long.
    """

    name: ClassVar[str] = "refuse"
    seconds: Seconds = 5.0

    def apply(self, exchange: Exchange) -> str:
        """Begin to refuse."""
        exchange.conditions.refuse_until = exchange.conditions.clock() + self.seconds
        return f"connections are refused for {self.seconds:g} s"


class SilentAck(Hostility, frozen=True):
    """Accept requests to subscribe, and send nothing.

    Attributes:
        requests: the next so many, of all connections.
    """

    name: ClassVar[str] = "silent_ack"
    requests: Count = 1

    def apply(self, exchange: Exchange) -> str:
        """Begin to ignore."""
        exchange.conditions.silent_acks = self.requests
        return f"accepted and ignored: the next {counted(self.requests, 'request')} to subscribe"


class OnConnections(Hostility, frozen=True):
    """A hostility to connections that are open.

    Attributes:
        venue: of venues with such a name; ``*`` and ``?`` as in file names.
        connection: only the one with this number; 0: all of them.
    """

    venue: str = "*"
    connection: Annotated[int, Meta(ge=0)] = 0

    def check(self, exchange: Exchange) -> None:
        """Refuse a venue that there is not; connections come and go."""
        exchange.faces_of(self.venue)

    def apply(self, exchange: Exchange) -> str:
        """Do it to each of them."""
        venues = {face.venue for face in exchange.faces_of(self.venue)}
        chosen = [
            each
            for each in list(exchange.server.connections.values())
            if each.venue in venues and self.connection in (0, each.number)
        ]
        if self.connection and not chosen:
            raise HostilityError(f"there is no connection {self.connection}")
        for each in chosen:
            self._hurt(each)
        return f"{self.name}: {counted(len(chosen), 'connection')}"

    def _hurt(self, connection: Connection) -> None:
        raise NotImplementedError


class Drop(OnConnections, frozen=True):
    """Cut the line without a word."""

    name: ClassVar[str] = "drop"

    def _hurt(self, connection: Connection) -> None:
        connection.drop()


class HalfOpen(OnConnections, frozen=True):
    """Leave the socket open, and neither send nor hear anything any more."""

    name: ClassVar[str] = "half_open"

    def _hurt(self, connection: Connection) -> None:
        connection.muted = True


class Cut(OnConnections, frozen=True):
    """Close as the venue does after 24 hours."""

    name: ClassVar[str] = "cut"

    def _hurt(self, connection: Connection) -> None:
        connection.close(WSCloseCode.OK, "")


class Oversized(OnConnections, frozen=True):
    """Send a message of an unknown kind that is very long.

    Attributes:
        size: bytes.
    """

    name: ClassVar[str] = "oversized"
    size: Annotated[int, Meta(ge=0)] = 8 << 20

    def _hurt(self, connection: Connection) -> None:
        head, tail = b'{"e":"padding","text":"', b'"}'
        connection.send(head + b"x" * max(0, self.size - len(head) - len(tail)) + tail)
        connection.flush()


class Shutdown(OnConnections, frozen=True):
    """Say that the server goes away, and close a little later.

    Attributes:
        after: seconds.
    """

    name: ClassVar[str] = "shutdown"
    after: Seconds = 1.0

    def _hurt(self, connection: Connection) -> None:
        notice = None if connection.session is None else connection.session.going_away()
        if notice is not None:
            connection.send(notice)
            connection.flush()
        asyncio.get_running_loop().call_later(self.after, connection.close, WSCloseCode.GOING_AWAY, "server shutdown")


CONNECTION_HOSTILITIES: tuple[type[Hostility], ...] = (
    Refuse, SilentAck, Drop, HalfOpen, Cut, Oversized, Shutdown,
)  # fmt: skip
