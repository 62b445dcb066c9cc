"""Book events that are kept until a snapshot comes, of all books of a market within one bound.

While REST is barred no book gets its snapshot, and each of hundreds would keep what it is sent for hours.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from tickfloor.market.book import Level

MAX_WAITING_EVENTS: Final = 10_000
"""Of one book."""
MAX_WAITING_LEVELS: Final = 1_000_000
"""Of all books together, some 130 bytes each."""
LEVELS_OF_AN_EVENT: Final = 4
"""What an event itself takes is as much as so many levels."""


class BookEvent(NamedTuple):
    """One event: first, last and previous id, venue time in ns, and the levels."""

    first_id: int
    last_id: int
    previous_id: int | None
    ts_event: int
    bids: list[Level]
    asks: list[Level]


class WaitingRoom:
    """What the books of a market keep together."""

    __slots__ = ("_kept", "_most", "_queues")

    def __init__(self, most: int = MAX_WAITING_LEVELS) -> None:
        """Begin empty.

        Args:
            most: levels that may be kept; an event itself counts as :data:`LEVELS_OF_AN_EVENT`.
        """
        self._most = most
        self._kept = 0
        self._queues: list[WaitingEvents] = []

    def queue(self) -> "WaitingEvents":
        """Return what keeps the events of another book."""
        queue = WaitingEvents(self)
        self._queues.append(queue)
        return queue

    def kept(self, levels: int) -> None:
        """Note that more is kept, or less; where it is too much, the book that keeps the most forgets it all.

        Only a snapshot from after what was forgotten is of use to it then. As long as none can be had that is no loss.
        """
        self._kept += levels
        while self._kept > self._most:
            max(self._queues, key=lambda queue: queue.levels).forget()


class WaitingEvents:
    """The events that one book keeps, the oldest first.

    Attributes:
        levels: what they take of the room.
        overflowed: events forgotten because no snapshot came for too long.
    """

    __slots__ = ("_events", "_room", "levels", "overflowed")

    def __init__(self, room: WaitingRoom) -> None:
        self._room = room
        self._events: deque[BookEvent] = deque()
        self.levels = 0
        self.overflowed = 0

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[BookEvent]:
        return iter(self._events)

    def append(self, event: BookEvent) -> bool:
        """Keep an event; say whether nothing, or not all, of what came before it is kept."""
        self._events.append(event)
        self._account(event, 1)
        if len(self._events) > MAX_WAITING_EVENTS:
            self._account(self._events.popleft(), -1)
            self.overflowed += 1
            return True
        return len(self._events) <= 1

    def forget(self) -> None:
        """Drop what is kept, for want of room."""
        self.overflowed += len(self._events)
        self.clear()

    def clear(self) -> None:
        """Drop what is kept; it is of no use any more."""
        self._events.clear()
        levels, self.levels = self.levels, 0
        self._room.kept(-levels)

    def _account(self, event: BookEvent, times: int) -> None:
        levels = times * (LEVELS_OF_AN_EVENT + len(event.bids) + len(event.asks))
        self.levels += levels
        self._room.kept(levels)
