"""``tickfloor emergency``."""

import typer

from tickfloor.cli.options import (
    SECONDS,
    FloorOption,
    JsonOption,
    TimeoutOption,
)

app = typer.Typer(help="Stop a running floor's effects, or bring it back.", no_args_is_help=True)


@app.command("stop")
def emergency_stop(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """Stop all effects on the world outside, at once and in every worker."""
    from tickfloor.cli.emergency import stop

    stop(floor, timeout, as_json)


@app.command("resume")
def emergency_resume(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """Allow effects again."""
    from tickfloor.cli.emergency import resume

    resume(floor, timeout, as_json)


@app.command("recover")
def emergency_recover(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """Restart every worker and restore what shall be."""
    from tickfloor.cli.emergency import recover

    recover(floor, timeout, as_json)
