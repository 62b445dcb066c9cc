"""Hostilities of a venue's REST, clock and numbering."""

from typing import Annotated, ClassVar, Final

from msgspec import Meta

from tickfloor.simulator.errors import HostilityError
from tickfloor.simulator.hostility import Count, Exchange, Hostility, Seconds

MOST_AHEAD: Final = 86_400.0
"""Seconds; a clock that is wrong by more than a day is another kind of trouble."""


class SlowSnapshot(Hostility, frozen=True):
    """The answer to a request for a book is taken at once and sent late.

    Attributes:
        delay: by so many seconds.
        seconds: for so long.
    """

    name: ClassVar[str] = "slow_snapshot"
    delay: Seconds = 3.0
    seconds: Seconds = 60.0

    def apply(self, exchange: Exchange) -> str:
        """Begin to be slow."""
        exchange.conditions.slow_snapshots(self.delay, self.seconds)
        return f"books take {self.delay:g} s for {self.seconds:g} s"


class TooMany(Hostility, frozen=True):
    """Answer 429 to every REST request.

    Attributes:
        seconds: for so long.
        retry_after: seconds that the answer says.
    """

    name: ClassVar[str] = "too_many"
    seconds: Seconds = 5.0
    retry_after: Annotated[int, Meta(ge=0)] = 5

    def apply(self, exchange: Exchange) -> str:
        """Begin to refuse."""
        return _answer(exchange, 429, self.seconds, self.retry_after)


class Banned(Hostility, frozen=True):
    """Answer 418 to every REST request.

    Attributes:
        seconds: for so long.
        retry_after: seconds that the answer says.
    """

    name: ClassVar[str] = "banned"
    seconds: Seconds = 10.0
    retry_after: Annotated[int, Meta(ge=0)] = 10

    def apply(self, exchange: Exchange) -> str:
        """Begin to refuse."""
        return _answer(exchange, 418, self.seconds, self.retry_after)


def _answer(exchange: Exchange, status: int, seconds: float, retry_after: int) -> str:
    conditions = exchange.conditions
    conditions.answer_status = status
    conditions.answer_until = conditions.clock() + seconds
    conditions.retry_after = retry_after
    return f"REST answers {status} for {seconds:g} s"


class ClockSkew(Hostility, frozen=True):
    """The venue's clock is wrong from now on, in everything that it stamps.

    Attributes:
        ahead: seconds; negative: behind.
        venue: venues with such a name.
    """

    name: ClassVar[str] = "clock_skew"
    ahead: Annotated[float, Meta(ge=-MOST_AHEAD, le=MOST_AHEAD)] = 5.0
    venue: str = "*"

    def check(self, exchange: Exchange) -> None:
        """Refuse a venue that there is not."""
        exchange.faces_of(self.venue)

    def apply(self, exchange: Exchange) -> str:
        """Set the clock."""
        for face in exchange.faces_of(self.venue):
            face.skew(int(self.ahead * 1e9))
        return f"clocks are {self.ahead:g} s ahead"


class Burst(Hostility, frozen=True):
    """Much happens at one moment.

    Attributes:
        events: orders and quotes; of a capture: frames.
        venue: venues with such a name.
    """

    name: ClassVar[str] = "burst"
    events: Count = 5000
    venue: str = "*"

    def check(self, exchange: Exchange) -> None:
        """Refuse a venue that there is not."""
        exchange.faces_of(self.venue)

    def apply(self, exchange: Exchange) -> str:
        """Let it happen."""
        for face in exchange.faces_of(self.venue):
            face.burst(self.events)
        return f"{self.events} events at once"


class SequenceReset(Hostility, frozen=True):
    """A symbol's book is numbered anew, from far below; as after a restart of the venue, connections drop.

    Attributes:
        symbol: the venue's own.
        venue: venues with such a name.
        trades: number its trades anew too, from 1.
        drop: cut the venue's connections.
    """

    name: ClassVar[str] = "sequence_reset"
    symbol: str
    venue: str = "*"
    trades: bool = False
    drop: bool = True

    def check(self, exchange: Exchange) -> None:
        """Refuse a venue that there is not."""
        exchange.faces_of(self.venue)

    def apply(self, exchange: Exchange) -> str:
        """Number anew."""
        venues = set()
        refusal: HostilityError | None = None
        for face in exchange.faces_of(self.venue):
            try:
                face.reset_sequence(self.symbol, trades=self.trades)
                venues.add(face.venue)
            except HostilityError as error:
                refusal = error
        if refusal is not None and not venues:
            raise refusal
        for connection in list(exchange.server.connections.values()):
            if self.drop and connection.venue in venues:
                connection.drop()
        return f"{self.symbol} is numbered anew"


VENUE_HOSTILITIES: tuple[type[Hostility], ...] = (SlowSnapshot, TooMany, Banned, ClockSkew, Burst, SequenceReset)
