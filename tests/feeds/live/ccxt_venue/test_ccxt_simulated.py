"""ccxt itself, pointed at the simulated exchange: what reaches the board is what the exchange's ledger says."""

import asyncio
import time
from contextlib import asynccontextmanager

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.live.venue import Lines
from tickfloor.contracts.records import Kind, Quality
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.live.ccxt_venue.exchange import made
from tickfloor.feeds.live.ccxt_venue.feed import CcxtFeed
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator

VENUE = "ccxt-binance"
NAMES = {"trades": "trade", "quotes": "bookTicker", "book": "depth@100ms"}
BEGUN_SECONDS_AGO = 600


class Floor:
    """A seeded market at rest, and a feed that has subscribed to all of it."""

    def __init__(self, simulator: Simulator, streams: tuple[str, ...]) -> None:
        self.simulator = simulator
        stream_url, rest_url = simulator.urls("binance")
        settings = VenueSettings(venue=VENUE, streams=streams, stream_url=stream_url, rest_url=rest_url)
        exchange, refusals = made(settings)
        # Its other markets have other addresses, of which the simulated one is none.
        exchange.options["fetchMarkets"] = {"types": ["spot"]}
        symbols = simulator.ledger()["binance"]
        self.wanted = {f"{symbol.lower()}@{NAMES[stream]}" for symbol in symbols for stream in streams}
        self.audit = Audit()
        self.tape = FakeTape()
        board = FakeBoard()
        self.publisher = MarketPublisher(
            self.tape, board, catalogue(), VENUE, bar_slots=board.ring, observer=self.audit
        )
        self.feed = CcxtFeed(
            settings, exchange=exchange, publisher=self.publisher, clock=ReceiveClock(), on_flush=self._flush,
            log=Lines(), audit=self.audit, refusals=refusals,
        )  # fmt: skip
        self._something = asyncio.Event()

    def start(self) -> None:
        self.task = asyncio.create_task(self.feed.run())
        self.task.add_done_callback(lambda _: self._something.set())

    def _flush(self) -> None:
        self.publisher.flush()
        self._something.set()

    async def until(self, condition) -> None:
        """Wait until something is so; looked at whenever the feed publishes, which it does twenty times a second."""
        while not condition():
            assert not self.task.done(), self.task
            self._something.clear()
            await self._something.wait()

    def connections(self) -> list[dict]:
        return self.simulator.state()["connections"]

    def subscribed(self) -> bool:
        """Whether the exchange believes so of everything."""
        held = {name for each in self.connections() for name in each["subscriptions"]}
        return self.wanted <= held

    def heard(self) -> bool:
        """Whether the newest trade of every instrument is published."""
        ledger = self.simulator.ledger()["binance"]
        newest = {each.instrument.symbol.replace("/", ""): each.expected_id - 1 for each in self.publisher.writers}
        return all(newest.get(symbol) == said["last_id"] for symbol, said in ledger.items() if said["trades"])

    async def trade_for(self, seconds: int) -> None:
        for _ in range(seconds):
            self.simulator.step(1.0)
            await self.until(self.heard)


@asynccontextmanager
async def floor(*streams: str, instruments: int = 2):
    settings = SimulatorSettings(
        venues=("binance",), seed=11, instruments=instruments, rate=150.0, paused=True,
        start_ns=time.time_ns() - BEGUN_SECONDS_AGO * 1_000_000_000,
    )  # fmt: skip
    async with asyncio.timeout(30), Simulator(settings) as simulator:
        built = Floor(simulator, streams)
        built.start()
        try:
            await built.until(built.subscribed)
            yield built
        finally:
            await built.feed.close()
            await asyncio.wait({built.task})


def test_trades_sums_and_bars_equal_the_ledger():
    async def scene():
        async with floor("trades", "quotes") as live:
            await live.trade_for(65)
            figures = live.feed.adapter.figures()
            for symbol, said in live.simulator.ledger()["binance"].items():
                [key] = [key for key in figures if key.replace("/", "") == f"{VENUE}:{symbol}"]
                for name in ("trades", "qty", "notional", "first", "last", "min", "max"):
                    assert figures[key][name] == said[name], (symbol, name)
                bars = [{name: float(value) for name, value in bar.items()} for bar in said["bars_1m"]]
                assert figures[key]["bars_1m"] == bars
                assert len(bars) >= 2
                assert figures[key]["id_gaps"] == 0
            assert {each.quality for each in live.publisher.writers} == {Quality.LIVE}
            assert live.feed.problems() == ()

    asyncio.run(scene())


def test_books_equal_the_ledger():
    async def scene():
        async with floor("trades", "book") as live:
            await live.trade_for(3)

            def whole() -> bool:
                figures = live.feed.adapter.figures()
                ledger = live.simulator.ledger()["binance"]
                books = {key.removeprefix(f"{VENUE}:").replace("/", ""): each["book"] for key, each in figures.items()}
                return all(
                    books.get(symbol, {}).get(side) == said["book"][side]
                    for symbol, said in ledger.items()
                    for side in ("bids", "asks")
                )

            # A snapshot is fetched after the first change; from then on changes are enough.
            await live.until(lambda: len(live.feed.adapter.figures()) == 2)
            await live.trade_for(1)
            await live.until(whole)
            await live.trade_for(2)
            await live.until(whole)

    asyncio.run(scene())


def test_what_is_lost_with_a_connection_is_a_gap_and_nothing_is_doubled():
    async def scene():
        async with floor("trades", instruments=1) as live:
            await live.trade_for(3)
            [writer] = live.publisher.writers
            lost_from = writer.expected_id
            accepted = live.simulator.state()["accepted"]
            # In one go, so that no connection is made in between.
            live.simulator.do("drop")
            live.simulator.step(1.0)
            lost_until = live.simulator.ledger()["binance"]["BTCUSDT"]["last_id"]
            await live.until(lambda: live.simulator.state()["accepted"] > accepted and live.subscribed())
            await live.trade_for(3)
            assert writer.missed_trades == lost_until + 1 - lost_from
            ids = [int(record.c) for record in live.tape.records if record.kind == Kind.TRADE]
            assert len(set(ids)) == len(ids)
            kinds = [(record.kind, record.code) for record in live.tape.records]
            stale = kinds.index((Kind.QUALITY, Quality.STALE))
            gap = kinds.index((Kind.QUALITY, Quality.GAP))
            assert not [kind for kind, _ in kinds[stale:gap] if kind == Kind.TRADE]
            assert writer.quality is Quality.LIVE

    asyncio.run(scene())


def test_a_connection_dropped_by_us_is_followed_by_another():
    async def scene():
        async with floor("trades", instruments=1) as live:
            await live.trade_for(1)
            before = {each["number"] for each in live.connections()}
            assert live.feed.reconnect() == ("trades-1",)

            def replaced() -> bool:
                return live.subscribed() and not before & {each["number"] for each in live.connections()}

            await live.until(replaced)
            await live.trade_for(2)
            [writer] = live.publisher.writers
            assert (writer.quality, writer.id_gaps) == (Quality.LIVE, 0)
            [report] = live.feed.report().connections
            assert report.attempts == 0

    asyncio.run(scene())
