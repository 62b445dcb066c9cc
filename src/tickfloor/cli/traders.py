"""``tickfloor traders``: the traders of a running floor."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tickfloor.cli.control_client import FloorConnection, connected
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, fail, say
from tickfloor.cli.rules import read_rules
from tickfloor.cli.rules_file import ASSET, parse_duration
from tickfloor.cli.table import UNKNOWN, Cell, Column, printable, show_table
from tickfloor.cli.trader_figures import fail_unknown, rank_traders
from tickfloor.contracts.commands import Measure, TradersRun
from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.control.replies import TraderDetails, TraderPlaced, TraderRemoved, TradersListed
from tickfloor.supervisor.control.requests import (
    AddTrader,
    ListTraders,
    PardonTrader,
    ReloadTrader,
    RemoveTrader,
    RunTraders,
    UpdateTrader,
)

_COLUMNS = (
    Column("trader"),
    Column("worker"),
    Column("state"),
    Column("when"),
    Column("symbols", gives_way=True),
    Column("rule", gives_way=True),
)


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What options say of a trader; None where they say nothing."""

    rule: str | None = None
    symbols: Sequence[str] | None = None
    exclude: Sequence[str] | None = None
    quote: str | None = None
    interval: str | None = None
    when: str | None = None
    requires_live: bool | None = None
    cooldown: str | None = None

    @property
    def said(self) -> bool:
        """Whether they say anything."""
        return any(each is not None for each in msgspec.structs.astuple(self))


def list_traders(top: int | None, by: str | None, floor: str | None, seconds: float, as_json: bool) -> None:
    """Show every trader, or the first by a measure with what they have done."""
    if top is not None:
        rank_traders(Measure(by or Measure.TIME), top, floor, seconds, as_json)
        return
    if by is not None:
        fail("--by ranks the traders of --top N; give both", ExitCode.USAGE)
    with connected(floor, seconds) as connection:
        traders = connection.ask(ListTraders(), TradersListed).traders
    if as_json:
        data(msgspec.json.encode(traders).decode())
        return
    show_table(_COLUMNS, [_row(trader) for trader in traders])
    for trader in traders:
        if trader.quarantine:
            say(printable(f"{trader.spec.name}: {trader.quarantine}"))
    if not traders:
        say("no traders")


def add_traders(
    name: str | None, changes: Changes, rules: Path | None, floor: str | None, seconds: float, as_json: bool
) -> None:
    """Run more traders: one that options describe, or those of a rules file."""
    specs = _of_file(rules, name, changes) if rules is not None else (_described(name, changes),)
    placed = []
    with connected(floor, seconds) as connection:
        for spec in specs:
            reply = connection.ask(AddTrader(spec=spec), TraderPlaced)
            placed.append(connection.effect(reply))
            _tell(reply, "added", as_json)
    if as_json:
        data(msgspec.json.encode(placed).decode())


def update_traders(
    name: str | None, changes: Changes, rules: Path | None, floor: str | None, seconds: float, as_json: bool
) -> None:
    """Change traders: one in what options say, or those of a rules file."""
    placed = []
    with connected(floor, seconds) as connection:
        if rules is not None:
            specs = _of_file(rules, name, changes)
        else:
            if name is not None and not changes.said:
                fail("say what to change, for example --cooldown 30s, or give --rules FILE", ExitCode.USAGE)
            specs = (_changed(_running(connection, name), changes),)
        for spec in specs:
            reply = connection.ask(UpdateTrader(spec=spec), TraderPlaced)
            placed.append(connection.effect(reply))
            _tell(reply, "updated", as_json)
    if as_json:
        data(msgspec.json.encode(placed).decode())


def remove_trader(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Run a trader no more."""
    with connected(floor, seconds) as connection:
        removed = connection.ask(RemoveTrader(name=name), TraderRemoved)
        effect = connection.effect(removed)
    data(msgspec.json.encode(effect).decode() if as_json else f"trader {removed.trader!r}: removed")


def pardon_trader(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Lift a trader's quarantine."""
    with connected(floor, seconds) as connection:
        placed = connection.ask(PardonTrader(name=name), TraderPlaced)
        effect = connection.effect(placed)
    _tell(placed, "pardoned", as_json)
    if as_json:
        data(msgspec.json.encode(effect).decode())


def reload_traders(name: str | None, every: bool, floor: str | None, seconds: float, as_json: bool) -> None:
    """Run a strategy as its file is now, or one after the other every strategy, up to the first that is refused."""
    if every is (name is not None):
        fail("name a strategy, or give --all", ExitCode.USAGE)
    placed = []
    with connected(floor, seconds) as connection:
        names = _strategies(connection) if name is None else [name]
        for each in names:
            reply = connection.ask(ReloadTrader(name=each), TraderPlaced)
            placed.append(connection.effect(reply))
            _tell(reply, "reloaded", as_json)
    if as_json:
        data(msgspec.json.encode(placed).decode())
    elif not names:
        say("no strategies")


def _strategies(connection: FloorConnection) -> list[str]:
    running = connection.ask(ListTraders(), TradersListed).traders
    return [trader.spec.name for trader in running if trader.spec.strategy]


def run_traders(names: Sequence[str], floor: str | None, seconds: float, as_json: bool) -> None:
    """Evaluate traders now and show what they match."""
    with connected(floor, seconds) as connection:
        run = connection.ask(RunTraders(names=tuple(names)), TradersRun)
    if as_json:
        data(msgspec.json.encode(run).decode())
        return
    for trader, instruments in run.matches.items():
        data(f"{trader}: {', '.join(instruments)}")
    matches = sum(map(len, run.matches.values()))
    say(f"{counted(run.evaluations, 'evaluation')}, {matches:,} matched")


def _of_file(path: Path, name: str | None, changes: Changes) -> tuple[TraderSpec, ...]:
    """Return a file's traders, or one of them; a strategy is refused here as the floor would refuse it."""
    if changes.said:
        fail("--rules describes the traders; leave out the other options", ExitCode.USAGE)
    specs = tuple(spec for spec in read_rules(path).specs if name in (None, spec.name))
    if not specs:
        fail(f"{path}: has no trader {name!r}", ExitCode.NOT_FOUND)
    for spec in specs:
        if spec.strategy:
            fail(
                f"{path}: trader {spec.name!r} has a strategy; a running floor takes rules only: "
                "start a floor with this file",
                ExitCode.REFUSED,
            )
    return specs


def _described(name: str | None, changes: Changes) -> TraderSpec:
    if name is None or changes.rule is None:
        fail("name the trader and give it a --rule, or give --rules FILE", ExitCode.USAGE)
    return _changed(TraderSpec(name=name, rule=changes.rule), changes)


def _running(connection: FloorConnection, name: str | None) -> TraderSpec:
    if name is None:
        fail("name the trader, or give --rules FILE", ExitCode.USAGE)
    running = connection.ask(ListTraders(), TradersListed).traders
    spec = next((trader.spec for trader in running if trader.spec.name == name), None)
    if spec is None:
        fail_unknown(name, [trader.spec.name for trader in running])
    return spec


def _changed(spec: TraderSpec, changes: Changes) -> TraderSpec:
    if changes.interval is not None and changes.interval not in BY_LABEL:
        fail(f"--interval must be one of {', '.join(BY_LABEL)}, not {changes.interval!r}", ExitCode.USAGE)
    if changes.quote and ASSET.fullmatch(changes.quote) is None:
        fail(f"--quote must be one asset, for example USDT, not {changes.quote!r}", ExitCode.USAGE)
    try:
        cooldown_ns = spec.cooldown_ns if changes.cooldown is None else parse_duration(changes.cooldown)
    except ValueError as error:
        fail(f"--cooldown: {error}", ExitCode.USAGE)
    chosen = {
        "rule": changes.rule,
        "symbols": None if changes.symbols is None else tuple(changes.symbols),
        # An empty one alone takes back what was left out.
        "exclude": None if changes.exclude is None else tuple(filter(None, changes.exclude)),
        "quote": changes.quote,
        "interval": changes.interval,
        "when": changes.when,
        "requires_live": changes.requires_live,
        "cooldown_ns": cooldown_ns,
    }
    return msgspec.structs.replace(spec, **{key: value for key, value in chosen.items() if value is not None})


def _tell(placed: TraderPlaced, how: str, as_json: bool) -> None:
    if not as_json:
        data(f"trader {placed.trader!r}: {how}, revision {placed.revision}, in {placed.worker}")


def _row(trader: TraderDetails) -> list[Cell | str]:
    spec = trader.spec
    return [
        spec.name,
        trader.worker or UNKNOWN,
        Cell("quarantined", "red") if trader.quarantine else Cell("running", "green"),
        f"{spec.when} {spec.interval}",
        " ".join(spec.symbols),
        spec.rule or spec.strategy,
    ]
