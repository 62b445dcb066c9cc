"""Where a feed's frames come from: recorded files or the simulated market, behind one face."""

from collections.abc import Generator
from typing import Protocol

from tickfloor.contracts.errors import CaptureError
from tickfloor.contracts.events import FeedProblem
from tickfloor.contracts.settings import SimulatedSource
from tickfloor.feeds.capture import MAX_PROBLEMS, Capture
from tickfloor.feeds.merge import MergedFrame, merge
from tickfloor.feeds.simulated import SimulatedMarket


class FrameSource(Protocol):
    """Frames by receive time. A deterministic source gives the same frames every time it is read."""

    venues: tuple[str, ...]
    """venue by the index that a frame carries"""

    def frames(self) -> Generator[MergedFrame]:
        """Yield every frame, from the beginning."""

    def progress(self) -> float:
        """Return how much of the source has been read, 0 to 1."""

    def note(self, index: int, line: int, reason: str) -> None:
        """Take down that a frame could not be used."""

    def problems(self) -> tuple[int, tuple[FeedProblem, ...]]:
        """Return how many problems there were, and the first hundred of each file."""


class CaptureFiles:
    """Captures, merged. A file that cannot be used at all is a problem; the others are used."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._captures: list[Capture] = []
        self._refused: list[FeedProblem] = []
        for path in paths:
            try:
                self._captures.append(Capture(path))
            except CaptureError as error:
                self._refused.append(FeedProblem(file=path, line=1, reason=str(error)))
        self.venues = tuple(capture.venue or "" for capture in self._captures)

    def frames(self) -> Generator[MergedFrame]:
        """Yield every line of every capture by receive time."""
        yield from merge(self._captures)

    def progress(self) -> float:
        """Return the share of compressed bytes that has been read."""
        total = sum(capture.bytes_total for capture in self._captures)
        return sum(capture.bytes_read for capture in self._captures) / total if total else 1.0

    def note(self, index: int, line: int, reason: str) -> None:
        """Take down that a line could not be used."""
        self._captures[index].note(line, reason)

    def problems(self) -> tuple[int, tuple[FeedProblem, ...]]:
        """Return how many problems there were, and the first hundred of each file."""
        shown = [
            FeedProblem(file=problem.file, line=problem.line, reason=problem.reason)
            for capture in self._captures
            for problem in capture.problems[:MAX_PROBLEMS]
        ]
        count = len(self._refused) + sum(capture.problem_count for capture in self._captures)
        return count, (*self._refused, *shown)


class SimulatedFrames:
    """The seeded market, without end."""

    def __init__(self, settings: SimulatedSource) -> None:
        self._settings = settings
        self.venues: tuple[str, ...] = ("binance",)

    def frames(self) -> Generator[MergedFrame]:
        """Yield frames for ever; the same settings give the same frames."""
        settings = self._settings
        yield from SimulatedMarket(
            instruments=settings.instruments,
            ticks_per_second=settings.ticks_per_second,
            seed=settings.seed,
            start_ns=settings.start_ns,
        )

    def progress(self) -> float:
        """Return 0: there is no end."""
        return 0.0

    def note(self, index: int, line: int, reason: str) -> None:
        """Fail: the simulated market's frames are ours, and a bad one is a bug.

        Raises:
            AssertionError: always.
        """
        raise AssertionError(f"simulated frame {line} of source {index}: {reason}")

    def problems(self) -> tuple[int, tuple[FeedProblem, ...]]:
        """Return none."""
        return 0, ()
