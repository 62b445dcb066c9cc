"""Reads a recording: the files of one venue's folder, one after the other, as one capture."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tickfloor.contracts.errors import CaptureError
from tickfloor.feeds.recording.capture import Capture, CapturedFrame, Problem
from tickfloor.feeds.recording.index import (
    FILE_SUFFIX,
    INDEX_NAME,
    FileEntry,
    Index,
    frame_files,
    in_order,
    read_index,
)
from tickfloor.feeds.recording.scan import scan

OVERLAP_NS: Final = 1_000_000_000
"""Receive times may go back so far from one file to the next: a recorder that is started again takes its time anew."""


class Recording:
    """One venue's files, read as one capture with lines numbered through. Iterating reads it from the beginning.

    Attributes:
        path: the folder.
        venue: for example ``binance-usdm``; None where nothing says whose frames they are (a problem then).
        entries: what the index says, in order.
        unfinished: names of the files that it does not list: still written, or their recorder was killed.
        bytes_total: size of the files, for progress.
    """

    def __init__(self, folder: Path | str) -> None:
        """Open the folder of one venue and read its index and the first line of each file.

        Without a readable index the files are read in the order of their names, and that is a problem.

        Raises:
            CaptureError: the folder cannot be read, or its venue is none of ours.
        """
        self.path = Path(folder)
        self._found: list[Problem] = []
        self._parts: list[Capture] = []
        self._starts: list[int] = []
        index = self._read_index()
        self.entries: Sequence[FileEntry] = index.files if index else ()
        try:
            present = frame_files(self.path)
        except OSError as error:
            raise CaptureError(f"recording {self.path} cannot be read: {error.strerror}") from error
        listed = {entry.file: entry for entry in self.entries}
        self.unfinished = tuple(name for name in present if name not in listed)
        self.venue: str | None = index.venue if index else None
        for name in sorted({*listed, *self.unfinished}, key=in_order):
            if name in present:
                self._add(self.path / name)
            else:
                entry = listed[name]
                self._find(name, f"it is missing, and {entry.frames:,} frames with it")
        for name, reason in overlaps(self.entries):
            self._find(name, reason)
        if not self._parts:
            self._find("", "there is no file of frames")
        self.bytes_total = sum(part.bytes_total for part in self._parts)

    @property
    def bytes_read(self) -> int:
        """How much of the files the current iteration has read."""
        return sum(part.bytes_read for part in self._parts[: len(self._starts)])

    @property
    def problems(self) -> list[Problem]:
        """The first things that could not be used, of the folder and in the newest iteration."""
        return [*self._found, *(problem for part in self._parts for problem in part.problems)]

    @property
    def problem_count(self) -> int:
        """All of them."""
        return len(self._found) + sum(part.problem_count for part in self._parts)

    def note(self, line: int, reason: str) -> None:
        """Add a problem that others find wrong with a line's frame."""
        at = max(0, bisect_left(self._starts, line) - 1)
        self._parts[at].note(line - self._starts[at], reason)

    def __iter__(self) -> Iterator[CapturedFrame]:
        """Yield every readable line of every file, in order."""
        self._starts = []
        start = 0
        for part in self._parts:
            self._starts.append(start)
            line = 1
            for recv_ns, kind, ref, payload, line in part:
                yield recv_ns, kind, ref, payload, start + line
            start += line

    def verify(self) -> list[Problem]:
        """Read every file and return what is not as the index says: missing, changed, overlapping, damaged."""
        problems = list(self._found)
        for entry in self.entries:
            path = self.path / entry.file
            if path.exists():
                problems.extend(Problem(str(path), 0, reason) for reason in changes(path, entry))
        for name in self.unfinished:
            path = self.path / name
            problems.append(Problem(str(path), 0, "the index does not list it: it is not finished, or not of here"))
        return problems

    def _read_index(self) -> Index | None:
        try:
            return read_index(self.path)
        except CaptureError as error:
            self._find(INDEX_NAME, f"{error}; the files are read in the order of their names, unverified")
            return None

    def _add(self, path: Path) -> None:
        try:
            part = Capture(path)
        except CaptureError as error:
            if not path.exists():
                # A recorder that is starting has just removed what held nothing.
                return
            if self.venue is None:
                raise
            self._find(path.name, str(error))
            return
        self.venue = self.venue or part.venue
        if part.venue not in (self.venue, None):
            self._find(path.name, f"it is of {part.venue}, and the others are of {self.venue}; it is left out")
            return
        self._parts.append(part)

    def _find(self, name: str, reason: str) -> None:
        self._found.append(Problem(str(self.path / name), 0, reason))


def overlaps(entries: Sequence[FileEntry]) -> Iterator[tuple[str, str]]:
    """Yield each file that begins before an earlier one ends, and what is to be said of it."""
    longest: FileEntry | None = None
    for entry in entries:
        if longest is not None and entry.first_recv_ns < longest.last_recv_ns - OVERLAP_NS:
            seconds = (longest.last_recv_ns - entry.first_recv_ns) / 1e9
            yield entry.file, f"it overlaps {longest.file} by {seconds:,.3f} s"
        if longest is None or entry.last_recv_ns > longest.last_recv_ns:
            longest = entry


def changes(path: Path, entry: FileEntry) -> Iterator[str]:
    """Yield how a file differs from what the index says of it."""
    try:
        found = scan(path)
    except OSError as error:
        yield f"it cannot be read: {error.strerror}"
        return
    if found.damage:
        yield found.damage
    if found.sha256 != entry.sha256:
        yield (
            f"it was changed: {found.lines:,} frames, {found.bytes:,} bytes, SHA-256 {found.sha256[:12]}…; "
            f"the index says {entry.frames:,} frames, {entry.bytes:,} bytes, SHA-256 {entry.sha256[:12]}…"
        )
    elif (found.lines, found.first_recv_ns, found.last_recv_ns) != (
        entry.frames,
        entry.first_recv_ns,
        entry.last_recv_ns,
    ):
        yield "it is as it was recorded, and the index says something else of its frames or times"


def recordings_in(folder: Path) -> list[Path]:
    """Return the folders of the venues that are recorded in a folder; itself, where it is such a one.

    Raises:
        CaptureError: the folder cannot be read, or holds no recording.
    """
    try:
        if _is_recording(folder):
            return [folder]
        found = sorted(path for path in folder.iterdir() if path.is_dir() and _is_recording(path))
    except OSError as error:
        raise CaptureError(f"recording {folder} cannot be read: {error.strerror}") from error
    if not found:
        raise CaptureError(f"folder {folder} holds no recording: no {INDEX_NAME} and no file *{FILE_SUFFIX}")
    return found


def opened(path: Path | str) -> list[Capture | Recording]:
    """Return the captures at a path: a file, a venue's folder, or a folder of such folders.

    Raises:
        CaptureError: there is none, it cannot be read, or its venue is none of ours.
    """
    path = Path(path)
    return [Recording(folder) for folder in recordings_in(path)] if path.is_dir() else [Capture(path)]


def files_of(path: Path) -> list[Path]:
    """Return the capture files at a path, in order, for what reads them as files.

    Raises:
        CaptureError: it is a folder that cannot be read or holds no recording.
    """
    if not path.is_dir():
        return [path]
    return [folder / name for folder in recordings_in(path) for name in frame_files(folder)]


def _is_recording(folder: Path) -> bool:
    return (folder / INDEX_NAME).exists() or any(folder.glob(f"*{FILE_SUFFIX}"))
