"""``tickfloor traders``."""

from typing import Annotated

import typer

from tickfloor.cli.options import (
    SECONDS,
    By,
    CooldownOption,
    ExcludeOption,
    FloorOption,
    IntervalOption,
    JsonOption,
    LiveOption,
    MaybeTraderArgument,
    QuoteOption,
    RuleOption,
    RulesOption,
    SymbolsOption,
    TimeoutOption,
    TraderArgument,
    WhenOption,
)

app = typer.Typer(help="The traders of a running floor.", no_args_is_help=True)


@app.command("list")
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


@app.command("show")
def traders_show(
    name: TraderArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Show all that is known of one trader, and what it has done."""
    from tickfloor.cli.trader_figures import show_trader

    show_trader(name, floor, timeout, as_json)


@app.command("add")
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


@app.command("update")
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


@app.command("remove")
def traders_remove(
    name: TraderArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Run a trader no more."""
    from tickfloor.cli.traders import remove_trader

    remove_trader(name, floor, timeout, as_json)


@app.command("run")
def traders_run(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="None: all of them.")] = None,
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Evaluate traders now and show what they match; no signal is raised."""
    from tickfloor.cli.traders import run_traders

    run_traders(names or (), floor, timeout, as_json)


@app.command("pardon")
def traders_pardon(
    name: TraderArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Lift a trader's quarantine."""
    from tickfloor.cli.traders import pardon_trader

    pardon_trader(name, floor, timeout, as_json)


@app.command("reload")
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
