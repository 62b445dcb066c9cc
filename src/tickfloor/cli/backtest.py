"""``tickfloor rules test``: a rule over files of candles or trades."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import typer

from tickfloor.cli.asked_rule import AskedRule, Options, asked_rule
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, fail, say
from tickfloor.cli.table import UNKNOWN, Column, printable, show_table
from tickfloor.cli.venue_time import time_text
from tickfloor.contracts.traders import TraderSpec

if TYPE_CHECKING:
    from tickfloor.traders.history.candle_file import Candles
    from tickfloor.traders.history.data_file import Progress
    from tickfloor.traders.history.run import RuleRun
    from tickfloor.traders.language.plan import Plan


class Tested(NamedTuple):
    """What came of one instrument."""

    symbol: str
    files: list[Path]
    spec: TraderSpec
    run: "RuleRun"
    notes: list[str]


def run_backtest(
    rule: str,
    options: Options,
    files: list[Path],
    symbol: str | None,
    limit: int,
    plot: bool,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Decide a rule over every instrument's data and show where it is true."""
    from tickfloor.traders.history.errors import HistoryError

    instruments = _instruments(files, symbol)
    _check_picture(picture, len(instruments))
    asked = asked_rule(rule, options)
    try:
        tested = [_test(asked, name, parts) for name, parts in instruments]
    except HistoryError as error:
        fail(printable(str(error)))
    except KeyboardInterrupt:
        say("interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if picture is not None:
        _draw(tested[0], picture)
    if as_json:
        data(msgspec.json.encode([_described(each, limit) for each in tested]).decode())
    for each in tested:
        for note in each.notes:
            say(printable(f"{each.symbol}: {note}"))
        if not as_json:
            _show(each, limit, plot)


def _instruments(files: list[Path], symbol: str | None) -> list[tuple[str, list[Path]]]:
    """Return each instrument's name and files."""
    if not files:
        fail("there is no data; name files with --data", ExitCode.USAGE)
    for path in files:
        if not path.is_file():
            fail(printable(f"there is no data file {path}"), ExitCode.NOT_FOUND)
    if symbol is not None:
        return [(symbol, files)]
    return [(path.name.removesuffix(".gz").removesuffix(".csv"), [path]) for path in files]


def _check_picture(picture: Path | None, instruments: int) -> None:
    """End the command before it reads anything, and not after it, if there can be no picture."""
    if picture is None:
        return
    if instruments > 1:
        fail("--svg draws one instrument; give one file, or the files of one with --symbol", ExitCode.USAGE)
    if picture.suffix.lower() != ".svg":
        fail(printable(f"--svg writes a picture, so its name ends in .svg: not {picture}"), ExitCode.USAGE)
    if not picture.absolute().parent.is_dir():
        fail(printable(f"there is no folder for the picture {picture}"), ExitCode.NOT_FOUND)


def _test(asked: AskedRule, symbol: str, files: list[Path]) -> Tested:
    from tickfloor.traders.history.candle_file import are_candles, read_candles
    from tickfloor.traders.history.columns import HistoryColumns
    from tickfloor.traders.history.run import over_bars, over_trades
    from tickfloor.traders.history.trade_file import read_trades
    from tickfloor.traders.plans import planned

    with _progress(files) as progress:
        if not are_candles(files[0]):
            spec = asked.on(when="tick", interval="1m")
            run = over_trades(spec, symbol, read_trades(files, progress))
            return Tested(symbol, files, spec, run, _notes_on_trades(planned(spec), run))
        candles = read_candles(files, progress)
    spec = asked.on(when="close", interval=candles.bars.interval.label)
    run = over_bars(spec, HistoryColumns(candles.bars))
    return Tested(symbol, files, spec, run, _notes_on_candles(planned(spec), candles))


def _notes_on_trades(plan: "Plan", run: "RuleRun") -> list[str]:
    from tickfloor.traders.history.known import of_takers, unknown_in_trades

    notes = []
    if run.late:
        late = counted(run.late, "trade")
        notes.append(f"{late} came after their minute had closed; nothing is signalled at them")
    sided = of_takers(plan)
    if run.without_side and sided:
        without = counted(run.without_side, "trade")
        notes.append(f"{without} without the taker's side count as sold in {', '.join(sided)}")
    return notes + _note_on_unknown("trades", unknown_in_trades(plan))


def _notes_on_candles(plan: "Plan", candles: "Candles") -> list[str]:
    from tickfloor.traders.history.known import unknown_in_bars

    notes = []
    if candles.without_trades:
        left_out = counted(candles.without_trades, "candle")
        notes.append(f"{left_out} without a trade left out: there, a floor has no bar")
    return notes + _note_on_unknown("candles", unknown_in_bars(plan, candles.missing))


def _note_on_unknown(what: str, unknown: list[str]) -> list[str]:
    if not unknown:
        return []
    return [f"{what} do not say {', '.join(unknown)}: unknown, and what is unknown does not match"]


@contextmanager
def _progress(files: list[Path]) -> "Iterator[Progress]":
    """Show how far the reading is, where somebody watches."""
    from tickfloor.traders.history.data_file import unheard

    if not sys.stderr.isatty():
        yield unheard
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=sum(path.stat().st_size for path in files))
        yield lambda read_bytes: bar.update(task, advance=read_bytes)


# What came of it


def _show(tested: Tested, limit: int, plot: bool) -> None:
    run = tested.run
    shown = run.signals[:limit]
    names = list(run.signals[0].values) if run.signals else []
    columns = [
        Column("time UTC"),
        Column("price", right=True),
        *(Column(name, right=True, gives_way=True) for name in names),
    ]
    if shown:
        rows = [
            [time_text(signal.ts_event), f"{signal.price:.10g}", *(_value(signal.values[name]) for name in names)]
            for signal in shown
        ]
        show_table(columns, rows)
    if len(run.signals) > len(shown):
        data(f"… and {counted(len(run.signals) - len(shown), 'more signal')}; --limit shows more")
    if plot:
        from tickfloor.cli.price_plot import draw_in_terminal

        draw_in_terminal(run.path.times_ns, run.path.prices, [signal.ts_event for signal in run.signals])
    data(printable(f"{tested.symbol}: {_summary(tested)}"))


def _summary(tested: Tested) -> str:
    run = tested.run
    if run.first_ns is None or run.last_ns is None:
        return "no bar has closed and no trade has come, so nothing was decided"
    share = f" ({100 * run.matched / run.decided:.2f} %)"
    ends = f"from {time_text(run.first_ns)} to {time_text(run.last_ns)}"
    found = counted(len(run.signals), "signal")
    if run.signals:
        found += f", first {time_text(run.signals[0].ts_event)}, last {time_text(run.signals[-1].ts_event)}"
    return f"true at {run.matched:,} of {counted(run.decided, _unit(tested.spec))}{share} {ends}; {found}"


def _unit(spec: TraderSpec) -> str:
    return "trade" if spec.when == "tick" else f"{spec.interval} bar"


def _value(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.8g}"


def _described(tested: Tested, limit: int) -> dict[str, Any]:
    """Return what came of it for a program."""
    run = tested.run
    return {
        "instrument": tested.symbol,
        "files": [str(path) for path in tested.files],
        "rule": tested.spec.rule,
        "when": tested.spec.when,
        "interval": tested.spec.interval,
        "decided": run.decided,
        "matched": run.matched,
        "from": run.first_ns,
        "to": run.last_ns,
        "late_trades": run.late,
        "notes": tested.notes,
        "signal_count": len(run.signals),
        "signals": [
            {"ts_event": signal.ts_event, "price": signal.price, "values": signal.values}
            for signal in run.signals[:limit]
        ],
    }


def _draw(tested: Tested, picture: Path) -> None:
    from tickfloor.cli.price_plot import picture_of

    run = tested.run
    title = f"{tested.symbol}: {tested.spec.rule}"
    drawn = picture_of(title, run.path.times_ns, run.path.prices, [(each.ts_event, each.price) for each in run.signals])
    try:
        picture.write_text(drawn)
    except OSError as error:
        fail(printable(f"the picture {picture} cannot be written: {error.strerror}"))
