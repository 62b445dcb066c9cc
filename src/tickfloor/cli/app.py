"""The ``tickfloor`` command. Each command's code is imported when it is called, so that the rest stays fast."""

from enum import StrEnum
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
workers_app = typer.Typer(help="The workers of a running floor.", no_args_is_help=True)
traders_app = typer.Typer(help="The traders of a running floor.", no_args_is_help=True)
debug_app = typer.Typer(help="What passes through a running floor.", no_args_is_help=True)
emergency_app = typer.Typer(help="Stop a running floor's effects, or bring it back.", no_args_is_help=True)
app.add_typer(workers_app, name="workers")
app.add_typer(traders_app, name="traders")
app.add_typer(debug_app, name="debug")
app.add_typer(emergency_app, name="emergency")
app.add_typer(signals_app, name="signals")
app.add_typer(rules_app, name="rules")
app.add_typer(config_app, name="config")


class When(StrEnum):
    """When a trader is decided."""

    TICK = "tick"
    CLOSE = "close"


class By(StrEnum):
    """What traders are ranked by."""

    TIME = "time"
    SIGNALS = "signals"
    MATCHES = "matches"


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
FloorOption = Annotated[
    str | None,
    typer.Option(
        "--floor",
        metavar="PID|PATH",
        help="Which floor, by its process or its control socket.  [default: the only one]",
        envvar="TICKFLOOR_CONTROL_SOCKET",
        show_default=False,
    ),
]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0.001, help="Seconds to wait for the floor's answer.")]
WorkerArgument = Annotated[str, typer.Argument(metavar="NAME", help="For example trader-1.", show_default=False)]
ScaleArgument = Annotated[int, typer.Argument(metavar="N", min=1, max=16, help="How many.", show_default=False)]
TraderArgument = Annotated[str, typer.Argument(metavar="NAME", help="A trader's name.", show_default=False)]
MaybeTraderArgument = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="The trader's name; with --rules, only this one of the file's.")
]
RuleOption = Annotated[str | None, typer.Option("--rule", help="Rule text, see docs/rules.md.", show_default=False)]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option("--symbols", metavar="GLOB", help="Where it applies; may be repeated.", show_default=False),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="GLOB", help="What to leave out of it; may be repeated.", show_default=False),
]
QuoteOption = Annotated[
    str | None, typer.Option("--quote", metavar="ASSET", help="Quote asset, for example USDT.", show_default=False)
]
LiveOption = Annotated[
    bool | None,
    typer.Option(
        "--requires-live/--even-if-not-live",
        help="Matches only while the data is live, or whatever it is.",
        show_default=False,
    ),
]
IntervalOption = Annotated[
    str | None, typer.Option("--interval", help="Interval of the rule's columns, for example 1m.", show_default=False)
]
WhenOption = Annotated[
    When | None, typer.Option("--when", help="Decided at every tick, or at each bar's close.", show_default=False)
]
CooldownOption = Annotated[
    str | None,
    typer.Option("--cooldown", help="Least time between two signals, for example 30s.", show_default=False),
]
RuleArgument = Annotated[str, typer.Argument(help="Rule text, or the name of a trader of --rules.", show_default=False)]
TradersFileOption = Annotated[
    Path | None,
    typer.Option("--rules", help="Rules file (TOML): where the trader is, and its neighbours.", show_default=False),
]
SECONDS = 60.0


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


@app.command()
def bench(
    captures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[CAPTURE]...", help="Capture files; none: the simulated market."),
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long a paced run takes.")] = 5,
    rate: Annotated[int, typer.Option(min=1, help="Frames a second of the simulated market.")] = 2000,
    instruments: Annotated[int, typer.Option(min=1, max=133, help="Instruments of the simulated market.")] = 100,
    seed: Annotated[int, typer.Option(help="The same seed gives the same market.")] = 7,
    traders: Annotated[int, typer.Option(min=1, help="Traders; the sample rules, over and over.")] = 100,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Trader workers.")] = 2,
    rounds: Annotated[int, typer.Option(min=1, help="Runs of each kind; the median is shown.")] = 3,
    as_json: JsonOption = False,
) -> None:
    """Compare shared memory with message passing on this machine."""
    from tickfloor.cli.bench import compare

    compare(captures or [], seconds, rate, instruments, seed, traders, workers, rounds, as_json)


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


@rules_app.command("test")
def rules_test(
    rule: RuleArgument,
    more: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--data",
            metavar="FILE...",
            help="Candles or trades (CSV, plain or gzip); each file an instrument.",
            show_default=False,
        ),
    ] = None,
    rules: TradersFileOption = None,
    when: WhenOption = None,
    interval: IntervalOption = None,
    cooldown: CooldownOption = None,
    symbol: Annotated[
        str | None,
        typer.Option(help="The files are parts of this one instrument's history, in order.", show_default=False),
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="How many signals to show of each instrument.")] = 50,
    plot: Annotated[bool, typer.Option("--plot", help="Draw price and signals in the terminal.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--svg", help="Draw price and signals into this file (SVG).", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Decide a rule over files of candles or trades, and show where it is true."""
    from tickfloor.cli.asked_rule import Options
    from tickfloor.cli.backtest import run_backtest

    options = Options(rules=rules, when=when, interval=interval, cooldown=cooldown)
    run_backtest(rule, options, [*(files or ()), *(more or ())], symbol, limit, plot, picture, as_json)


@rules_app.command("explain")
def rules_explain(
    rule: RuleArgument,
    rules: TradersFileOption = None,
    when: WhenOption = None,
    interval: IntervalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a rule is read, its columns, and what it costs."""
    from tickfloor.cli.asked_rule import Options
    from tickfloor.cli.explain import explain_rule

    explain_rule(rule, Options(rules=rules, when=when, interval=interval), as_json)


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


@workers_app.command("list")
def workers_list(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """List the workers, their health and memory."""
    from tickfloor.cli.workers import list_workers

    list_workers(floor, timeout, as_json)


@workers_app.command("show")
def workers_show(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Show all that is known of one worker."""
    from tickfloor.cli.workers import show_worker

    show_worker(name, floor, timeout, as_json)


@workers_app.command("replace")
def workers_replace(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Put a new incarnation in a worker's place, without a gap."""
    from tickfloor.cli.workers import replace_worker

    replace_worker(name, floor, timeout, as_json)


@workers_app.command("drain")
def workers_drain(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Have a worker finish all that waits for it; it goes on working."""
    from tickfloor.cli.workers import drain_worker

    drain_worker(name, floor, timeout, as_json)


@workers_app.command("cleanup")
def workers_cleanup(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Have a worker clean up and exit; another takes its place."""
    from tickfloor.cli.workers import clean_up_worker

    clean_up_worker(name, floor, timeout, as_json)


@workers_app.command("stop")
def workers_stop(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Clean a worker up and leave its place empty."""
    from tickfloor.cli.workers import stop_worker

    stop_worker(name, floor, timeout, as_json)


@workers_app.command("scale")
def workers_scale(
    workers: ScaleArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Run the traders in so many workers, without a gap."""
    from tickfloor.cli.workers import scale_workers

    scale_workers(workers, floor, timeout, as_json)


@workers_app.command("logs")
def workers_logs(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Only this worker's, and those about it.")] = "",
    last: Annotated[int, typer.Option(min=0, max=10_000, help="How many of the last lines.")] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with every line that comes.")] = False,
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Show the last log lines."""
    from tickfloor.cli.workers import show_logs

    show_logs(name, last, follow, floor, timeout, as_json)


@traders_app.command("list")
def traders_list(
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            metavar="N",
            min=1,
            max=1_000,
            help="Only the first N, and what they have done.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[By | None, typer.Option("--by", help="What --top goes by; else time.", show_default=False)] = None,
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """List the traders."""
    from tickfloor.cli.traders import list_traders

    list_traders(top, by, floor, timeout, as_json)


@traders_app.command("show")
def traders_show(
    name: TraderArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Show all that is known of one trader, and what it has done."""
    from tickfloor.cli.trader_figures import show_trader

    show_trader(name, floor, timeout, as_json)


@traders_app.command("add")
def traders_add(
    name: MaybeTraderArgument = None,
    rule: RuleOption = None,
    symbols: SymbolsOption = None,
    exclude: ExcludeOption = None,
    quote: QuoteOption = None,
    interval: IntervalOption = None,
    when: WhenOption = None,
    requires_live: LiveOption = None,
    cooldown: CooldownOption = None,
    rules: RulesOption = None,
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Run one more trader, or those of a rules file."""
    from tickfloor.cli.traders import Changes, add_traders

    changes = Changes(
        rule=rule,
        symbols=symbols or None,
        exclude=exclude or None,
        quote=quote,
        interval=interval,
        when=when,
        requires_live=requires_live,
        cooldown=cooldown,
    )
    add_traders(name, changes, rules, floor, timeout, as_json)


@traders_app.command("update")
def traders_update(
    name: MaybeTraderArgument = None,
    rule: RuleOption = None,
    symbols: SymbolsOption = None,
    exclude: ExcludeOption = None,
    quote: QuoteOption = None,
    interval: IntervalOption = None,
    when: WhenOption = None,
    requires_live: LiveOption = None,
    cooldown: CooldownOption = None,
    rules: RulesOption = None,
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Change a trader in what the options say, or those of a rules file."""
    from tickfloor.cli.traders import Changes, update_traders

    changes = Changes(
        rule=rule,
        symbols=symbols or None,
        exclude=exclude or None,
        quote=quote,
        interval=interval,
        when=when,
        requires_live=requires_live,
        cooldown=cooldown,
    )
    update_traders(name, changes, rules, floor, timeout, as_json)


@traders_app.command("remove")
def traders_remove(
    name: TraderArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Run a trader no more."""
    from tickfloor.cli.traders import remove_trader

    remove_trader(name, floor, timeout, as_json)


@traders_app.command("run")
def traders_run(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="None: all of them.")] = None,
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Evaluate traders now and show what they match; no signal is raised."""
    from tickfloor.cli.traders import run_traders

    run_traders(names or (), floor, timeout, as_json)


@traders_app.command("pardon")
def traders_pardon(
    name: TraderArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Lift a trader's quarantine."""
    from tickfloor.cli.traders import pardon_trader

    pardon_trader(name, floor, timeout, as_json)


@traders_app.command("reload")
def traders_reload(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The strategy's name.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every strategy, one after the other.")] = False,
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Run a strategy as its file is now."""
    from tickfloor.cli.traders import reload_traders

    reload_traders(name, every, floor, timeout, as_json)


@debug_app.command("trace")
def debug_trace(
    identity: Annotated[str, typer.Argument(metavar="ID", help="A correlation id, or a signal's id.")],
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Show the path of one tick, signal, command or request."""
    from tickfloor.cli.debug import trace

    trace(identity, floor, timeout, as_json)


@debug_app.command("statistics")
def debug_statistics(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """Show the floor's figures."""
    from tickfloor.cli.debug import show_statistics

    show_statistics(floor, timeout, as_json)


@emergency_app.command("stop")
def emergency_stop(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """Stop all effects on the world outside, at once and in every worker."""
    from tickfloor.cli.emergency import stop

    stop(floor, timeout, as_json)


@emergency_app.command("resume")
def emergency_resume(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """Allow effects again."""
    from tickfloor.cli.emergency import resume

    resume(floor, timeout, as_json)


@emergency_app.command("recover")
def emergency_recover(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """Restart every worker and restore what shall be."""
    from tickfloor.cli.emergency import recover

    recover(floor, timeout, as_json)


@app.command()
def doctor(as_json: JsonOption = False) -> None:
    """Check that this machine can run a floor; exit code 6 if it cannot."""
    from tickfloor.cli.doctor import examine

    examine(as_json)


def main() -> None:
    """Run the command line."""
    app(prog_name="tickfloor")
