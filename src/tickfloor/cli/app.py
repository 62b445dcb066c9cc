"""The ``tickfloor`` command. Each command's code is imported when it is called, so that the rest stays fast."""

from pathlib import Path
from typing import Annotated

import typer

import tickfloor

app = typer.Typer(
    name="tickfloor",
    help="A trading floor for Python: market data in shared memory, supervised workers, a thousand traders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
signals_app = typer.Typer(help="Signals in the database.", no_args_is_help=True)
rules_app = typer.Typer(help="Rules files.", no_args_is_help=True)
config_app = typer.Typer(help="Settings.", no_args_is_help=True)
app.add_typer(signals_app, name="signals")
app.add_typer(rules_app, name="rules")
app.add_typer(config_app, name="config")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file (TOML).", envvar="TICKFLOOR_CONFIG", show_default=False),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--db", help="Database: path of an SQLite file, or a URL.  [default: tickfloor.db]", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
RulesOption = Annotated[
    Path | None, typer.Option("--rules", help="Rules file (TOML) with the traders to run.", show_default=False)
]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"tickfloor {tickfloor.__version__}")
        raise typer.Exit


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
def demo(
    seconds: Annotated[
        float, typer.Option(min=0, help="End by itself after so long, with a summary; 0 runs until Ctrl-C.")
    ] = 0,
    rules: RulesOption = None,
    instruments: Annotated[int, typer.Option(min=1, max=133, help="Instruments of the simulated market.")] = 100,
    rate: Annotated[int, typer.Option(min=1, help="Frames a second, all instruments together.")] = 2000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 7,
    workers: Annotated[int | None, typer.Option(min=1, max=16, help="Trader workers.", show_default=False)] = None,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """Run the floor on a simulated market and show it live."""
    from tickfloor.cli.demo import run_demo

    run_demo(seconds, rules, instruments, rate, seed, workers, database, config)


@signals_app.command("list")
def signals_list(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    trader: Annotated[str | None, typer.Option(help="Only this trader's.", show_default=False)] = None,
    instrument: Annotated[str | None, typer.Option(help="Only of this venue:SYMBOL.", show_default=False)] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List stored signals."""
    from tickfloor.cli.signals import list_signals

    list_signals(limit, trader, instrument, as_json, database, config)


@rules_app.command("check")
def rules_check(
    file: Annotated[Path, typer.Argument(help="Rules file (TOML).")],
    as_json: JsonOption = False,
) -> None:
    """Check a rules file; an error is shown with its line, its column and a caret under it."""
    from tickfloor.cli.rules import check_rules

    check_rules(file, as_json)


@config_app.command("check")
def config_check(
    file: Annotated[
        Path | None,
        typer.Argument(help="Settings file (TOML); none: only the environment.", envvar="TICKFLOOR_CONFIG"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the settings and show them as they would apply."""
    from tickfloor.cli.settings import check_config

    check_config(file, as_json)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check that this machine can run a floor; exit code 6 if it cannot."""
    from tickfloor.cli.doctor import examine

    examine(as_json)


def main() -> None:
    """Run the command line."""
    app(prog_name="tickfloor")
