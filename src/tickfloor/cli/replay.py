"""``tickfloor replay``."""

import hashlib
import math
import os
import sys
from pathlib import Path

import msgspec
import typer

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, fail, say, without_password
from tickfloor.cli.report import build_report
from tickfloor.cli.rules import read_rules
from tickfloor.cli.run_floor import Outcome, run_floor
from tickfloor.cli.settings import read_config
from tickfloor.cli.unknown_symbols import unknown_symbols
from tickfloor.contracts.errors import CaptureError
from tickfloor.contracts.settings import CaptureSource, ConsoleSettings
from tickfloor.contracts.traders import TraderSpec
from tickfloor.feeds.recording.recording import files_of
from tickfloor.floor import FloorPlan

_CHUNK = 1 << 20
_PROBLEMS_SHOWN = 20


def run_replay(
    captures: list[Path],
    rules: Path | None,
    speed: str,
    workers: int | None,
    report: Path | None,
    database: str | None,
    config: Path | None,
) -> None:
    """Send captures through the floor, store the signals, and write the report."""
    for capture in captures:
        if not capture.is_file() and not capture.is_dir():
            fail(f"there is no capture {capture}", ExitCode.NOT_FOUND)
    settings = read_config(config, trader_workers=workers, database=database)
    file = None if rules is None else read_rules(rules)
    if report is not None and str(report) != "-":
        inputs = [
            *(path for capture in captures for path in _files_of(capture)),
            *(path for path in (rules, config) if path is not None),
        ]
        _check_report(report, [*inputs, Path(settings.database)])
    traders = () if file is None else file.specs
    plan = FloorPlan(
        source=CaptureSource(paths=tuple(str(capture) for capture in captures), speed=_speed_of(speed)),
        identity=identity_of(captures, traders),
        tape="replay",
        traders=traders,
        replay=True,
        audit=True,
        console=ConsoleSettings(view="replay", live=sys.stderr.isatty(), stream="stderr"),
    )
    outcome = run_floor(settings, plan, file)
    if report is not None:
        _write_report(report, build_report([str(capture) for capture in captures], outcome))
    for line in unknown_symbols(traders, outcome.instruments):
        say(line)
    _summarise(outcome, without_password(settings.database))
    if outcome.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if outcome.feed.problem_count or outcome.lost:
        raise typer.Exit(ExitCode.FAILURE)


def identity_of(captures: list[Path], traders: tuple[TraderSpec, ...]) -> str:
    """Return a digest of captures and traders: the same replay has the same signals, and they are stored once."""
    digest = hashlib.blake2b(digest_size=16)
    for capture in captures:
        for path in _files_of(capture):
            try:
                with path.open("rb") as stream:
                    while chunk := stream.read(_CHUNK):
                        digest.update(chunk)
            except OSError as error:
                fail(f"{path}: cannot be read: {error.strerror}")
            digest.update(b"\0")
    for trader in traders:
        # A strategy is what its file says, wherever that lies; its digest is part of the trader.
        named = msgspec.structs.replace(trader, strategy=Path(trader.strategy).name)
        digest.update(msgspec.msgpack.encode(named))
    return digest.hexdigest()


def _files_of(capture: Path) -> list[Path]:
    try:
        return files_of(capture)
    except CaptureError as error:
        fail(str(error))


def _speed_of(text: str) -> float:
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        fail(f"--speed must be a number above 0, or max, not {text!r}", ExitCode.USAGE)
    return speed


def _check_report(path: Path, others: list[Path]) -> None:
    """End the command before the replay, and not after it, if its report cannot be written or would destroy a file."""
    for other in others:
        if path.exists() and other.exists() and path.samefile(other):
            fail(f"--report {path} would overwrite {other}, which this replay uses", ExitCode.USAGE)
    folder = path.absolute().parent
    if not folder.is_dir():
        fail(f"the report cannot be written: there is no folder {folder}", ExitCode.NOT_FOUND)
    if path.is_dir():
        fail(f"the report {path} cannot be written: it is a folder")
    if not os.access(path if path.exists() else folder, os.W_OK):
        fail(f"the report {path} cannot be written: permission denied")


def _write_report(path: Path, report: bytes) -> None:
    if str(path) == "-":
        data(report.decode())
        return
    try:
        # Whole or not at all: what reads it must never find the half of a report.
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(report + b"\n")
        partial.replace(path)
    except OSError as error:
        fail(f"the report {path} cannot be written: {error.strerror}")


def _summarise(outcome: Outcome, database: str) -> None:
    feed = outcome.feed
    for problem in feed.problems[:_PROBLEMS_SHOWN]:
        where = f"{problem.file}:{problem.line}" if problem.line else problem.file
        say(f"{where}: {problem.reason}")
    if feed.problem_count > min(len(feed.problems), _PROBLEMS_SHOWN):
        say(f"… and {counted(feed.problem_count - min(len(feed.problems), _PROBLEMS_SHOWN), 'more problem')}")
    for reason, count in feed.left_out.items():
        say(f"not used: {count:,} {reason}")
    ended = "" if feed.complete else ", interrupted"
    say(
        f"{counted(feed.frames, 'frame')}, {counted(feed.head, 'record')}, "
        f"{counted(len(outcome.signals), 'signal')} in {database}, "
        f"{counted(feed.problem_count, 'problem')}, {outcome.lost:,} lost{ended}"
    )
