"""``tickfloor workers``: a running floor's workers, seen and steered from outside."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import typer

from tickfloor.cli.control_client import connected
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, figure, say
from tickfloor.cli.table import UNKNOWN, Cell, Column, printable, show_table
from tickfloor.contracts.events import LogLine
from tickfloor.contracts.states import Health, SlotState
from tickfloor.supervisor.control.replies import (
    LogsShown,
    Reply,
    TradersScaled,
    WorkerCleanedUp,
    WorkerDetails,
    WorkerDrained,
    WorkerReplaced,
    WorkerShown,
    WorkersListed,
    WorkerStopped,
)
from tickfloor.supervisor.control.requests import (
    CleanupWorker,
    ControlRequest,
    DrainWorker,
    FollowLogs,
    ListWorkers,
    ReplaceWorker,
    ScaleTraders,
    ShowLogs,
    ShowWorker,
    StopWorker,
)

R = TypeVar("R", bound=Reply)

_MIB = 1 << 20
_COLUMNS = (
    Column("worker", gives_way=True),
    Column("state"),
    Column("health"),
    Column("up", right=True),
    Column("MiB", right=True),
    Column("MiB/h", right=True),
    Column("traders", right=True),
    Column("restarts", right=True),
)
_HEALTH_COLOURS = {Health.HEALTHY: "green", Health.SUSPECT: "yellow", Health.STUCK: "red"}
_LEVEL_COLOURS = {"warning": typer.colors.YELLOW, "error": typer.colors.RED}


def list_workers(floor: str | None, seconds: float, as_json: bool) -> None:
    """Show every worker's place."""
    with connected(floor, seconds) as connection:
        listed = connection.ask(ListWorkers(), WorkersListed)
    if as_json:
        data(msgspec.json.encode(listed.workers).decode())
        return
    show_table(_COLUMNS, [_row(worker) for worker in listed.workers])
    if not listed.effects_allowed:
        say("effects on the world outside are stopped; `tickfloor emergency resume` allows them again")


def show_worker(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Show all that is known of one worker."""
    with connected(floor, seconds) as connection:
        worker = connection.ask(ShowWorker(name=name), WorkerShown).worker
    if as_json:
        data(msgspec.json.encode(worker).decode())
        return
    for label, text in _details(worker):
        data(f"{label:<24} {text}")


def replace_worker(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Put a new incarnation in a worker's place."""
    _act(ReplaceWorker(name=name), WorkerReplaced, _replaced, floor, seconds, as_json)


def drain_worker(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Have a worker finish what waits for it."""
    _act(DrainWorker(name=name), WorkerDrained, _drained, floor, seconds, as_json)


def clean_up_worker(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Have a worker let go of everything, and another take its place."""
    _act(CleanupWorker(name=name), WorkerCleanedUp, _cleaned_up, floor, seconds, as_json)


def stop_worker(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Clean a worker up and leave its place empty."""
    _act(StopWorker(name=name), WorkerStopped, _stopped, floor, seconds, as_json)


def scale_workers(workers: int, floor: str | None, seconds: float, as_json: bool) -> None:
    """Run the traders in so many workers."""
    _act(ScaleTraders(workers=workers), TradersScaled, _scaled, floor, seconds, as_json)


def show_logs(name: str, last: int, follow: bool, floor: str | None, seconds: float, as_json: bool) -> None:
    """Show the last log lines of a worker or of all, and those that come if they are followed."""
    with connected(floor, seconds) as connection:
        if not follow:
            lines = connection.ask(ShowLogs(worker=name, last=last), LogsShown).lines
            if as_json:
                data(msgspec.json.encode(lines).decode())
            else:
                for line in lines:
                    _show_line(line)
            return
        try:
            for shown in connection.follow(FollowLogs(worker=name, last=last), LogsShown):
                if shown.dropped:
                    say(f"{counted(shown.dropped, 'line')} left out: they come faster than they are read")
                for line in shown.lines:
                    if as_json:
                        data(msgspec.json.encode(line).decode())
                    else:
                        _show_line(line)
                sys.stdout.flush()
        except KeyboardInterrupt as error:
            raise typer.Exit(ExitCode.INTERRUPTED) from error


def _act(
    request: ControlRequest,
    kind: type[R],
    tell: Callable[[R], str],
    floor: str | None,
    seconds: float,
    as_json: bool,
) -> None:
    with connected(floor, seconds) as connection:
        reply = connection.ask(request, kind)
        data(msgspec.json.encode(connection.effect(reply)).decode() if as_json else tell(reply))


# Words


def _row(worker: WorkerDetails) -> list[Cell | str]:
    return [
        worker.slot,
        _state(worker),
        Cell(worker.health, _HEALTH_COLOURS[worker.health]) if worker.pid else UNKNOWN,
        _duration(worker.uptime) if worker.pid else UNKNOWN,
        f"{worker.memory / _MIB:.1f}" if worker.pid else UNKNOWN,
        _trend(worker.private_trend),
        f"{worker.traders:,}",
        f"{worker.restarts:,}",
    ]


def _state(worker: WorkerDetails) -> Cell:
    if worker.slot_state is SlotState.RUNNING and worker.worker_state is not None:
        return Cell(worker.worker_state, "green" if worker.worker_state == "ready" else "yellow")
    return Cell(worker.slot_state, "red" if worker.slot_state is SlotState.QUARANTINED else "yellow")


def _details(worker: WorkerDetails) -> list[tuple[str, str]]:
    details = [
        ("worker", f"{worker.slot} ({worker.kind})"),
        ("place", worker.slot_state),
        ("state", worker.worker_state or UNKNOWN),
        ("health", worker.health if worker.pid else UNKNOWN),
        ("pid", str(worker.pid or UNKNOWN)),
        ("incarnation", f"{worker.incarnation:,}"),
        ("up", _duration(worker.uptime)),
        ("memory", f"{worker.memory / _MIB:.1f} MiB, of it {worker.private / _MIB:.1f} MiB its own"),
        ("memory trend", f"{_trend(worker.private_trend)} MiB/h"),
        ("busy", UNKNOWN if worker.busy is None else f"{worker.busy:.0%}"),
        ("traders", f"{worker.traders:,}"),
        ("commands applied", f"{worker.commands:,}"),
        ("oldest unacknowledged", _ago(worker.oldest_unacknowledged)),
        ("last pong", _ago(worker.last_pong)),
        ("restarts", f"{worker.restarts:,}"),
        ("replacements", f"{worker.replacements:,}"),
    ]
    if worker.quarantine:
        details.append(("quarantine", worker.quarantine))
    details += [(name.replace("_", " "), figure(value)) for name, value in worker.figures.items()]
    return details


def _replaced(reply: WorkerReplaced) -> str:
    took = _took(reply.seconds)
    return f"{reply.worker}: replaced {took}; incarnation {reply.incarnation:,} works as process {reply.pid}"


def _drained(reply: WorkerDrained) -> str:
    read = "" if reply.through is None else f"; the tape is read up to {reply.through:,}"
    return f"{reply.worker}: has finished what waited for it, {_took(reply.seconds)}{read}"


def _cleaned_up(reply: WorkerCleanedUp) -> str:
    ended = _ended(reply.forced, reply.leaked)
    return f"{reply.worker}: {ended} {_took(reply.seconds)}; incarnation {reply.incarnation:,} works"


def _stopped(reply: WorkerStopped) -> str:
    return f"{reply.worker}: {_ended(reply.forced, reply.leaked)} {_took(reply.seconds)}; its place is empty"


def _scaled(reply: TradersScaled) -> str:
    moved = counted(reply.moved, "trader")
    return f"{counted(reply.after, 'trader worker')}, {reply.before} before; {moved} moved {_took(reply.seconds)}"


def _ended(forced: bool, leaked: tuple[str, ...]) -> str:
    ended = "killed, because it did not clean up," if forced else "cleaned up"
    return f"{ended} (leaked {', '.join(leaked)})" if leaked else ended


def _took(seconds: float) -> str:
    return f"in {seconds * 1000:,.0f} ms" if seconds < 10 else f"in {seconds:,.1f} s"


def _trend(bytes_an_hour: float | None) -> str:
    return UNKNOWN if bytes_an_hour is None else f"{bytes_an_hour / _MIB:+.1f}"


def _ago(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{seconds:.1f} s ago"


def _duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    if whole < 3_600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86_400:
        return f"{whole // 3_600}h {whole % 3_600 // 60:02d}m"
    return f"{whole // 86_400}d {whole % 86_400 // 3_600:02d}h"


def _show_line(line: LogLine) -> None:
    moment = datetime.fromtimestamp(line.ts / 1e9, UTC)
    fields = " ".join(f"{name}={value}" for name, value in line.fields.items())
    level = typer.style(f"{line.level:<7}", fg=_LEVEL_COLOURS.get(line.level))
    correlation = f" [{line.correlation_id}]" if line.correlation_id else ""
    said = printable(f"{line.slot:<12} {line.event} {fields}".rstrip() + correlation)
    typer.echo(f"{moment:%H:%M:%S.%f} {level} {said}")
