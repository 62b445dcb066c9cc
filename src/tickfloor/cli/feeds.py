"""``tickfloor feeds``: the exchanges of a running floor, seen and steered from outside."""

from typing import Final

import msgspec

from tickfloor.cli.control_client import FloorConnection, connected
from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import counted, data, fail, say
from tickfloor.cli.table import UNKNOWN, Cell, Column, show_table
from tickfloor.contracts.feeds import ConnectionReport, ConnectionState, NotLive, RepairReport, VenueReport
from tickfloor.supervisor.control.replies import FeedReconnecting, FeedsListed
from tickfloor.supervisor.control.requests import ListFeeds, ReconnectFeed

_VENUES = (
    Column("venue", gives_way=True),
    Column("live", right=True),
    Column("stale", right=True),
    Column("repairing", right=True),
    Column("gap", right=True),
    Column("open", right=True),
    Column("frames", right=True),
    Column("missing", right=True),
    Column("repaired", right=True),
    Column("requests", right=True),
    Column("weight", right=True),
)
_CONNECTIONS = (
    Column("connection", gives_way=True),
    Column("route"),
    Column("state"),
    Column("up", right=True),
    Column("streams", right=True),
    Column("silent", right=True),
    Column("frames", right=True),
    Column("bad", right=True),
    Column("quiet", right=True),
)
_NOT_LIVE = (
    Column("not live"),
    Column("mark"),
    Column("for", right=True),
    Column("because", gives_way=True),
)
LIVE: Final = "live"
_STATE_COLOURS = {ConnectionState.OPEN: "green", ConnectionState.CLOSED: "red"}


def list_feeds(floor: str | None, seconds: float, as_json: bool) -> None:
    """Show every venue on a line."""
    venues = _venues(floor, seconds)
    if as_json:
        data(msgspec.json.encode(venues).decode())
        return
    show_table(_VENUES, [_venue_row(venue) for venue in venues])
    for venue in venues:
        if venue.waits_for:
            say(f"{venue.venue}: {venue.waits_for}")
        if venue.repairs.held_seconds > 0:
            say(f"{venue.venue}: no REST request for {venue.repairs.held_seconds:,.0f} s: {venue.repairs.held_reason}")


def show_feed(name: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Show all that is known of one venue."""
    venues = _venues(floor, seconds)
    venue = _of_name(name, venues)
    if as_json:
        data(msgspec.json.encode(venue).decode())
        return
    for label, text in _details(venue):
        data(f"{label:<18} {text}")
    data("")
    if venue.not_live:
        show_table(_NOT_LIVE, [_not_live_row(each) for each in venue.not_live])
        more = sum(count for mark, count in venue.instruments.items() if mark != LIVE) - len(venue.not_live)
        data(f"and {more:,} more\n" if more > 0 else "")
    show_table(_CONNECTIONS, [_connection_row(each) for each in venue.connections])
    if venue.waits_for:
        say(f"{venue.venue}: {venue.waits_for}")
    for each in venue.connections:
        for stream, reason in each.refused.items():
            say(f"{each.name}: the venue refuses {stream}: {reason}")
        if each.reason and each.state is not ConnectionState.OPEN:
            say(f"{each.name}: {each.state}; the last connection ended: {each.reason}")


def reconnect_feed(venue: str, connection: str, floor: str | None, seconds: float, as_json: bool) -> None:
    """Replace connections of a venue."""
    with connected(floor, seconds) as asked:
        _require(venue, connection, asked)
        reply = asked.ask(ReconnectFeed(venue=venue, connection=connection), FeedReconnecting)
        if as_json:
            data(msgspec.json.encode(asked.effect(reply)).decode())
        else:
            names = f" ({', '.join(reply.connections)})" if reply.connections else ": there is none yet"
            data(f"{venue}: replacing {counted(len(reply.connections), 'connection')}{names}")


def _venues(floor: str | None, seconds: float) -> tuple[VenueReport, ...]:
    with connected(floor, seconds) as asked:
        return _listed(asked)


def _listed(asked: FloorConnection) -> tuple[VenueReport, ...]:
    venues = asked.ask(ListFeeds(), FeedsListed).venues
    if not venues:
        fail("this floor replays recorded data: it is connected to no exchange", ExitCode.NOT_FOUND)
    return venues


def _of_name(name: str, venues: tuple[VenueReport, ...]) -> VenueReport:
    venue = next((each for each in venues if each.venue == name), None)
    if venue is None:
        fail(f"the floor has no venue {name!r}; it has {', '.join(each.venue for each in venues)}", ExitCode.NOT_FOUND)
    return venue


def _require(name: str, connection: str, asked: FloorConnection) -> None:
    """End the command if a venue has no such connection, or the floor no such venue."""
    names = [each.name for each in _of_name(name, _listed(asked)).connections]
    if connection and connection not in names:
        known = f"it has {', '.join(names)}" if names else "it has none yet"
        fail(f"{name} has no connection {connection!r}; {known}", ExitCode.NOT_FOUND)


def _venue_row(venue: VenueReport) -> list[Cell | str]:
    count = venue.instruments.get
    return [
        venue.venue,
        f"{count('live', 0):,}",
        _bad(count("stale", 0)),
        _bad(count("repairing", 0)),
        _bad(count("gap", 0)),
        f"{sum(each.state is ConnectionState.OPEN for each in venue.connections)}/{len(venue.connections)}",
        f"{sum(each.frames for each in venue.connections):,}",
        f"{venue.missing_trades:,}",
        f"{venue.repaired_trades:,}",
        f"{venue.repairs.waiting + venue.repairs.in_flight:,}",
        f"{venue.repairs.used_weight:,}/{venue.repairs.weight_limit:,}",
    ]


def _connection_row(each: ConnectionReport) -> list[Cell | str]:
    return [
        each.name,
        each.route or UNKNOWN,
        Cell(each.state, _STATE_COLOURS.get(each.state, "yellow")),
        _seconds(each.age),
        f"{each.streams:,}",
        _bad(each.silent),
        f"{each.frames:,}",
        _bad(each.malformed),
        _seconds(each.quiet),
    ]


def _details(venue: VenueReport) -> list[tuple[str, str]]:
    repairs = venue.repairs
    details = [
        ("venue", venue.venue),
        ("instruments", _instruments(venue.instruments)),
        ("missing trades", f"{venue.missing_trades:,}"),
        ("repaired trades", f"{venue.repaired_trades:,}"),
        ("ids without trade", f"{venue.skipped_trades:,}"),
        ("REST requests", _requests(repairs)),
        ("weight used", f"{repairs.used_weight:,} of {repairs.weight_limit:,} this minute"),
        ("venue's clock", _clock(venue.clock_ahead_ms)),
    ]
    if repairs.held_seconds > 0:
        details.append(("requests held", f"for {repairs.held_seconds:,.0f} s: {repairs.held_reason}"))
    details += [("left out", f"{count:,} {why}") for why, count in venue.left_out.items()]
    return details


def _instruments(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {mark}" for mark, count in counts.items() if count) or "none yet"


def _not_live_row(each: NotLive) -> list[Cell | str]:
    return [each.symbol, Cell(each.mark, "yellow"), _seconds(each.seconds), "; ".join(each.reasons)]


def _requests(repairs: RepairReport) -> str:
    """Return how many are on their way, and how those since the feed's start ended."""
    under_way = f"{repairs.waiting:,} waiting, {repairs.in_flight:,} under way"
    return f"{under_way}, {repairs.answered:,} answered, {repairs.failed:,} failed"


def _clock(ahead_ms: float | None) -> str:
    if ahead_ms is None:
        return "not seen yet"
    return f"{abs(ahead_ms):,.1f} ms {'behind' if ahead_ms < 0 else 'ahead of'} ours"


def _bad(count: int) -> Cell | str:
    return Cell(f"{count:,}", "yellow") if count else "0"


def _seconds(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{seconds:,.1f} s"
