"""Hostilities that the frames of streams suffer."""

from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import ClassVar, Final

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import HostilityError
from tickfloor.simulator.face import Face
from tickfloor.simulator.hostility import Count, Exchange, Hostility, Seconds, counted
from tickfloor.simulator.stream import Stream, Tamper
from tickfloor.simulator.tampers import Backwards, Break, FalseChecksum, LeaveOut, Silence, Twice
from tickfloor.simulator.venues import CHECKSUMMED

NAMED: Final = 12
"""Streams that a refusal names, the nearest first."""


class OnStreams(Hostility, frozen=True):
    """A hostility to streams; if there is no such one yet, to the first that is.

    Attributes:
        stream: with such a name, for example ``btcusdt@trade``; ``*`` and ``?`` as in file names.
        venue: of venues with such a name.
    """

    stream: str = "*"
    venue: str = "*"

    def check(self, exchange: Exchange) -> None:
        """Refuse a name that no stream can have."""
        self._reached(exchange)

    def apply(self, exchange: Exchange) -> str:
        """Do it to each of them."""
        found = [self._begin(face, exchange.conditions) for face in self._reached(exchange)]
        heard = sum(stream.heard for streams in found for stream in streams)
        if not heard:
            return f"{self.name}: no stream of that name yet; waits for one"
        waits = any(not streams or not all(stream.heard for stream in streams) for streams in found)
        return f"{self.name}: {counted(heard, 'stream')}{', and others when they are asked for' if waits else ''}"

    def _tamper(self, conditions: Conditions) -> Tamper:
        raise NotImplementedError

    def _faces(self, exchange: Exchange) -> list[Face]:
        """Return the venues that can suffer it."""
        return exchange.faces_of(self.venue)

    def _suffers(self, venue: str, name: str) -> bool:
        """Say whether a stream of a venue can suffer it."""
        del venue, name
        return True

    def _begin(self, face: Face, conditions: Conditions) -> list[Stream]:
        return face.streams.tamper(lambda name: self._fits(face.venue, name), lambda: self._tamper(conditions))

    def _fits(self, venue: str, name: str) -> bool:
        return fnmatchcase(name, self.stream) and self._suffers(venue, name)

    def _reached(self, exchange: Exchange) -> list[Face]:
        """Return the venues that have such streams, or can have them.

        Raises:
            HostilityError: none can.
        """
        faces = self._faces(exchange)
        reached = [face for face in faces if any(self._fits(face.venue, name) for name in face.stream_names())]
        if reached:
            return reached
        names = [name for face in faces for name in face.stream_names() if self._suffers(face.venue, name)]
        venues = " or ".join(face.venue for face in faces)
        raise HostilityError(
            f"{self.name}: no stream of {venues} is called {self.stream!r}; there are {_nearest(self.stream, names)}"
        )


class SilentChannel(OnStreams, frozen=True):
    """Nothing comes any more; the connection lives.

    Attributes:
        seconds: for so long.
    """

    name: ClassVar[str] = "silent_channel"
    seconds: Seconds = 60.0

    def _tamper(self, conditions: Conditions) -> Tamper:
        return Silence(conditions.clock() + self.seconds, conditions.clock)


class OnFrames(OnStreams, frozen=True):
    """A hostility to the next frames of each stream.

    Attributes:
        frames: how many.
    """

    frames: Count = 1


class Gap(OnFrames, frozen=True):
    """Frames are left out."""

    name: ClassVar[str] = "gap"

    def _tamper(self, conditions: Conditions) -> Tamper:
        del conditions
        return LeaveOut(self.frames)


class Duplicate(OnFrames, frozen=True):
    """Frames come twice."""

    name: ClassVar[str] = "duplicate"

    def _tamper(self, conditions: Conditions) -> Tamper:
        del conditions
        return Twice(self.frames)


class Reorder(OnFrames, frozen=True):
    """Frames come in reverse order."""

    name: ClassVar[str] = "reorder"
    frames: Count = 2

    def _tamper(self, conditions: Conditions) -> Tamper:
        del conditions
        return Backwards(self.frames)


class Malformed(OnFrames, frozen=True):
    """Half of a frame comes.

    Attributes:
        instead: of the whole one; otherwise before it.
    """

    name: ClassVar[str] = "malformed"
    instead: bool = False

    def _tamper(self, conditions: Conditions) -> Tamper:
        del conditions
        return Break(self.frames, instead=self.instead)


class WrongChecksum(OnFrames, frozen=True):
    """Frames that have a checksum have a wrong one."""

    name: ClassVar[str] = "wrong_checksum"

    def _faces(self, exchange: Exchange) -> list[Face]:
        faces = exchange.faces_of(self.venue)
        checked = [face for face in faces if face.venue in CHECKSUMMED]
        if not checked:
            venues = " and ".join(face.venue for face in faces)
            raise HostilityError(
                f"{self.name}: frames of {venues} have no checksums; those of {', '.join(CHECKSUMMED)} have"
            )
        return checked

    def _suffers(self, venue: str, name: str) -> bool:
        return fnmatchcase(name, CHECKSUMMED[venue])

    def _tamper(self, conditions: Conditions) -> Tamper:
        del conditions
        return FalseChecksum(self.frames)


def _nearest(asked: str, names: list[str]) -> str:
    """Return names as they are listed: those first that come near to what was asked for, in whatever case."""
    by_lower = {name.lower(): name for name in names}
    near = [by_lower[each] for each in get_close_matches(asked.lower(), by_lower, n=NAMED)]
    listed = list(dict.fromkeys([*near, *names]))[:NAMED]
    more = len(names) - len(listed)
    return (", ".join(listed) or "none") + (f" and {more:,} more" if more else "")


STREAM_HOSTILITIES: tuple[type[Hostility], ...] = (
    SilentChannel, Gap, Duplicate, Reorder, Malformed, WrongChecksum,
)  # fmt: skip
