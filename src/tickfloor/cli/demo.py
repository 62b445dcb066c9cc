"""``tickfloor demo``: the whole floor on a simulated market."""

import sys
import time
from importlib import resources
from pathlib import Path

import msgspec
import typer

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.local_exchange import local_exchange
from tickfloor.cli.output import counted, say, without_password
from tickfloor.cli.rules import read_rules
from tickfloor.cli.run_floor import run_floor
from tickfloor.cli.settings import read_config
from tickfloor.cli.summary import summarise
from tickfloor.cli.unknown_symbols import unknown_symbols
from tickfloor.config import Config
from tickfloor.contracts.settings import ConsoleSettings, LiveSource, VenueSettings
from tickfloor.floor import FloorPlan

DATABASE = "tickfloor-demo.db"
VENUE = "binance"


def run_demo(
    seconds: float,
    rules: Path | None,
    instruments: int,
    rate: int,
    seed: int,
    workers: int | None,
    database: str | None,
    config: Path | None,
) -> None:
    """Start the floor on a simulated exchange with sample rules and show it until it ends."""
    settings = read_config(config, trader_workers=workers, database=database)
    if settings.database == Config().database:
        # Simulated signals are kept apart from those of real data.
        settings = msgspec.structs.replace(settings, database=DATABASE)
    with resources.as_file(resources.files("tickfloor.cli") / "sample_rules.toml") as sample:
        file = read_rules(rules or sample)
    with local_exchange(
        ["--venue", VENUE, "--instruments", str(instruments), "--rate", str(rate), "--seed", str(seed)]
    ) as exchange:
        plan = FloorPlan(
            source=LiveSource(
                venues=(VenueSettings(venue=VENUE, stream_url=exchange.stream_url, rest_url=exchange.rest_url),)
            ),
            identity=f"demo-{time.time_ns()}",
            tape="demo",
            traders=file.specs,
            replay=False,
            console=ConsoleSettings(view="floor", live=sys.stdout.isatty(), stream="stdout"),
        )
        shown = without_password(settings.database)
        size = f"{counted(instruments, 'instrument')}, {counted(len(file.specs), 'rule')}"
        say(f"simulated exchange: {size}, seed {seed}; signals go to {shown}")
        outcome = run_floor(settings, plan, file, seconds or None)
    for line in unknown_symbols(file.specs, outcome.instruments):
        say(line)
    summarise(outcome, shown)
    if outcome.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if outcome.lost:
        raise typer.Exit(ExitCode.FAILURE)
