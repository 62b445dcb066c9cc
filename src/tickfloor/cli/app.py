"""The ``tickfloor`` command. Each command's code is imported when it is called, so that the rest stays fast."""

from pathlib import Path
from typing import Annotated

import typer

import tickfloor
from tickfloor.cli.commands import config, debug, emergency, feeds, record, rules, signals, traders, workers
from tickfloor.cli.options import (
    ConfigOption,
    DatabaseOption,
    DemoDatabaseOption,
    JsonOption,
    RulesOption,
)

app = typer.Typer(
    name="tickfloor",
    help="A trading floor for Python: market data in shared memory, supervised workers, a thousand traders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (config, debug, emergency, feeds, record, rules, signals, traders, workers):
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2])


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tickfloor {tickfloor.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    app(prog_name="tickfloor")


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A trading floor for Python."""
    del version


@app.command()
def replay(
    captures: Annotated[
        list[Path], typer.Argument(help="Capture files; several run together, merged by receive time.")
    ],
    rules: RulesOption = None,
    speed: Annotated[
        str, typer.Option(help="Times real time, for example 1 or 1000; max for as fast as possible.")
    ] = "max",
    workers: Annotated[int | None, typer.Option(min=1, max=16, help="Trader workers.", show_default=False)] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the report here (JSON; - for stdout).", show_default=False)
    ] = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Replay recorded frames through the floor."""
    from tickfloor.cli.replay import run_replay

    run_replay(captures, rules, speed, workers, report, database, config)


@app.command()
def run(
    config: ConfigOption = None,
    rules: RulesOption = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="End by itself after so long, with a summary; 0 runs until Ctrl-C.")
    ] = 0,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write every frame down here, as received.", show_default=False),
    ] = None,
    begins: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="What time it is where an exchange plays back the past, for example 2021-04-04T12:00:00Z.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=16, help="Trader workers.", show_default=False)] = None,
    database: DatabaseOption = None,
) -> None:
    """Run the floor on the exchanges that the settings file names."""
    from tickfloor.cli.run import run_live

    run_live(config, rules, seconds, database, workers, record, begins)


@app.command()
def simulate(
    venues: Annotated[
        list[str] | None, typer.Option("--venue", help="May be repeated.  [default: binance and binance-usdm]")
    ] = None,
    instruments: Annotated[int, typer.Option(min=1, max=100, help="Of each venue, most traded first.")] = 100,
    rate: Annotated[float, typer.Option(help="Orders and quotes a second, of each venue.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 7,
    speed: Annotated[str, typer.Option(help="Market time over real time; max for as fast as clients read.")] = "1",
    captures: Annotated[
        list[Path] | None,
        typer.Option(
            "--capture",
            metavar="PATH",
            help="Serve a recorded session, a file or a folder; may be repeated.",
            show_default=False,
        ),
    ] = None,
    scenario: Annotated[
        Path | None, typer.Option(help="Hostilities that begin by themselves (TOML).", show_default=False)
    ] = None,
    stream_port: Annotated[int, typer.Option(min=0, max=65535, help="For WebSockets; 0: a free one.")] = 0,
    rest_port: Annotated[int, typer.Option(min=0, max=65535, help="For REST and control; 0: a free one.")] = 0,
    seconds: Annotated[float, typer.Option(min=0, help="End by itself after so long; 0 runs until Ctrl-C.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run a local exchange that speaks the venues' protocols, and can be told to be hostile."""
    from tickfloor.cli.simulate import run_simulate

    run_simulate(venues, instruments, rate, seed, speed, captures, scenario, stream_port, rest_port, seconds, as_json)


@app.command()
def demo(
    seconds: Annotated[
        float, typer.Option(min=0, help="End by itself after so long, with a summary; 0 runs until Ctrl-C.")
    ] = 0,
    rules: RulesOption = None,
    instruments: Annotated[int, typer.Option(min=1, max=100, help="Instruments of the simulated market.")] = 100,
    rate: Annotated[int, typer.Option(min=1, help="Orders and quotes a second, all instruments together.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 7,
    workers: Annotated[int | None, typer.Option(min=1, max=16, help="Trader workers.", show_default=False)] = None,
    database: DemoDatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Run the floor on a simulated market and show it live."""
    from tickfloor.cli.demo import run_demo

    run_demo(seconds, rules, instruments, rate, seed, workers, database, config)


@app.command()
def bench(
    captures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CAPTURE]...", help="Capture files; none: the simulated market."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long a paced run takes.")] = 5,
    rate: Annotated[int, typer.Option(min=1, help="Frames a second of the simulated market.")] = 2000,
    instruments: Annotated[int, typer.Option(min=1, max=100, help="Instruments of the simulated market.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 7,
    traders: Annotated[int, typer.Option(min=1, help="Traders; the sample rules, over and over.")] = 100,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Trader workers.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each kind; the median is shown.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Compare shared memory with message passing on this machine."""
    from tickfloor.cli.bench import compare

    compare(captures or [], seconds, rate, instruments, seed, traders, workers, rounds, as_json)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check that this machine can run a floor; exit code 6 if it cannot."""
    from tickfloor.cli.doctor import examine

    examine(as_json)
