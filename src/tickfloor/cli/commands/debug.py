"""``tickfloor debug``."""

from typing import Annotated

import typer

from tickfloor.cli.options import (
    SECONDS,
    FloorOption,
    JsonOption,
    TimeoutOption,
)

app = typer.Typer(help="What passes through a running floor.", no_args_is_help=True)


@app.command("trace")
def debug_trace(
    identity: Annotated[str, typer.Argument(metavar="ID", help="A correlation id, or a signal's id.")],
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Show the path of one tick, signal, command or request."""
    from tickfloor.cli.debug import trace

    trace(identity, floor, timeout, as_json)


@app.command("statistics")
def debug_statistics(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """Show the floor's figures."""
    from tickfloor.cli.debug import show_statistics

    show_statistics(floor, timeout, as_json)
