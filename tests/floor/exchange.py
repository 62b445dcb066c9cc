"""A floor that is connected to a simulated exchange, and what both of them counted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from tests.floor.playing import config_for
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.row import Field
from tickfloor.contracts.commands import FeedReported, ReportFeed
from tickfloor.contracts.events import FeedFinished
from tickfloor.contracts.feeds import ConnectionState, VenueReport
from tickfloor.contracts.records import Quality
from tickfloor.contracts.settings import LiveSource, VenueSettings
from tickfloor.floor import Floor, FloorPlan
from tickfloor.kinds import FEED
from tickfloor.simulator.simulator import Simulator

STREAMS = ("trades", "quotes", "book", "tickers")
MOST_SECONDS = 60.0


class Exchange:
    """A simulator and a floor on it, in one loop; the workers are processes of their own."""

    def __init__(self, simulator: Simulator, floor: Floor) -> None:
        self.simulator = simulator
        self.floor = floor

    async def reports(self) -> tuple[VenueReport, ...]:
        answer = await self.floor.supervisor.ask(FEED, ReportFeed())
        assert isinstance(answer, FeedReported)
        return answer.venues

    async def connected(self) -> None:
        """Return when every connection is open."""

        async def open_() -> bool:
            venues = await self.reports()
            return all(
                venue.connections and all(each.state is ConnectionState.OPEN for each in venue.connections)
                for venue in venues
            )

        await until_true(open_, "every connection is open")

    async def quiet(self) -> None:
        """Return when the floor has read what the exchange has sent."""
        seen: list[int] = []

        async def read() -> bool:
            seen.append(sum(each.frames for venue in await self.reports() for each in venue.connections))
            return len(seen) > 10 and seen[-10:] == seen[-1:] * 10

        await until_true(read, "no frame comes any more", lambda: seen[-3:])

    async def whole(self) -> None:
        """Return when the market stands still and the floor has everything of it, or has had time enough."""
        board = BoardReader(self.floor._memory.of_display()["board"], run_id=self.floor.run_id)
        missing: list[str] = []

        async def settled() -> bool:
            missing[:] = self._missing(board)
            return not missing

        try:
            await until_true(settled, "the board shows what the exchange did", lambda: missing)
        finally:
            board.close()

    async def recovered(self) -> None:
        """Return when the floor trusts everything and has all that the exchange had done when this was asked."""
        board = BoardReader(self.floor._memory.of_display()["board"], run_id=self.floor.run_id)
        done = self.ledger()
        lacking: list[str] = []

        async def settled() -> bool:
            rows = {board.instrument(number).key: board.row(number) for number in range(board.count())}
            lacking[:] = [
                f"{key}: {row and (row[Field.TRADES], Quality(int(row[Field.QUALITY])))} of {_trades(key, entry)}"
                for key, entry in done.items()
                for row in (rows.get(key),)
                if row is None or row[Field.TRADES] < _trades(key, entry) or row[Field.QUALITY] != Quality.LIVE
            ]
            return not lacking

        try:
            await until_true(settled, "the floor has recovered", lambda: lacking)
        finally:
            board.close()

    def _missing(self, board: BoardReader) -> list[str]:
        """Return in what the board differs from the ledger."""
        rows = {board.instrument(number).key: board.row(number) for number in range(board.count())}
        books = {board.instrument(number).key: board.book(number) for number in range(board.count())}
        found = []
        for key, entry in self.ledger().items():
            row, book = rows.get(key), books.get(key)
            trades = _trades(key, entry)
            if row is None or row[Field.TRADES] != trades or row[Field.QUALITY] != Quality.LIVE:
                found.append(
                    f"{key}: {row and (row[Field.TRADES], Quality(int(row[Field.QUALITY])))} of {trades} trades"
                )
            elif book is None or book.update_id != entry["book"]["update_id"]:
                found.append(f"{key}: book {book and book.update_id} instead of {entry['book']['update_id']}")
        return found

    async def finish(self) -> tuple[FeedFinished, dict[str, Any]]:
        """End the floor and return the feed's last word and its figures, by ``venue:symbol``."""
        feed = await self.floor.stop_feed()
        await self.floor.drain(feed.head)
        return feed, msgspec.json.decode(feed.figures)

    def ledger(self) -> dict[str, Any]:
        """Return what the exchange did, by ``venue:symbol``."""
        return {
            f"{venue}:{symbol}": entry
            for venue, symbols in self.simulator.ledger().items()
            for symbol, entry in symbols.items()
        }


def _trades(key: str, entry: dict[str, Any]) -> int:
    """Return how many trades a venue's feed counts: futures send them aggregated."""
    count: int = entry["trades" if key.startswith("binance:") else "agg_trades"]
    return count


async def until_true(
    condition: Callable[[], Awaitable[bool]], what: str, found: Callable[[], object] = lambda: ""
) -> None:
    """Return when a question is answered with yes."""
    try:
        async with asyncio.timeout(MOST_SECONDS):
            while not await condition():  # noqa: ASYNC110 - nothing tells us
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {MOST_SECONDS:.0f} s: {what}; {found()}") from None


def differences(figures: dict[str, Any], ledger: dict[str, Any], *, aggregated: bool = False) -> list[str]:
    """Return in what a feed's figures differ from an exchange's ledger."""
    found = []
    for key, entry in ledger.items():
        mine = figures.get(key)
        if mine is None:
            if entry["trades"]:
                found.append(f"{key}: nothing was received")
            continue
        expected = {"trades": entry["agg_trades" if aggregated else "trades"]} | {
            name: entry[name] for name in ("qty", "notional", "first", "last", "min", "max")
        }
        found += [
            f"{key} {name}: {mine[name]} instead of {value}" for name, value in expected.items() if mine[name] != value
        ]
        for side in ("bids", "asks"):
            if mine["book"][side] != entry["book"][side]:
                found.append(f"{key} {side}: {mine['book'][side][:3]} instead of {entry['book'][side][:3]}")
        bars = [
            {**bar, **{name: float(bar[name]) for name in ("open", "high", "low", "close", "volume")}}
            for bar in entry["bars_1m"]
        ]
        if aggregated:
            bars, mine_bars = _without_counts(bars), _without_counts(mine["bars_1m"])
        else:
            mine_bars = mine["bars_1m"]
        if mine_bars != bars:
            found.append(f"{key} bars: {mine_bars} instead of {bars}")
    return found


def _without_counts(bars: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in bar.items() if name != "trades"} for bar in bars]


def venue_of(simulator: Simulator, venue: str, **given: Any) -> VenueSettings:
    stream_url, rest_url = simulator.urls(venue)
    return VenueSettings(venue=venue, stream_url=stream_url, rest_url=rest_url, **({"streams": STREAMS} | given))


async def on_exchange(
    folder: Path,
    simulator: Simulator,
    venues: tuple[VenueSettings, ...],
    do: Callable[[Exchange], Awaitable[Any]],
    *,
    begins_ns: int = 0,
    **config: Any,
) -> Any:
    """Start a floor on an exchange that is listening, do something, and end the floor whatever comes of it.

    Where the exchange plays back the past, the floor believes that it begins at ``begins_ns``.
    """
    plan = FloorPlan(
        source=LiveSource(venues=venues, ahead_ns=begins_ns - time.time_ns() if begins_ns else 0),
        identity="test",
        tape="live",
        traders=(),
        replay=False,
        console=None,
        audit=True,
    )
    floor = Floor(config_for(folder, control_socket="none", **config), plan)
    try:
        await floor.start()
        return await floor.unless_failed(asyncio.ensure_future(do(Exchange(simulator, floor))))
    finally:
        await floor.stop(20.0)
