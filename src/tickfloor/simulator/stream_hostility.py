"""Hostilities that the frames of streams suffer."""

from typing import ClassVar

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.hostility import Count, Exchange, Hostility, Seconds, counted
from tickfloor.simulator.stream import Tamper
from tickfloor.simulator.tampers import Backwards, Break, FalseChecksum, LeaveOut, Silence, Twice


class OnStreams(Hostility, frozen=True):
    """A hostility to streams; if there is no such one yet, to the first that is.

    Attributes:
        stream: with such a name, for example ``btcusdt@trade``; ``*`` and ``?`` as in file names.
        venue: of venues with such a name.
    """

    stream: str = "*"
    venue: str = "*"

    def apply(self, exchange: Exchange) -> str:
        """Do it to each of them."""
        found = sum(
            face.streams.tamper(self.stream, lambda: self._tamper(exchange.conditions))
            for face in exchange.faces_of(self.venue)
        )
        return f"{self.name}: {counted(found, 'stream')}"

    def _tamper(self, conditions: Conditions) -> Tamper:
        raise NotImplementedError


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

    def _tamper(self, conditions: Conditions) -> Tamper:
        del conditions
        return FalseChecksum(self.frames)


STREAM_HOSTILITIES: tuple[type[Hostility], ...] = (
    SilentChannel, Gap, Duplicate, Reorder, Malformed, WrongChecksum,
)  # fmt: skip
