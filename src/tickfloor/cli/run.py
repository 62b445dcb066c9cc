"""``tickfloor run``: the whole floor on live exchanges."""

import sys
import time
from pathlib import Path

import typer

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.feeds_reached import say_where
from tickfloor.cli.output import counted, fail, say, without_password
from tickfloor.cli.rules import read_rules
from tickfloor.cli.run_floor import run_floor
from tickfloor.cli.settings import read_config
from tickfloor.cli.summary import summarise
from tickfloor.cli.unknown_symbols import unknown_symbols
from tickfloor.config import Config
from tickfloor.contracts.settings import CCXT, ConsoleSettings, LiveSource
from tickfloor.floor import FloorPlan


def run_live(
    config: Path | None,
    rules: Path | None,
    seconds: float,
    database: str | None,
    workers: int | None,
    record: Path | None,
    begins: str | None,
) -> None:
    """Start the floor on the venues of a settings file and show it until it ends."""
    settings = read_config(config, trader_workers=workers, database=database, begins=begins)
    require_venues(settings, config)
    if record is not None:
        require_recordable(settings)
    file = None if rules is None else read_rules(rules)
    specs = () if file is None else file.specs
    started_ns = time.time_ns()
    plan = FloorPlan(
        source=LiveSource(
            venues=settings.venues,
            record="" if record is None else str(record.absolute()),
            ahead_ns=settings.begins_ns - started_ns if settings.begins_ns else 0,
        ),
        identity=f"live-{started_ns}",
        tape="live",
        traders=specs,
        replay=False,
        console=ConsoleSettings(view="floor", live=sys.stdout.isatty(), stream="stdout"),
    )
    shown = without_password(settings.database)
    say(f"{counted(len(specs), 'rule')}; signals go to {shown}")
    say_where(settings)
    outcome = run_floor(settings, plan, file, seconds or None)
    for line in unknown_symbols(specs, outcome.instruments):
        say(line)
    summarise(outcome, shown)
    if not outcome.feed.frames:
        fail("nothing was received from any venue")
    if outcome.lost:
        raise typer.Exit(ExitCode.FAILURE)
    if outcome.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)


def require_recordable(settings: Config) -> None:
    """End the command if a venue's frames cannot be recorded as received."""
    for venue in settings.venues:
        if venue.venue.startswith(CCXT):
            fail(f"{venue.venue} cannot be recorded: ccxt does not show its frames; leave it out", ExitCode.INVALID)


def require_venues(settings: Config, path: Path | None) -> None:
    """End the command if no venue is set."""
    if not settings.venues:
        where = "the settings file" if path is None else str(path)
        fail(
            f"{where} names no venue; add one, for example:\n\n"
            '  [[venues]]\n  venue = "binance"\n  quotes = ["USDT"]\n  top = 20\n',
            ExitCode.INVALID,
        )
