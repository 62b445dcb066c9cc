"""``tickfloor record``."""

from pathlib import Path
from typing import Annotated

import typer

from tickfloor.cli.options import ConfigOption, JsonOption

app = typer.Typer(help="Exchanges written down as they are, and what was written.", invoke_without_command=True)
FolderArgument = Annotated[Path, typer.Argument(metavar="FOLDER", help="Of a recording.", show_default=False)]


@app.callback()
def record(
    context: typer.Context,
    into: Annotated[
        Path | None, typer.Option("--into", metavar="FOLDER", help="Where it is written.", show_default=False)
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="End by itself after so long; 0 runs until Ctrl-C.")] = 0,
    config: ConfigOption = None,
) -> None:
    """Write down every frame of the venues of a settings file, as received; it can be replayed."""
    if context.invoked_subcommand is not None:
        return
    if into is None:
        raise typer.BadParameter("say where to write, for example --into recordings", param_hint="--into")
    from tickfloor.cli.record import run_record

    run_record(into, seconds, config)


@app.command("show")
def record_show(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Show the files of a recording."""
    from tickfloor.cli.record import show_recording

    show_recording(folder, as_json)


@app.command("verify")
def record_verify(folder: FolderArgument, as_json: JsonOption = False) -> None:
    """Check that every file of a recording is there and as it was written."""
    from tickfloor.cli.record import verify_recording

    verify_recording(folder, as_json)
