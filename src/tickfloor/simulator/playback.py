"""Recorded sessions served again: every frame as it was, when it is due."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, Protocol

from tickfloor.feeds.recording.recording import opened
from tickfloor.feeds.replaying.merge import MergedFrame, merge
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import SimulatorError
from tickfloor.simulator.face import Face
from tickfloor.simulator.settings import SimulatorSettings

STEP_FRAMES: Final = 256
"""Frames between two writes."""
PROGRESS_LINES: Final = 1024
"""Lines between two words about the progress."""


class RecordedFace(Face, Protocol):
    """A venue over what was recorded of it.

    Attributes:
        hurry: how many more frames are sent before they are due.
    """

    hurry: int

    def know(self, recv_ns: int, kind: str, ref: str, payload: bytes) -> None:
        """Look at a line of the capture before anything is served.

        Args:
            kind: ``F`` for a frame, ``H`` for an HTTP body; see :mod:`tickfloor.feeds.recording.capture`.

        Raises:
            SimulatorError: it cannot be served.
        """

    def play(self, recv_ns: int, payload: bytes) -> None:
        """Send a frame to those who want it."""


MakeFace = Callable[[SimulatorSettings, Conditions], RecordedFace]
Progress = Callable[[int, int], None]
"""Told now and then how many bytes of the captures were read, and of how many."""


def unheard(_read: int, _of: int) -> None:
    """Tell nobody about the progress."""


class PlaybackSource:
    """Captures, merged by receive time, in market time: the receive time of the recording.

    Attributes:
        played: frames so far.
    """

    def __init__(
        self,
        settings: SimulatorSettings,
        conditions: Conditions,
        known: Mapping[str, MakeFace],
        progress: Progress = unheard,
    ) -> None:
        """Read the captures once, to know what they hold.

        Raises:
            CaptureError: one cannot be read.
            SimulatorError: one is of a venue without a face, or holds nothing.
        """
        self._captures = [capture for path in settings.captures for capture in opened(path)]
        self._settle_seconds = settings.settle_seconds
        self._clock = conditions.clock
        by_venue: dict[str, RecordedFace] = {}
        self._by_capture: list[RecordedFace] = []
        for capture in self._captures:
            venue = capture.venue or "unknown"
            make = known.get(venue)
            if make is None:
                raise SimulatorError(
                    f"capture {capture.path} is of {venue}, which has no face; there are {', '.join(sorted(known))}"
                )
            face = by_venue.get(venue) or make(settings, conditions)
            by_venue[venue] = face
            self._by_capture.append(face)
        self._recorded = list(by_venue.values())
        self.faces: list[Face] = [*self._recorded]
        self.now_ns = self._look(progress)
        self.ended = False
        self.played = 0
        self._frames: Iterator[MergedFrame] = merge(self._captures)
        self._next: MergedFrame | None = next(self._frames, None)
        self._subscriptions = 0
        self._changed = 0.0

    def recorded(self) -> Mapping[str, Collection[str]]:
        """Return the names of the streams by venue."""
        return {face.venue: face.stream_names() for face in self._recorded}

    def ready(self) -> bool:
        """Say whether clients have asked for streams, and for no more for a while."""
        if self.played:
            return True
        now = self._clock()
        subscriptions = sum(face.streams.subscriptions() for face in self.faces)
        if subscriptions != self._subscriptions:
            self._subscriptions, self._changed = subscriptions, now
        return subscriptions > 0 and now - self._changed >= self._settle_seconds

    def advance(self, to_ns: int) -> bool:
        """Send frames that are due, at most so many that others get a turn."""
        for _ in range(STEP_FRAMES):
            frame = self._next
            if frame is None:
                self.ended = True
                return False
            recv_ns, index, kind, _, payload, _ = frame
            face = self._by_capture[index]
            if kind == "F":
                if recv_ns > to_ns and not face.hurry:
                    return False
                face.hurry = max(0, face.hurry - 1)
                # Receive times may go back within a capture; the market's time does not.
                self.now_ns = max(self.now_ns, recv_ns)
                self.played += 1
                face.play(recv_ns, payload)
            self._next = next(self._frames, None)
        return True

    def _look(self, progress: Progress) -> int:
        """Show every line to its face; return the first frame's time."""
        first = 0
        size = sum(capture.bytes_total for capture in self._captures)
        for number, (recv_ns, index, kind, ref, payload, _) in enumerate(merge(self._captures)):
            if number % PROGRESS_LINES == 0:
                progress(sum(capture.bytes_read for capture in self._captures), size)
            self._by_capture[index].know(recv_ns, kind, ref, payload)
            if kind == "F" and not first:
                first = recv_ns
        for face in self._recorded:
            if not face.stream_names():
                raise SimulatorError(f"the captures of {face.venue} hold no frame that names its stream")
        return first
