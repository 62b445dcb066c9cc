"""``tickfloor traders show`` and ``list --top``: what traders have done."""

from collections.abc import Sequence
from typing import NoReturn

import msgspec

from tickfloor.cli.control_client import FloorConnection, RefusedByFloorError, connected
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, fail, say
from tickfloor.cli.table import UNKNOWN, Cell, Column, printable, show_table
from tickfloor.contracts.commands import Measure, StrategyReport
from tickfloor.supervisor.control.replies import RankedTrader, RefusalKind, TraderShown, TradersListed, TradersRanked
from tickfloor.supervisor.control.requests import ListTraders, RankTraders, ShowTrader

_COLUMNS = (
    Column("trader"),
    Column("worker"),
    Column("evaluations", right=True),
    Column("matches", right=True),
    Column("signals", right=True),
    Column("time", right=True),
    Column("share", right=True),
    Column("rule", gives_way=True),
)
_NANOSECONDS = 10**9


def show_trader(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Show all that is known of one trader."""
    with connected(floor, seconds) as connection:
        try:
            shown = connection.ask(ShowTrader(name=name), TraderShown)
        except RefusedByFloorError as error:
            if error.refused.kind is not RefusalKind.NOT_FOUND:
                raise
            fail_unknown(name, _names(connection))
    if as_json:
        data(msgspec.json.encode(shown).decode())
        return
    for label, text in (*_described(shown), *_done(shown)):
        data(printable(f"{label:<18} {text}"))


def rank_traders(by: Measure, most: int, floor: str | None, seconds: float, as_json: bool) -> None:
    """Show the first traders by a measure and what they have done."""
    with connected(floor, seconds) as connection:
        ranked = connection.ask(RankTraders(by=by, most=most), TradersRanked)
    if as_json:
        data(msgspec.json.encode(ranked.traders).decode())
    else:
        show_table(_COLUMNS, [_row(each) for each in ranked.traders])
    if ranked.silent:
        say(f"{', '.join(ranked.silent)}: no answer; the traders there are left out")
    elif not ranked.traders:
        say("no traders")


def _names(connection: FloorConnection) -> list[str]:
    return [trader.spec.name for trader in connection.ask(ListTraders(), TradersListed).traders]


def fail_unknown(name: str, names: Sequence[str]) -> NoReturn:
    """End the command because there is no such trader, with the name that was probably meant."""
    from difflib import get_close_matches

    near = get_close_matches(name, names, 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    fail(f"there is no trader {name!r}{hint}", ExitCode.NOT_FOUND)


def _described(shown: TraderShown) -> list[tuple[str, str]]:
    trader, spec = shown.trader, shown.trader.spec
    described = [
        ("trader", spec.name),
        ("state", _state(shown)),
        ("worker", trader.worker or UNKNOWN),
        ("revision", f"{spec.revision:,}"),
        ("strategy", spec.strategy) if spec.strategy else ("rule", spec.rule),
        ("symbols", " ".join(spec.symbols)),
        ("excluded", " ".join(spec.exclude)),
        ("quote", spec.quote),
        ("interval", spec.interval),
    ]
    if not spec.strategy:
        described += [
            ("when", spec.when),
            ("requires live", "yes" if spec.requires_live else "no"),
            ("cooldown", f"{spec.cooldown_ns / _NANOSECONDS:g} s" if spec.cooldown_ns else ""),
        ]
    described.append(("columns", ", ".join(shown.columns)))
    return [(label, text) for label, text in described if text]


def _state(shown: TraderShown) -> str:
    if shown.trader.quarantine:
        return f"quarantined: {shown.trader.quarantine}"
    strategy = None if shown.report is None else shown.report.strategy
    return "running" if strategy is None else strategy.state


def _done(shown: TraderShown) -> list[tuple[str, str]]:
    report = shown.report
    if report is None:
        return [("figures", "none: it does not run" if shown.trader.quarantine else "none: its worker does not answer")]
    done = [
        ("evaluations", f"{report.evaluations:,}"),
        ("matches", f"{report.matches:,}"),
        ("signals", f"{report.signals:,}"),
        ("time", f"{_seconds(report.busy_seconds)}, {report.share:.1%} of what its worker's traders took"),
    ]
    return done if report.strategy is None else [*done, *_strategy(report.strategy)]


def _strategy(report: StrategyReport) -> list[tuple[str, str]]:
    done = [
        ("calls", f"{report.calls:,}, {report.mean_us:,.1f} us each on the mean, {report.slow_calls:,} too long"),
        ("failures", f"{report.failures:,}"),
        ("held back", f"{report.held_back:,}"),
        ("memory kept", f"{report.kept_bytes / (1 << 20):,.1f} MiB"),
    ]
    if report.last_failure:
        done.append(("last failure", report.last_failure))
    for rule in report.rules:
        figures = f"{counted(rule.evaluations, 'evaluation')}, {rule.matches:,} matched"
        done.append((f"rule {rule.name}", f"{rule.rule} ({figures})"))
    return done


def _row(ranked: RankedTrader) -> list[Cell | str]:
    spec, report = ranked.trader.spec, ranked.report
    return [
        spec.name,
        ranked.trader.worker,
        f"{report.evaluations:,}",
        f"{report.matches:,}",
        f"{report.signals:,}",
        _seconds(report.busy_seconds),
        f"{report.share:.1%}",
        spec.rule or spec.strategy,
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:,.1f} ms" if seconds < 1 else f"{seconds:,.1f} s"
