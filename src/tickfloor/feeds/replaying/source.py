"""Where a replay's frames come from: recorded files and folders, as one stream."""

from collections.abc import Generator

from tickfloor.contracts.errors import CaptureError
from tickfloor.contracts.events import FeedProblem
from tickfloor.feeds.recording.capture import MAX_PROBLEMS, Capture
from tickfloor.feeds.recording.recording import Recording, opened
from tickfloor.feeds.replaying.merge import MergedFrame, merge


class CaptureFiles:
    """Captures and recordings, merged. One that cannot be used at all is a problem; the others are used.

    Attributes:
        venues: venue by the index that a frame carries; empty where nothing says it.
    """

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._captures: list[Capture | Recording] = []
        self._refused: list[FeedProblem] = []
        for path in paths:
            try:
                self._captures.extend(opened(path))
            except CaptureError as error:
                self._refused.append(FeedProblem(file=path, line=1, reason=str(error)))
        self.venues = tuple(capture.venue or "" for capture in self._captures)

    def frames(self) -> Generator[MergedFrame]:
        """Yield every line of every capture by receive time; the same each time."""
        yield from merge(self._captures)

    def progress(self) -> float:
        """Return the share of compressed bytes that has been read, 0 to 1."""
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
