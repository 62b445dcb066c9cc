"""``tickfloor feeds``."""

from typing import Annotated

import typer

from tickfloor.cli.options import SECONDS, FloorOption, JsonOption, TimeoutOption

app = typer.Typer(help="The exchanges that a running floor is connected to.", no_args_is_help=True)
VenueArgument = Annotated[str, typer.Argument(metavar="VENUE", help="For example binance-usdm.", show_default=False)]


@app.command("list")
def feeds_list(floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False) -> None:
    """List the venues, how far their data can be trusted, and what is being repaired."""
    from tickfloor.cli.feeds import list_feeds

    list_feeds(floor, timeout, as_json)


@app.command("show")
def feeds_show(
    venue: VenueArgument, floor: FloorOption = None, timeout: TimeoutOption = SECONDS, as_json: JsonOption = False
) -> None:
    """Show a venue's connections and repairs."""
    from tickfloor.cli.feeds import show_feed

    show_feed(venue, floor, timeout, as_json)


@app.command("reconnect")
def feeds_reconnect(
    venue: VenueArgument,
    connection: Annotated[str, typer.Argument(metavar="[CONNECTION]", help="Only this one.")] = "",
    floor: FloorOption = None,
    timeout: TimeoutOption = SECONDS,
    as_json: JsonOption = False,
) -> None:
    """Replace a venue's connections without a gap: the new ones speak before the old ones are closed."""
    from tickfloor.cli.feeds import reconnect_feed

    reconnect_feed(venue, connection, floor, timeout, as_json)
