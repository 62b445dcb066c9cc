"""A floor that is connected to a simulated exchange, and whether both of them say the same."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import msgspec

import tickfloor.floor
from stress.tape_witness import TapeWitness, Witnessed, near
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.row import Field
from tickfloor.config import Config
from tickfloor.contracts.bars import Bar, BarField
from tickfloor.contracts.commands import FeedReported, GetStatus, Reconnect, ReportFeed, WorkerReport
from tickfloor.contracts.feeds import ConnectionState, VenueReport
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.contracts.settings import LiveSource, VenueSettings
from tickfloor.contracts.states import WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.floor import Floor, FloorPlan
from tickfloor.kinds import FEED, FEED_KIND
from tickfloor.simulator.binance.session import BinanceSession
from tickfloor.simulator.simulator import Simulator

T = TypeVar("T")

SPOT = "binance"
ANSWER_SECONDS = 30.0
"""A feed worker that has died is made anew in less."""
_LOOK_SECONDS = 0.02
_TRADERS = tuple(
    TraderSpec(name=f"trader {number}", rule=f"bid_size > {2 + number} * ask_size", cooldown_ns=500_000_000)
    for number in range(4)
)
_MOST_MINUTES = 2000


class ExchangeFloor:
    """A whole floor on one venue of a simulator in this loop.

    Attributes:
        witness: reads the tape all the time.
        was_disturbed: streams were found to be tampered with.
    """

    def __init__(self, simulator: Simulator, floor: Floor, venue: str) -> None:
        self.simulator = simulator
        self.floor = floor
        self.venue = venue
        self.witness = TapeWitness(floor)
        self.was_disturbed = False
        self._board = BoardReader(floor._memory.of_display()["board"], run_id=floor.run_id)

    # What can be asked

    async def report(self) -> VenueReport:
        """Return how the venue stands; waits while there is no feed worker to say it.

        Raises:
            WorkerError: the floor cannot go on.
        """
        answer = await self.floor.supervisor.ask(FEED, ReportFeed())
        assert isinstance(answer, FeedReported)
        return answer.venues[0]

    async def feed_status(self) -> WorkerReport:
        """Return what any worker says of itself, of the feed's.

        Raises:
            WorkerError: the floor cannot go on.
        """
        answer = await self.floor.supervisor.ask(FEED, GetStatus())
        assert isinstance(answer, WorkerReport)
        return answer

    async def unopened(self) -> str:
        """Return which connections are not open; empty when all are."""
        connections = (await self.report()).connections
        if connections and all(each.state is ConnectionState.OPEN for each in connections):
            return ""
        return f"connections: {[(each.name, str(each.state), each.reason) for each in connections]}"

    async def unsettled(self) -> str:
        """Return what is not yet as it should be while the market goes on; empty when all is well."""
        if disturbed := await self.disturbed():
            return ", ".join(disturbed)
        if unopened := await self.unopened():
            return unopened
        report = await self.report()
        if any(each.silent or each.refused for each in report.connections):
            return f"streams: {[(each.name, each.silent, each.refused) for each in report.connections]}"
        if report.missing_trades or any(count for name, count in report.instruments.items() if name != "live"):
            return f"{report.instruments}, {report.missing_trades} trades missing, repairs {report.repairs}"
        return ""

    async def disturbed(self) -> list[str]:
        """Return what the exchange is still doing to its clients: it may take them long to notice."""
        found = [
            stream.name
            for face in self.simulator.faces_of(self.venue)
            for stream in face.streams
            if stream.heard and stream._tampers
        ]
        for connection in self.simulator.server.connections.values():
            if connection.muted:
                found.append(f"connection {connection.number} is half open")
            elif isinstance(connection.session, BinanceSession):
                ignored = [name for name, stream in connection.session._streams.items() if stream is None]
                found += [f"connection {connection.number}: {name} is ignored" for name in ignored]
        self.was_disturbed |= bool(found)
        return found

    async def settled(self, seconds: float) -> str:
        """Return when all is well, or, after so many seconds, what is not."""
        return await nothing_left(self.unsettled, seconds)

    async def equal(self, seconds: float, *, by_order: bool) -> list[str]:
        """Return when board and tape say what the ledger says, or, after so many seconds, in what they do not.

        Args:
            by_order: the venue's clock never went back, so that the first and the last trade of a minute by time are
                those by order.
        """

        async def differences() -> list[str]:
            return list(self._differences(by_order=by_order))

        return await nothing_left(differences, seconds)

    def witnessed(self, symbol: str) -> Witnessed:
        """Return what the tape said of an instrument so far."""
        for number in range(self._board.count()):
            if self._board.instrument(number).symbol == symbol:
                return self.witness.seen.get(number) or Witnessed()
        return Witnessed()

    # What can be done

    async def reconnect(self) -> None:
        """Replace all connections.

        Raises:
            WorkerError: the floor cannot go on.
        """
        await self.floor.supervisor.ask(FEED, Reconnect(venue=self.venue, connection=""))

    def kill(self, slot: str) -> None:
        """Kill the worker of a slot, if there is one."""
        process = self.floor.supervisor.slot(slot).process
        if process is not None and not process.dead.is_set():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)

    def workers(self, kind: str) -> list[str]:
        """Return the slots of a kind whose worker is ready."""
        return [each.slot for each in self.floor.supervisor.processes(kind) if each.state is WorkerState.READY]

    async def finish(self) -> dict[str, Any]:
        """End feed and traders and return the feed's exact figures, by ``venue:symbol``."""
        feed = await self.floor.stop_feed()
        await self.floor.drain(feed.head)
        found: dict[str, Any] = msgspec.json.decode(feed.figures)
        return found

    async def follow_tape(self) -> None:
        """Read the tape until cancelled."""
        while True:
            self.witness.read()
            await asyncio.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Let go of the shared memory."""
        self.witness.close()
        self._board.close()

    def _differences(self, *, by_order: bool) -> Iterator[str]:
        self.witness.read()
        numbers = {self._board.instrument(number).symbol: number for number in range(self._board.count())}
        for symbol, entry in self.simulator.ledger(self.venue)[self.venue].items():
            number = numbers.get(symbol)
            row = None if number is None else self._board.row(number)
            if number is None or row is None:
                yield f"{symbol}: not on the board"
                continue
            for what in self._of_trades(row, self.witness.seen.get(number) or Witnessed(), entry):
                yield f"{symbol} {what}"
            for what in self._of_book(number, row, entry["book"]):
                yield f"{symbol} {what}"
            for what in self._of_bars(number, entry["bars_1m"], by_order=by_order):
                yield f"{symbol} {what}"

    def _of_trades(self, row: tuple[float, ...], tape: Witnessed, entry: dict[str, Any]) -> Iterator[str]:
        spot = self.venue == SPOT
        count = entry["trades" if spot else "agg_trades"]
        first, last = entry["first_id" if spot else "first_agg_id"], entry["last_id" if spot else "last_agg_id"]
        if row[Field.QUALITY] != Quality.LIVE:
            yield f"is {Quality(int(row[Field.QUALITY])).name}"
        if row[Field.TRADES] != count or tape.trades != count:
            yield f"trades: {row[Field.TRADES]:.0f} on the board, {tape.trades} on the tape, {count} in the ledger"
        if tape.doubles:
            yield f"doubled trades: {len(tape.doubles)}, {tape.doubles[:5]}"
        if tape.missing() or tape.first_id != first or tape.next_id != last + 1:
            yield f"ids: {tape.first_id} to {tape.next_id} and {len(tape.beyond)} beyond, instead of {first} to {last}"
        for what, found, exact in (
            ("volume", row[Field.BUY_VOLUME] + row[Field.SELL_VOLUME], entry["qty"]),
            ("quantity", tape.quantity, entry["qty"]),
            ("notional", tape.notional, entry["notional"]),
        ):
            if not near(found, exact):
                yield f"{what}: {found} instead of {exact}"

    def _of_book(self, number: int, row: tuple[float, ...], entry: dict[str, Any]) -> Iterator[str]:
        book = self._board.book(number)
        if book is None or book.update_id != entry["update_id"]:
            yield f"book: {book and book.update_id} instead of {entry['update_id']}"
            return
        for side, levels in (("bids", book.bids), ("asks", book.asks)):
            exact = [(float(price), float(qty)) for price, qty in entry[side]]
            if levels[: len(exact)] != exact:
                yield f"{side}: {levels[:3]} instead of {exact[:3]}"
            best = (row[Field.BID], row[Field.BID_SIZE]) if side == "bids" else (row[Field.ASK], row[Field.ASK_SIZE])
            if best != exact[0]:
                yield f"best of {side}: {best} instead of {exact[0]}"

    def _of_bars(self, number: int, exact: list[dict[str, Any]], *, by_order: bool) -> Iterator[str]:
        bars = self._board.bars(number, Interval.M1, _MOST_MINUTES)
        found = {int(bar[BarField.START_MS]): bar for bar in (*bars.closed, *([bars.forming] if bars.forming else ()))}
        kept = [each for each in exact if each["start_ms"] >= min(found, default=0)]
        if sorted(found) != [each["start_ms"] for each in kept] or not kept:
            yield f"minutes: {sorted(found)} instead of {[each['start_ms'] for each in exact]}"
            return
        for each in kept:
            if other := _other_bar(found[each["start_ms"]], each, by_order=by_order, counted=self.venue == SPOT):
                yield f"bar {each}: {other}"


async def nothing_left(ask: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Return an answer as soon as it is empty, or the one that there is after so many seconds.

    Raises:
        TimeoutError: there is none, much later than that.
    """
    end = time.monotonic() + seconds
    while True:
        async with asyncio.timeout(seconds + ANSWER_SECONDS):
            found = await ask()
        if not found or time.monotonic() >= end:
            return found
        await asyncio.sleep(_LOOK_SECONDS)


def _other_bar(bar: Bar, exact: dict[str, Any], *, by_order: bool, counted: bool) -> dict[str, float]:
    """Return what of a bar is not as in the ledger."""
    names = ["high", "low"] + (["open", "close"] if by_order else []) + (["trades"] if counted else [])
    other = {name: bar[BarField[name.upper()]] for name in names if bar[BarField[name.upper()]] != float(exact[name])}
    if not near(bar[BarField.VOLUME], exact["volume"]):
        other["volume"] = bar[BarField.VOLUME]
    return other


def audit_differences(figures: dict[str, Any], exchange: ExchangeFloor) -> list[str]:
    """Return in what a feed's exact figures differ from the ledger; a feed that died took its own with it."""
    found = []
    for symbol, entry in exchange.simulator.ledger(exchange.venue)[exchange.venue].items():
        mine = figures.get(f"{exchange.venue}:{symbol}", {})
        expected = {"trades": entry["trades" if exchange.venue == SPOT else "agg_trades"]} | {
            name: entry[name] for name in ("qty", "notional", "first", "last", "min", "max")
        }
        found += [
            f"{symbol} {name}: {mine.get(name)} instead of {value}"
            for name, value in expected.items()
            if mine.get(name) != value
        ]
    return found


@contextlib.asynccontextmanager
async def floor_on(
    simulator: Simulator,
    folder: Path,
    venue: str,
    *,
    patience: float = 0.1,
    tape_records: int = 1 << 18,
    feed: str = FEED_KIND.entry,
) -> AsyncIterator[ExchangeFloor]:
    """Yield a floor that is being started on a simulator at rest, when everything is connected.

    Args:
        patience: times how long streams may be silent.
        tape_records: so many that whoever reads here is not lapped.
        feed: entry of the feed's worker, which may be in a module of these tests.

    Raises:
        TimeoutError: it did not connect within 30 s.
    """
    stream_url, rest_url = simulator.urls(venue)
    settings = VenueSettings(
        venue=venue, stream_url=stream_url, rest_url=rest_url, streams=("trades", "quotes", "book", "tickers"),
        patience=patience,
    )  # fmt: skip
    plan = FloorPlan(
        source=LiveSource(venues=(settings,)), identity="stress", tape="stress", traders=_TRADERS, replay=False,
        console=None, audit=True,
    )  # fmt: skip
    config = Config(
        database=str(folder / "floor.db"), log_file=str(folder / "floor.log"), log_level="info",
        control_socket="none", restart_intensity=10_000, tape_records=tape_records,
    )  # fmt: skip
    floor = Floor(config, plan)
    exchange: ExchangeFloor | None = None
    following: asyncio.Task[None] | None = None
    try:
        await _start(floor, feed)
        exchange = ExchangeFloor(simulator, floor, venue)
        following = asyncio.create_task(exchange.follow_tape())
        if not_open := await nothing_left(exchange.unopened, 30.0):
            raise TimeoutError(not_open)
        yield exchange
    finally:
        if following is not None:
            following.cancel()
            await asyncio.wait([following])
        if exchange is not None:
            exchange.close()
        await floor.stop(20.0)
        if following is not None and not following.cancelled():
            # A lapped witness has nothing to say.
            following.result()


async def _start(floor: Floor, feed: str) -> None:
    """Start a floor with another entry for its feed, and with these tests where workers' modules are looked for."""
    floor.supervisor._launcher._zygote._path = (str(Path(__file__).parents[1]),)
    with mock.patch.object(tickfloor.floor, "FEED_KIND", replace(FEED_KIND, entry=feed)):
        await floor.start()
