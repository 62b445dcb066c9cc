"""``tickfloor rules``."""

from pathlib import Path
from typing import Annotated

import typer

from tickfloor.cli.options import (
    CooldownOption,
    IntervalOption,
    JsonOption,
    RuleArgument,
    TradersFileOption,
    WhenOption,
)

app = typer.Typer(help="Rules files.", no_args_is_help=True)


@app.command("check")
def rules_check(
    file: Annotated[Path, typer.Argument(help="Rules file (TOML).")],
    as_json: JsonOption = False,
) -> None:
    """Check a rules file; an error is shown with its line, its column and a caret under it."""
    from tickfloor.cli.rules import check_rules

    check_rules(file, as_json)


@app.command("test")
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


@app.command("explain")
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
