"""The clients of the benchmark ``feeds``, each in a process of its own: ours, its baselines and the limit.

Ours is a venue's feed as the live worker runs it: connection, subscription, adapter, joins by id, watchdog, bars,
quality; its trades end on the tape and the board. The baselines are used as their documentation shows, on uvloop, and
are given addresses only; what they deliver to their user is packed into a ring and a row. Python's garbage
collector is left alone everywhere.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import mmap
import os
import statistics
import struct
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple

import aiohttp
import uvloop

from benchmarks.feeds_exchange import INSTRUMENTS, RESTED, STAMP, WARM_FRAMES, age_us
from tickfloor.contracts.ports import FieldValue
from tickfloor.simulator.symbols import PERPETUALS

LOOK_SECONDS = 0.01
CALM_SECONDS = 1.0
"""Between a disturbance and the next one."""
REPAIR_LOOK_SECONDS = 0.001
UNDER_WAY_SECONDS = 0.01
"""In which what was sent before a connection was cut is read."""
RUN_ID = 1
RING = 1 << 16


class Venue(NamedTuple):
    """Where the exchange is, and how many instruments it has."""

    stream: str
    rest: str
    instruments: int

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Base and quote asset of each instrument."""
        return [(each.base, each.quote) for each in PERPETUALS[: self.instruments]]

    @property
    def address(self) -> str:
        """Where all streams come over one connection."""
        streams = "/".join(f"{(base + quote).lower()}@aggTrade" for base, quote in self.pairs)
        return f"{self.stream}/market/stream?streams={streams}"


class Counter:
    """What a client has done.

    Attributes:
        trades: delivered so far, when it was last looked at.
        source: where to look for that, if it is not counted here.
        ages_us: of those, from being sent to being delivered; only kept when asked for.
        whole: says whether nothing is missing and every instrument has been traded since the time that it is called
            with, ns UTC. Who does not know what is missing always says so.
    """

    def __init__(self, *, ages: bool) -> None:
        self.trades = 0
        self.source: Callable[[], int] | None = None
        self.whole: Callable[[int], bool] = lambda since_ns: True  # noqa: ARG005 - see above
        self.ages_us: list[float] | None = [] if ages else None

    def look(self) -> int:
        """Return the trades delivered so far."""
        if self.source is not None:
            self.trades = self.source()
        return self.trades

    def deliver(self, quantity: float) -> None:
        """Count a trade."""
        self.trades += 1
        if self.ages_us is not None:
            self.age(quantity, time.monotonic_ns())

    def age(self, quantity: float, now_ns: int) -> None:
        """Note how old a trade is that says when it was sent."""
        if self.ages_us is not None and quantity >= STAMP:
            self.ages_us.append(age_us(quantity, now_ns))


class Ring:
    """Where a baseline puts its trades, as :mod:`benchmarks.ingest` does: no bars, no checks, no publication."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._record, self._row = struct.Struct("<QqqIBBHdddd"), struct.Struct("<Qqqdd")
        self._ring, self._rows = mmap.mmap(-1, RING * self._record.size), mmap.mmap(-1, INSTRUMENTS * 64)
        self._instruments: dict[str, int] = {}

    def put(self, symbol: str, ts_event: int, price: float, quantity: float, sold: bool, trade_id: int) -> None:
        """Pack a trade into the ring and its instrument's row."""
        recv_ns, sequence = time.time_ns(), self._counter.trades
        instrument = self._instruments.setdefault(symbol, len(self._instruments))
        self._record.pack_into(
            self._ring, sequence % RING * 64, sequence, ts_event, recv_ns, instrument, 1, 2 if sold else 1, 0,
            price, quantity, trade_id, 1.0,
        )  # fmt: skip
        self._row.pack_into(self._rows, instrument * 64, sequence, ts_event, recv_ns, price, quantity)
        self._counter.deliver(quantity)


class Figures(NamedTuple):
    """What was measured of a client."""

    frames: int
    cpu_seconds: float
    wall_seconds: float
    p50_us: float
    p99_us: float
    repaired_ms: float = 0.0


async def until(done: Callable[[], bool], seconds: float = LOOK_SECONDS) -> None:
    """Look again and again."""
    while not done():  # noqa: ASYNC110 - nobody says when
        await asyncio.sleep(seconds)


async def watch(counter: Counter, rest: str, frames: int) -> Figures:
    """Measure from the moment that the first frames have come until so many more have."""
    await until(lambda: counter.look() >= WARM_FRAMES)
    if counter.ages_us is not None:
        counter.ages_us.clear()
    first, cpu = counter.trades, time.process_time()
    began_ns = time.monotonic_ns()
    await until(lambda: counter.look() >= WARM_FRAMES + frames)
    cpu, ended_ns = time.process_time() - cpu, time.monotonic_ns()
    async with aiohttp.ClientSession() as session, session.get(rest + RESTED) as answer:
        # That the exchange rested is nobody's time.
        began_ns = max(began_ns, int(await answer.text()))
    wall = (ended_ns - began_ns) / 1e9
    ages = sorted(counter.ages_us or [0.0])
    return Figures(counter.trades - first, cpu, wall, statistics.median(ages), ages[int(len(ages) * 0.99)])


def repaired(counter: Counter, before: int, since_ns: int) -> bool:
    """Say whether trades come again and nothing is missing."""
    return counter.look() > before and counter.whole(since_ns)


async def disturb(counter: Counter, rest: str, drops: int) -> Figures:
    """Cut the connection again and again, and measure the time until nothing is missing, or trades come again."""
    took = []
    async with aiohttp.ClientSession() as session:
        for _ in range(drops):
            await asyncio.sleep(CALM_SECONDS)
            await until(lambda: counter.look() > 0)
            began = time.perf_counter()
            async with session.post(f"{rest}/simulator/hostility", json={"do": "drop"}) as answer:
                answer.raise_for_status()
            await asyncio.sleep(UNDER_WAY_SECONDS)
            before, since_ns = counter.look(), time.time_ns()
            await until(partial(repaired, counter, before, since_ns), REPAIR_LOOK_SECONDS)
            took.append((time.perf_counter() - began) * 1000)
    return Figures(counter.trades, 0.0, 0.0, 0.0, 0.0, statistics.median(took))


async def beside(work: Coroutine[Any, Any, None], measuring: Awaitable[Figures]) -> Figures:
    """Return what is measured while something runs without an end.

    Raises:
        Exception: it ended, of this.
    """
    working, figures = asyncio.create_task(work), asyncio.ensure_future(measuring)
    await asyncio.wait((working, figures), return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        figures.cancel()
        working.result()
    working.cancel()
    return await figures


Watch = Callable[[Counter], Awaitable[Figures]]
Client = Callable[[Venue, Counter, Watch], Coroutine[Any, Any, Figures]]


class Log:
    """Says on stderr what should not have happened."""

    def debug(self, event: str, **fields: FieldValue) -> None:
        """Say nothing."""

    def info(self, event: str, **fields: FieldValue) -> None:
        """Say nothing."""

    def warning(self, event: str, **fields: FieldValue) -> None:
        """Say it."""
        print(event, fields, file=sys.stderr)

    error = warning


async def ours(venue: Venue, counter: Counter, measure: Watch) -> Figures:
    """Run a venue's feed into a tape and a board."""
    from tickfloor.board.board_layout import BoardLayout
    from tickfloor.board.board_writer import BoardWriter, create_board
    from tickfloor.board.row import Field
    from tickfloor.board.tape_reader import TapeReader
    from tickfloor.board.tape_writer import TapeWriter, create_tape
    from tickfloor.contracts.instruments import Instrument
    from tickfloor.contracts.records import RECORD, Kind, Quality
    from tickfloor.contracts.settings import VenueSettings
    from tickfloor.feeds.live.receive_clock import ReceiveClock
    from tickfloor.feeds.live.venue_feed import VenueFeed
    from tickfloor.feeds.publishing.publisher import MarketPublisher

    tape_fds = create_tape("benchmark", RING, RUN_ID)
    board_fd = create_board("benchmark", BoardLayout(2 * venue.instruments, 500), RUN_ID)
    tape = TapeWriter(*tape_fds, run_id=RUN_ID, incarnation=1, doorbells={})
    board = BoardWriter(board_fd, run_id=RUN_ID, incarnation=1)
    reader = TapeReader(*tape_fds, run_id=RUN_ID, index=0)
    catalogue: dict[tuple[str, str], Instrument] = {}

    def assign(name: str, symbol: str) -> Instrument:
        return catalogue.setdefault((name, symbol), Instrument(len(catalogue), name, symbol))

    publisher = MarketPublisher(tape, board, assign, "binance-usdm", bar_slots=board.layout.ring)

    counter.source = lambda: tape.sequence

    def flush() -> None:
        publisher.flush()
        if counter.ages_us is not None:
            now_ns = time.monotonic_ns()
            while records := reader.read():
                for record in RECORD.iter_unpack(records):
                    if record[4] == Kind.TRADE:
                        counter.age(record[8], now_ns)

    settings = VenueSettings(
        venue="binance-usdm", streams=("trades",), stream_url=venue.stream, rest_url=venue.rest, proxy=""
    )
    feed = VenueFeed.of(
        settings, publisher=publisher, audit=None, clock=ReceiveClock(), record=None, on_flush=flush, log=Log()
    )

    def whole(since_ns: int) -> bool:
        traded = all(
            writer.quality is Quality.LIVE and writer.row[Field.TS_INIT] > since_ns for writer in publisher.writers
        )
        return traded and not feed.report().missing_trades

    counter.whole = whole
    figures = await beside(feed.run(), measure(counter))
    await feed.close()
    if lost := sum(writer.missed_trades + writer.late_trades for writer in publisher.writers):
        raise AssertionError(f"{lost} trades were missing or late")
    return figures


async def cryptofeed(venue: Venue, counter: Counter, measure: Watch) -> Figures:
    """Run a FeedHandler with one feed and a callback."""
    from cryptofeed import FeedHandler
    from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
    from cryptofeed.defines import SELL, TRADES
    from cryptofeed.exchanges import BinanceFutures

    class Loopback(BinanceFutures):  # type: ignore[misc]
        # It takes wss:// addresses only; that there is no TLS it has to be told by its options.
        websocket_endpoints = [  # noqa: RUF012 - as its base class has it
            WebsocketEndpoint(
                venue.stream.replace("ws://", "wss://") + "/market",
                options={"compression": None, "ssl": False, "server_hostname": None},
            )
        ]
        rest_endpoints = [RestEndpoint(venue.rest, routes=Routes("/fapi/v1/exchangeInfo"))]  # noqa: RUF012

    put = Ring(counter).put

    async def on_trade(trade: Any, receipt_timestamp: float) -> None:  # noqa: ARG001, ANN401 - its signature
        put(
            trade.symbol, int(trade.timestamp * 1e9), float(trade.price), float(trade.amount), trade.side == SELL,
            int(trade.id),
        )  # fmt: skip

    # Without a handler of its own Python would write every lost connection to stderr.
    logging.getLogger("feedhandler").addHandler(logging.NullHandler())
    handler = FeedHandler(config={"log": {"disabled": True}})
    symbols = [f"{base}-{quote}-PERP" for base, quote in venue.pairs]
    handler.add_feed(Loopback(symbols=symbols, channels=[TRADES], callbacks={TRADES: on_trade}))
    handler.run(start_loop=False, install_signal_handlers=False)
    return await measure(counter)


async def ccxt_pro(venue: Venue, counter: Counter, measure: Watch) -> Figures:
    """Watch the trades of all symbols."""
    import ccxt
    import ccxt.pro

    exchange = ccxt.pro.binanceusdm({"options": {"fetchMarkets": {"types": ["linear"]}}})
    exchange.urls["api"]["fapiPublic"] = f"{venue.rest}/fapi/v1"
    exchange.urls["api"]["ws"]["linear"] = f"{venue.stream}/ws"
    symbols = [f"{base}/{quote}:{quote}" for base, quote in venue.pairs]

    put = Ring(counter).put
    # What it took in is counted, handed over or not: of several symbols it hands over one, and the rest with the next.
    counter.source = lambda: sum(int(trades[-1]["id"]) for trades in exchange.trades.values())

    async def follow() -> None:
        while True:
            try:
                trades = await exchange.watch_trades_for_symbols(symbols, params={"name": "aggTrade"})
            except ccxt.NetworkError:
                continue
            for trade in trades:
                put(
                    trade["symbol"], trade["timestamp"] * 1_000_000, trade["price"], trade["amount"],
                    trade["side"] == "sell", int(trade["id"]),
                )  # fmt: skip

    try:
        return await beside(follow(), measure(counter))
    finally:
        await exchange.close()


async def websockets_orjson(venue: Venue, counter: Counter, measure: Watch) -> Figures:
    """Decode every message."""
    import orjson
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    put = Ring(counter).put

    async def follow() -> None:
        async for connection in connect(venue.address, max_size=None, compression=None):
            with contextlib.suppress(ConnectionClosed):
                async for message in connection:
                    data = orjson.loads(message)["data"]
                    put(data["s"], data["T"] * 1_000_000, float(data["p"]), float(data["q"]), data["m"], data["a"])

    return await beside(follow(), measure(counter))


async def picows_msgspec(venue: Venue, counter: Counter, measure: Watch) -> Figures:
    """Decode every frame in the callback that received it, and forget it."""
    import msgspec
    from picows import WSFrame, WSListener, WSTransport, ws_connect

    class Data(msgspec.Struct):
        s: str
        a: int
        p: str
        q: str
        T: int
        m: bool

    class Wrapped(msgspec.Struct):
        data: Data

    decode = msgspec.json.Decoder(Wrapped).decode

    class Listener(WSListener):
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002 - picows' signature
            data = decode(frame.get_payload_as_memoryview()).data
            counter.deliver(float(data.q) if counter.ages_us is not None else 0.0)

    transport, _ = await ws_connect(Listener, venue.address, use_aiofastnet=False)
    try:
        return await measure(counter)
    finally:
        transport.disconnect()


CLIENTS: dict[str, Client] = {
    "ours": ours,
    "cryptofeed": cryptofeed,
    "ccxt.pro": ccxt_pro,
    "websockets + orjson": websockets_orjson,
    "picows + msgspec": picows_msgspec,
}


def main() -> None:
    """Run a client and print what was measured of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--stream", required=True)
    parser.add_argument("--rest", required=True)
    parser.add_argument("--instruments", type=int, required=True)
    parser.add_argument("--frames", type=int, default=0, help="measured, after the first ones")
    parser.add_argument("--ages", action="store_true", help="measure how old the frames are, too")
    parser.add_argument("--drops", type=int, default=0, help="how often the connection is cut instead")
    chosen = parser.parse_args()

    def measure(counter: Counter) -> Awaitable[Figures]:
        if chosen.drops:
            return disturb(counter, chosen.rest, chosen.drops)
        return watch(counter, chosen.rest, chosen.frames)

    venue = Venue(chosen.stream, chosen.rest, chosen.instruments)
    figures = uvloop.run(CLIENTS[chosen.client](venue, Counter(ages=chosen.ages), measure))
    print(json.dumps(figures._asdict()), flush=True)
    # What a client left open is of no interest.
    os._exit(0)


if __name__ == "__main__":
    main()
