"""``tickfloor record``: exchanges written down as they are, and what was written."""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import typer

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.feeds_reached import say_where
from tickfloor.cli.output import counted, data, fail, say
from tickfloor.cli.run import require_recordable, require_venues
from tickfloor.cli.run_floor import run_floor
from tickfloor.cli.settings import read_config
from tickfloor.cli.table import UNKNOWN, Cell, Column, show_table
from tickfloor.cli.venue_time import time_text
from tickfloor.contracts.errors import CaptureError
from tickfloor.contracts.settings import ConsoleSettings, LiveSource
from tickfloor.feeds.recording.index import FileEntry
from tickfloor.feeds.recording.recording import Recording, recordings_in
from tickfloor.floor import FloorPlan

_MIB = 1 << 20
_COLUMNS = (
    Column("venue"),
    Column("file", gives_way=True),
    Column("from"),
    Column("to"),
    Column("frames", right=True),
    Column("MiB", right=True),
    Column("not recorded", right=True),
    Column("state"),
)


def run_record(into: Path, seconds: float, config: Path | None) -> None:
    """Record the venues of a settings file, without traders, for so many seconds or until Ctrl-C (0)."""
    settings = read_config(config)
    require_venues(settings, config)
    require_recordable(settings)
    _make(into)
    before = {(venue, entry.file) for venue, entry in _entries(into)}
    started_ns = time.time_ns()
    plan = FloorPlan(
        source=LiveSource(
            venues=settings.venues,
            record=str(into.absolute()),
            ahead_ns=settings.begins_ns - started_ns if settings.begins_ns else 0,
        ),
        identity=f"record-{started_ns}",
        tape="record",
        traders=(),
        replay=False,
        console=ConsoleSettings(view="floor", live=sys.stdout.isatty(), stream="stdout"),
    )
    say(f"recording {', '.join(venue.venue for venue in settings.venues)} into {into}")
    say_where(settings)
    # Nobody signals anything; a floor has a database all the same.
    with tempfile.TemporaryDirectory(prefix="tickfloor-record-") as folder:
        settings = msgspec.structs.replace(settings, database=str(Path(folder) / "record.db"))
        outcome = run_floor(settings, plan, None, seconds or None)
    written = [(venue, entry) for venue, entry in _entries(into) if (venue, entry.file) not in before]
    _summarise(written)
    for problem in outcome.feed.problems:
        say(f"{problem.file}: {problem.reason}")
    if not written or any(entry.not_recorded for _, entry in written):
        raise typer.Exit(ExitCode.FAILURE)
    if outcome.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)


def show_recording(folder: Path, as_json: bool) -> None:
    """Show the files of a recording by its index."""
    recordings = _recordings(folder)
    if as_json:
        data(msgspec.json.encode([_shown(recording) for recording in recordings]).decode())
        return
    rows = [row for recording in recordings for row in _rows(recording)]
    show_table(_COLUMNS, rows)
    for recording in recordings:
        for problem in recording.problems:
            say(f"{problem.file}: {problem.reason}")


def verify_recording(folder: Path, as_json: bool) -> None:
    """Read every file of a recording and compare it with its index; exit code 1 if anything is not as it was."""
    recordings = _recordings(folder)
    problems = [problem for recording in recordings for problem in recording.verify()]
    files = sum(len(recording.entries) for recording in recordings)
    frames = sum(entry.frames for recording in recordings for entry in recording.entries)
    if as_json:
        shown = [{"file": problem.file, "reason": problem.reason} for problem in problems]
        data(msgspec.json.encode({"files": files, "frames": frames, "problems": shown}).decode())
    else:
        for problem in problems:
            say(f"{problem.file}: {problem.reason}")
        data(f"{counted(files, 'file')}, {counted(frames, 'frame')}, {counted(len(problems), 'problem')}")
    if problems:
        raise typer.Exit(ExitCode.FAILURE)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{folder} cannot be recorded into: {error.strerror}")
    if not os.access(folder, os.W_OK | os.X_OK):
        fail(f"{folder} cannot be recorded into: permission denied")


def _entries(folder: Path) -> list[tuple[str, FileEntry]]:
    """Return what is finished in a folder, by venue; nothing where nothing is recorded yet."""
    try:
        recordings = [Recording(each) for each in recordings_in(folder)]
    except CaptureError:
        return []
    return [(recording.venue or "", entry) for recording in recordings for entry in recording.entries]


def _recordings(folder: Path) -> list[Recording]:
    if not folder.is_dir():
        fail(f"there is no folder {folder}", ExitCode.NOT_FOUND)
    try:
        return [Recording(each) for each in recordings_in(folder)]
    except CaptureError as error:
        fail(str(error))


def _summarise(written: list[tuple[str, FileEntry]]) -> None:
    for venue in dict.fromkeys(venue for venue, _ in written):
        entries = [entry for name, entry in written if name == venue]
        compressed = sum(entry.compressed_bytes for entry in entries) / _MIB
        missing = sum(entry.not_recorded for entry in entries)
        data(
            f"{venue:<16} {counted(sum(entry.frames for entry in entries), 'frame')}, "
            f"{counted(len(entries), 'file')}, {compressed:,.1f} MiB, {missing:,} not recorded"
        )
    if not written:
        say("nothing was recorded")


def _shown(recording: Recording) -> dict[str, Any]:
    return {
        "venue": recording.venue,
        "folder": str(recording.path),
        "files": recording.entries,
        "unfinished": recording.unfinished,
        "problems": [{"file": problem.file, "reason": problem.reason} for problem in recording.problems],
    }


def _rows(recording: Recording) -> list[tuple[Cell | str, ...]]:
    venue = recording.venue or UNKNOWN
    rows: list[tuple[Cell | str, ...]] = [
        (
            venue,
            entry.file,
            time_text(entry.first_recv_ns),
            time_text(entry.last_recv_ns),
            f"{entry.frames:,}",
            f"{entry.compressed_bytes / _MIB:,.1f}",
            Cell(f"{entry.not_recorded:,}", "red" if entry.not_recorded else ""),
            _state(recording.path, entry),
        )
        for entry in recording.entries
    ]
    rows += [
        (venue, name, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, Cell("unfinished", "yellow"))
        for name in recording.unfinished
    ]
    return rows


def _state(folder: Path, entry: FileEntry) -> Cell:
    if not (folder / entry.file).exists():
        return Cell("missing", "red")
    return Cell("recovered", "yellow") if entry.recovered else Cell("whole")
