"""Takes down what a venue sends, as it is received, and never holds up who receives it."""

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tickfloor.feeds.recording.capture_lines import MAX_PAYLOAD_BYTES, frame_line, start_of_line
from tickfloor.feeds.recording.folder_lock import RecordingError, locked
from tickfloor.feeds.recording.folder_writer import FolderWriter
from tickfloor.feeds.recording.frame_file import Opener, open_new
from tickfloor.feeds.recording.secrets import without_secrets

ROTATE_BYTES: Final = 256 << 20
ROTATE_SECONDS: Final = 3600.0
MAX_WAITING_BYTES: Final = 64 << 20
_FLUSH_SECONDS: Final = 0.5
_RETRY_SECONDS: Final = 1.0
_WAKE_BYTES: Final = 1 << 20
_LINES_AT_ONCE: Final = 4096
_MAX_REFS: Final = 4096
_VENUE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]*")


class RecorderStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a recorder has done since it was made.

    Attributes:
        folder: where; file: what is written now, empty between two files.
        files: finished ones.
        frames: recorded and not lost since; bytes: of their text; compressed_bytes: what it takes on the disk.
        waiting_bytes: of text that is not on the disk yet.
        not_recorded: frames that were received and are not in the recording, or not any more.
        trouble: why nothing can be written at the moment; empty if it can.
    """

    folder: str
    file: str
    files: int
    frames: int
    bytes: int
    compressed_bytes: int
    waiting_bytes: int
    not_recorded: int
    trouble: str


class Recorder:
    """Records one venue in a folder of its own, ``FOLDER/VENUE``.

    A thread compresses and writes; whoever calls :meth:`frame` only puts a line into a list. Each half second's
    lines become a gzip member of their own: a recorder that is killed leaves whole lines, and a full disk no half of
    a member. While the disk refuses, lines wait and are tried again each second.
    """

    def __init__(
        self,
        folder: Path | str,
        venue: str,
        *,
        rotate_bytes: int = ROTATE_BYTES,
        rotate_seconds: float = ROTATE_SECONDS,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
        clock: Callable[[], int] = time.time_ns,
        opener: Opener = open_new,
    ) -> None:
        """Make the venue's folder, or go on in it.

        Args:
            folder: of the whole recording.
            venue: for example ``binance-usdm``.
            rotate_bytes: of text after which another file is begun.
            rotate_seconds: after which another file is begun.
            max_waiting_bytes: of text that may wait for the disk; what comes then is not recorded, and counted.
            clock: ns UTC; called in another thread.
            opener: opens a new file.

        Raises:
            RecordingError: the folder cannot be written, or somebody else records in it.
        """
        if not _VENUE_NAME.fullmatch(venue):
            raise RecordingError(f"venue {venue!r} cannot be recorded: its name is to be a folder's")
        self.folder = Path(folder) / venue
        self._max_waiting = max_waiting_bytes
        self._lock = locked(self.folder)
        self._writer = FolderWriter(
            self.folder,
            venue,
            rotate_bytes=rotate_bytes,
            rotate_seconds=rotate_seconds,
            clock=clock,
            opener=opener,
        )
        # Lines are appended by the caller of frame and taken from the front by the thread: under the interpreter's
        # lock each of these is one step, and needs no lock of ours. Of the counters each has one side that adds.
        self._lines: list[bytes] = []
        self._accepted_bytes = 0
        self._written_bytes = 0
        self._not_recorded = 0
        self._missing_in_files = 0
        self._said_missing = 0
        self._wake_at = _WAKE_BYTES
        self._starts: dict[str, bytes] = {}
        self._trouble = ""
        self._wake = threading.Event()
        self._urgent = threading.Event()
        self._closing = False
        self._turn = threading.Condition()
        self._turns = 0
        self._thread = threading.Thread(target=self._run, name=f"record-{venue}", daemon=True)
        self._thread.start()

    def frame(self, recv_ns: int, kind: str, ref: str, payload: bytes) -> None:  # hot path
        """Take down what was received or sent.

        Args:
            recv_ns: receive time, ns UTC.
            kind: ``F`` server's frame, ``S`` client's frame, ``C`` connection (payload = URL), ``H`` HTTP body
                (ref = URL).
            ref: the connection's name, or the URL.
            payload: exactly as received; passwords and keys in URLs and in what we send are left out.

        Raises:
            ValueError: there is no such kind.
        """
        start = self._starts.get(ref) if kind == "F" else None
        line = self._line(recv_ns, kind, ref, payload) if start is None else b"%d%b%b" % (recv_ns, start, payload)
        accepted = self._accepted_bytes + len(line)
        if accepted - self._written_bytes > self._max_waiting or len(payload) > MAX_PAYLOAD_BYTES or self._closing:
            self._not_recorded += 1
            return
        self._accepted_bytes = accepted
        self._lines.append(line)
        if accepted >= self._wake_at:
            self._wake_at = accepted + _WAKE_BYTES
            self._wake.set()

    def flush(self) -> bool:
        """Wait until all that was taken down is written, and return whether it is.

        The disk may refuse, or a file may have been removed before it was finished.
        """
        with self._turn:
            # The turn that is under way may have looked at the lines before the last of them came.
            turn = self._turns + 2
            while self._turns < turn and self._thread.is_alive():
                self._hurry()
                self._turn.wait(0.1)
        return not self._trouble and not self._writer.lost

    def close(self, within: float = 10.0) -> RecorderStatistics:
        """Write the rest and the index, in at most so many seconds, and return how it ended.

        What the disk still refuses is not recorded.
        """
        self._closing = True
        self._hurry()
        self._thread.join(within)
        return self.statistics()

    def statistics(self) -> RecorderStatistics:
        """Return what was done so far."""
        writer, file = self._writer, self._writer.file
        return RecorderStatistics(
            folder=str(self.folder),
            file=file.path.name if file else "",
            files=writer.finished,
            frames=writer.frames,
            bytes=writer.bytes,
            compressed_bytes=writer.compressed_bytes,
            waiting_bytes=self._accepted_bytes - self._written_bytes,
            not_recorded=self._not_recorded + self._writer.lost,
            trouble=self._trouble,
        )

    def news(self) -> list[str]:
        """Return what happened since the last call that somebody should hear of."""
        news = self._writer.news
        said = news[:]
        del news[: len(said)]
        return said

    def _line(self, recv_ns: int, kind: str, ref: str, payload: bytes) -> bytes:
        """Return a line of which a secret must be left out, or whose ref is new."""
        ref, payload = without_secrets(kind, ref, payload)
        start = start_of_line(kind, ref) if kind == "F" else None
        if start is not None:
            if len(self._starts) >= _MAX_REFS:
                self._starts.clear()
            self._starts[ref] = start
        return frame_line(recv_ns, kind, ref, payload)

    def _hurry(self) -> None:
        self._urgent.set()
        self._wake.set()

    def _run(self) -> None:
        """Write, in the thread, until the recorder is closed."""
        taken_over = False
        try:
            closing = False
            while not closing:
                event, seconds = (self._urgent, _RETRY_SECONDS) if self._trouble else (self._wake, _FLUSH_SECONDS)
                event.wait(seconds)
                self._wake.clear()
                self._urgent.clear()
                # Before the lines are looked at: all that was taken down before it was set is among them.
                closing = self._closing
                try:
                    if not taken_over:
                        self._writer.take_over()
                        taken_over = True
                    self._writer.check_file()
                    self._write_lines()
                    self._recover(closing)
                    if closing:
                        self._finish_file()
                    self._writer.write_index()
                    self._say_well()
                except OSError as error:
                    self._say_trouble(error)
                with self._turn:
                    self._turns += 1
                    self._turn.notify_all()
        finally:
            self._end()

    def _write_lines(self) -> None:
        """Write all that waits; what cannot be written goes on waiting.

        Raises:
            OSError: the disk refuses.
        """
        while True:
            if self._writer.file_is_due():
                self._finish_file()
            taken = self._lines[:_LINES_AT_ONCE]
            if not taken:
                return
            self._writer.write(taken)
            del self._lines[: len(taken)]
            self._written_bytes += sum(map(len, taken))

    def _recover(self, closing: bool) -> None:
        """Finish what a killed recorder left, as long as nothing waits; an ending one leaves it to the next."""
        while self._writer.leftovers and not closing:
            self._writer.recover_one()
            self._write_lines()
            closing = self._closing

    def _finish_file(self) -> None:
        missing = self._not_recorded + self._writer.lost
        self._writer.finish_file(missing - self._missing_in_files)
        self._missing_in_files = missing

    def _say_trouble(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        if reason != self._trouble:
            self._writer.news.append(f"{self.folder} cannot be written: {reason}; it is tried again each second")
        self._trouble = reason

    def _say_well(self) -> None:
        missing = self._not_recorded - self._said_missing
        self._said_missing += missing
        if self._trouble:
            self._trouble = ""
            self._writer.news.append(f"{self.folder} can be written again; {missing:,} frames are not recorded")
        elif missing:
            reason = "they came faster than they could be written, or were too long"
            self._writer.news.append(f"{self.folder}: {missing:,} frames are not recorded: {reason}")

    def _end(self) -> None:
        """Count what is left, and let others record here."""
        if not self._closing:
            # A bug ends the thread, and nothing else does; what comes now is counted.
            self._trouble = "the recorder has failed"
            self._closing = True
        if self._lines:
            self._not_recorded += len(self._lines)
            self._writer.news.append(f"{self.folder}: the last {len(self._lines):,} frames are not recorded")
            self._lines.clear()
        if self._writer.file is not None:
            self._writer.file.abandon()
        os.close(self._lock)
