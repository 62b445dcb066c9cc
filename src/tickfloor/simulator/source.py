"""Where frames come from: a seeded market, or captures."""

from collections.abc import Collection, Mapping
from typing import Protocol

from tickfloor.simulator.face import Face


class Source(Protocol):
    """What the simulator drives.

    Attributes:
        faces: the venues.
        now_ns: market time up to which everything was sent, ns UTC.
        ended: there is nothing more to come.
    """

    faces: list[Face]
    now_ns: int
    ended: bool

    def recorded(self) -> Mapping[str, Collection[str]]:
        """Return the names of the recorded streams by venue; none where nothing was recorded."""

    def ready(self) -> bool:
        """Say whether it can begin."""

    def advance(self, to_ns: int) -> bool:
        """Send some of what is due by a market time; say whether there is more due now."""
