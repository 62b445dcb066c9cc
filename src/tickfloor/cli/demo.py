"""``tickfloor demo``: the whole floor on a simulated market."""

import sys
import time
from importlib import resources
from pathlib import Path

import msgspec
import typer

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, say, without_password
from tickfloor.cli.rules import read_rules
from tickfloor.cli.run_floor import Outcome, run_floor
from tickfloor.cli.settings import read_config
from tickfloor.cli.unknown_symbols import unknown_symbols
from tickfloor.config import Config
from tickfloor.contracts.settings import ConsoleSettings, SimulatedSource
from tickfloor.floor import FloorPlan

DATABASE = "tickfloor-demo.db"


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
    """Start the floor on a seeded market with sample rules and show it until it ends."""
    settings = read_config(config, trader_workers=workers, database=database)
    if settings.database == Config().database:
        # Simulated signals are kept apart from those of real data.
        settings = msgspec.structs.replace(settings, database=DATABASE)
    with resources.as_file(resources.files("tickfloor.cli") / "sample_rules.toml") as sample:
        file = read_rules(rules or sample)
    start_ns = time.time_ns()
    plan = FloorPlan(
        source=SimulatedSource(seed=seed, instruments=instruments, ticks_per_second=rate, start_ns=start_ns),
        identity=f"demo-{start_ns}",
        tape="demo",
        traders=file.specs,
        replay=False,
        console=ConsoleSettings(view="floor", live=sys.stdout.isatty(), stream="stdout"),
    )
    shown = without_password(settings.database)
    size = f"{counted(instruments, 'instrument')}, {counted(len(file.specs), 'rule')}"
    say(f"simulated market: {size}, seed {seed}; signals go to {shown}")
    outcome = run_floor(settings, plan, file, seconds or None)
    for line in unknown_symbols(file.specs, outcome.instruments):
        say(line)
    _summarise(outcome, shown)
    if outcome.interrupted:
        raise typer.Exit(ExitCode.INTERRUPTED)
    if outcome.lost:
        raise typer.Exit(ExitCode.FAILURE)


def _summarise(outcome: Outcome, database: str) -> None:
    status = outcome.status
    memory = sum(worker.memory for worker in status.workers) / (1 << 20)
    restarts = sum(worker.restarts for worker in status.workers)
    data(f"ran          {status.uptime:.1f} s, {len(status.workers)} workers, {restarts} restarts, {memory:.0f} MiB")
    data(f"market       {outcome.feed.frames:,} frames, {outcome.feed.head:,} records")
    data(f"signals      {len(outcome.signals):,} stored in {database}")
    if status.latency_p50_us is not None:
        data(f"latency      p50 {status.latency_p50_us:,.0f} µs, p99 {status.latency_p99_us:,.0f} µs, tick to signal")
    data(f"lost         {outcome.lost:,}")
