"""``sequence_num``: it counts the frames of one connection, over all its channels (``wire-facts.md`` §5.3).

A capture's frames have the numbers of the connection that they were recorded from. Whoever subscribes now has another
one, with answers and heartbeats of its own. So every connection's frames are numbered anew, before anything happens
to them on the way: a frame that is left out leaves its number out, and one that comes twice has the same one twice.
"""

import re
from collections.abc import Callable
from itertools import islice
from typing import Final

from tickfloor.simulator.stream import Stream, Subscriber
from tickfloor.simulator.tampers import Silence

MOST_EXPECTED: Final = 4096
"""Frames that a connection remembers the numbers of, the newest."""
_NUMBER: Final = re.compile(rb'"sequence_num":(\d+)')
_HEAD_BYTES: Final = 256


class Numbers:
    """The numbering of one connection; ``place`` is a frame's place among all that were played."""

    def __init__(self) -> None:
        self._next = 0
        self._by_place: dict[int, int] = {}

    def take(self) -> int:
        """Return the next number."""
        self._next += 1
        return self._next - 1

    def expect(self, place: int) -> None:
        """Give a frame its number, whether it arrives or not."""
        self._by_place[place] = self.take()
        if len(self._by_place) > MOST_EXPECTED:
            del self._by_place[next(islice(self._by_place, 1))]

    def of(self, place: int) -> int:
        """Return a frame's number; the next one if it was held back since before the connection subscribed."""
        found = self._by_place.get(place)
        return self.take() if found is None else found


class NumberedStream(Stream):
    """A stream whose frames carry their place, and are sent with a number for each connection."""

    __slots__ = ("_numbers_of",)

    def __init__(self, numbers_of: Callable[[Subscriber], Numbers], name: str) -> None:
        super().__init__(name)
        self._numbers_of = numbers_of

    def publish(self, payload: bytes) -> None:
        """Send a frame to all subscribers."""
        found = _NUMBER.search(payload, 0, _HEAD_BYTES)
        # A venue that is silent numbers nothing: what is not said is not lost.
        if found is not None and not any(isinstance(each, Silence) and not each.over() for each in self._tampers):
            place = int(found[1])
            for connection in self._plain:
                self._numbers_of(connection).expect(place)
        super().publish(payload)

    def deliver(self, payload: bytes) -> None:
        """Write a frame to all subscribers, as it has come through; one whose number was cut off, as it is."""
        found = _NUMBER.search(payload, 0, _HEAD_BYTES)
        for connection in self._plain:
            number = None if found is None else self._numbers_of(connection).of(int(found[1]))
            connection.send(payload if number is None else numbered(payload, number))
        self.sent += len(self._plain)


def numbered(payload: bytes, number: int) -> bytes:
    """Return a frame with another number; one without a number, or with this one, as it is."""
    found = _NUMBER.search(payload, 0, _HEAD_BYTES)
    if found is None or found[1] == b"%d" % number:
        return payload
    return payload[: found.start(1)] + b"%d" % number + payload[found.end(1) :]
