"""``tickfloor signals``."""

from typing import Annotated

import typer

from tickfloor.cli.options import (
    ConfigOption,
    DatabaseOption,
    JsonOption,
)

app = typer.Typer(help="Signals in the database.", no_args_is_help=True)


@app.command("list")
def signals_list(
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    trader: Annotated[str | None, typer.Option(help="Only this trader's.", show_default=False)] = None,
    instrument: Annotated[str | None, typer.Option(help="Only of this venue:SYMBOL.", show_default=False)] = None,
    as_json: JsonOption = False,
    database: DatabaseOption = None,
    config: ConfigOption = None,
) -> None:
    """List stored signals."""
    from tickfloor.cli.signals import list_signals

    list_signals(limit, trader, instrument, as_json, database, config)
