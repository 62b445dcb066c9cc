"""``tickfloor config``."""

from pathlib import Path
from typing import Annotated

import typer

from tickfloor.cli.options import (
    JsonOption,
)

app = typer.Typer(help="Settings.", no_args_is_help=True)


@app.command("check")
def config_check(
    file: Annotated[
        Path | None,
        typer.Argument(help="Settings file (TOML); none: only the environment.", envvar="TICKFLOOR_CONFIG"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the settings and show them as they would apply."""
    from tickfloor.cli.settings import check_config

    check_config(file, as_json)
