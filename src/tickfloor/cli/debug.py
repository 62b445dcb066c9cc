"""``tickfloor debug``: what passed through a running floor, and its figures."""

from datetime import UTC, datetime

import msgspec

from tickfloor.cli.control_client import connected
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import data, fail, figure
from tickfloor.cli.table import Column, printable, show_table
from tickfloor.supervisor.control.replies import StatisticsShown, Traced, TraceStep
from tickfloor.supervisor.control.requests import ShowStatistics, TraceCorrelation

_COLUMNS = (Column("time (UTC)"), Column("way"), Column("message"), Column("says", gives_way=True))


def trace(identity: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Show the path of one tick, signal, command or request."""
    with connected(floor, seconds) as connection:
        traced = connection.ask(TraceCorrelation(id=identity), Traced)
    if as_json:
        data(msgspec.json.encode(traced.steps).decode())
    elif traced.steps:
        show_table(_COLUMNS, [_row(step) for step in traced.steps])
    if not traced.steps:
        fail(
            f"nothing of {identity!r} is among the last {traced.remembered:,} messages that the floor remembers",
            ExitCode.NOT_FOUND,
        )


def show_statistics(floor: str | None, seconds: float, as_json: bool) -> None:
    """Show the floor's figures, part by part."""
    with connected(floor, seconds) as connection:
        parts = connection.ask(ShowStatistics(), StatisticsShown).parts
    if as_json:
        data(msgspec.json.encode(parts).decode())
        return
    for part, figures in parts.items():
        data(part)
        width = max(map(len, figures), default=0)
        for name, value in figures.items():
            data(f"  {printable(name):<{width}}  {printable(value) if isinstance(value, str) else figure(value)}")


def _row(step: TraceStep) -> list[str]:
    moment = datetime.fromtimestamp(step.ts / 1e9, UTC)
    worker = f"{step.slot}.{step.incarnation}"
    way = f"{worker} → floor" if step.direction == "in" else f"floor → {worker}"
    return [f"{moment:%H:%M:%S.%f}", way, step.message, step.text]
