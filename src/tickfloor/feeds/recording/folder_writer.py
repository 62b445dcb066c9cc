"""Writes one venue's folder of a recording: files that follow one another, and their index."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import tickfloor
from tickfloor.contracts.errors import CaptureError
from tickfloor.feeds.recording.capture import VENUES
from tickfloor.feeds.recording.frame_file import FrameFile, Opener, recovered
from tickfloor.feeds.recording.index import (
    FILE_SUFFIX,
    INDEX_NAME,
    FileEntry,
    Index,
    frame_files,
    place_of,
    read_index,
    write_index,
)


class FolderWriter:
    """What is in the folder, and the file that is written now.

    Attributes:
        file: that file; None between two.
        finished: files finished by this writer.
        frames, bytes, compressed_bytes: written by it.
        lost: frames written by it into a file that somebody removed before it was finished.
        leftovers: files that a recorder did not live to finish, and that are still to be recovered.
        news: what somebody should hear of.
    """

    def __init__(
        self,
        folder: Path,
        venue: str,
        *,
        rotate_bytes: int,
        rotate_seconds: float,
        clock: Callable[[], int],
        opener: Opener,
    ) -> None:
        """See :class:`~tickfloor.feeds.recording.recorder.Recorder`; nothing is touched yet."""
        self.file: FrameFile | None = None
        self.finished = 0
        self.frames = 0
        self.bytes = 0
        self.compressed_bytes = 0
        self.lost = 0
        self.leftovers: list[str] = []
        self.news: list[str] = []
        self._folder = folder
        self._venue = venue
        self._rotate_bytes = rotate_bytes
        self._rotate_ns = int(rotate_seconds * 1e9)
        self._clock = clock
        self._opener = opener
        self._entries: list[FileEntry] = []
        self._index_is_behind = False

    def take_over(self) -> None:
        """Go on with the index, and remember what a recorder that was killed has left beside it.

        Raises:
            OSError: the disk refuses.
        """
        try:
            index = read_index(self._folder)
        except CaptureError as error:
            kept = self._folder / f"{INDEX_NAME}.damaged"
            (self._folder / INDEX_NAME).replace(kept)
            self._index_is_behind = True
            self.news.append(f"{error}; it is kept as {kept.name} and made anew from the files")
            index = None
        self._entries = list(index.files) if index else []
        listed = {entry.file for entry in self._entries}
        self.leftovers = [name for name in frame_files(self._folder) if place_of(name) and name not in listed]

    def recover_one(self) -> None:
        """Finish one of the leftovers and add it to the index; the time that it takes is that of reading it."""
        path = self._folder / self.leftovers.pop(0)
        try:
            entry = recovered(path)
        except OSError as error:
            self.news.append(f"{path} was not finished and cannot be: {error.strerror}; the index leaves it out")
            return
        if entry is None:
            self.news.append(f"{path} held nothing and was removed")
            return
        self._entries.append(entry)
        self._entries.sort(key=lambda entry: place_of(entry.file))
        self._index_is_behind = True
        self.news.append(f"{path} was not finished: its {entry.frames:,} whole frames are kept")

    def write(self, lines: Sequence[bytes]) -> None:
        """Write lines, without their ends, into the present file, or begin one.

        Raises:
            OSError: the disk refuses; none of them is written.
        """
        file = self.file = self.file or self._begin_file()
        size, compressed = file.bytes, file.compressed_bytes
        file.append(lines)
        self.frames += len(lines)
        self.bytes += file.bytes - size
        self.compressed_bytes += file.compressed_bytes - compressed

    def check_file(self) -> None:
        """Let go of a present file that was removed, alone or with its folder; another one is begun with the next line.

        Raises:
            OSError: the disk does not say.
        """
        file = self.file
        if file is None or not file.removed:
            return
        self.file = None
        self.lost += file.frames
        self.frames -= file.frames
        self.bytes -= file.bytes
        self.compressed_bytes -= file.compressed_bytes
        file.abandon()
        self.news.append(f"{file.path} was removed while it was written: its {file.frames:,} frames are lost")

    def file_is_due(self) -> bool:
        """Return whether the present file is large or old enough."""
        file = self.file
        return file is not None and (
            file.bytes >= self._rotate_bytes or self._clock() - file.opened_ns >= self._rotate_ns
        )

    def finish_file(self, not_recorded: int) -> None:
        """Finish the present file.

        Raises:
            OSError: the disk refuses; the file is still the present one.
        """
        file = self.file
        if file is None:
            return
        self._entries.append(file.close(not_recorded))
        self.file = None
        self.finished += 1
        self._index_is_behind = True

    def write_index(self) -> None:
        """Write the index, if a file has been finished since.

        Raises:
            OSError: the disk refuses.
        """
        if self._index_is_behind:
            write_index(self._folder, Index(venue=self._venue, files=tuple(self._entries)))
            self._index_is_behind = False

    def _begin_file(self) -> FrameFile:
        # A file that has been taken away leaves its place empty.
        names = [*(entry.file for entry in self._entries), *frame_files(self._folder)]
        place = 1 + max(map(place_of, names), default=0)
        now = self._clock()
        started = datetime.fromtimestamp(now / 1e9, UTC)
        name = f"{self._venue}-{place:06d}-{started:%Y%m%dT%H%M%SZ}"
        exchange, market = next((key for key, venue in VENUES.items() if venue == self._venue), (self._venue, ""))
        provenance = {
            "name": name,
            "exchange": exchange,
            "market": market,
            "venue": self._venue,
            "software": f"tickfloor {tickfloor.__version__}",
            "started": started.isoformat(),
        }
        header = b"# " + msgspec.json.encode(provenance) + b"\n"
        return FrameFile(self._folder / f"{name}{FILE_SUFFIX}", header, now, self._opener)
