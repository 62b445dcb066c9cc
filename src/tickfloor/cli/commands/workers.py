"""``tickfloor workers``."""

from typing import Annotated

import typer

from tickfloor.cli.options import (
    SECONDS,
    FloorOption,
    JsonOption,
    ScaleArgument,
    TimeoutOption,
    WorkerArgument,
)

app = typer.Typer(help="The workers of a running floor.", no_args_is_help=True)


@app.command("list")
def workers_list(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """List the workers, their health and memory."""
    from tickfloor.cli.workers import list_workers

    list_workers(floor, timeout, as_json)


@app.command("show")
def workers_show(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Show all that is known of one worker."""
    from tickfloor.cli.workers import show_worker

    show_worker(name, floor, timeout, as_json)


@app.command("replace")
def workers_replace(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Put a new incarnation in a worker's place, without a gap."""
    from tickfloor.cli.workers import replace_worker

    replace_worker(name, floor, timeout, as_json)


@app.command("drain")
def workers_drain(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Have a worker finish all that waits for it; it goes on working."""
    from tickfloor.cli.workers import drain_worker

    drain_worker(name, floor, timeout, as_json)


@app.command("cleanup")
def workers_cleanup(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Have a worker clean up and exit; another takes its place."""
    from tickfloor.cli.workers import clean_up_worker

    clean_up_worker(name, floor, timeout, as_json)


@app.command("stop")
def workers_stop(
    name: WorkerArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Clean a worker up and leave its place empty."""
    from tickfloor.cli.workers import stop_worker

    stop_worker(name, floor, timeout, as_json)


@app.command("scale")
def workers_scale(
    workers: ScaleArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Run the traders in so many workers, without a gap."""
    from tickfloor.cli.workers import scale_workers

    scale_workers(workers, floor, timeout, as_json)


@app.command("logs")
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
