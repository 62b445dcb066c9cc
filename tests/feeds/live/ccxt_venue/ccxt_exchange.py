"""An exchange object such as ccxt's, told by the test what to say, and a feed of it in virtual time."""

import asyncio
from contextlib import asynccontextmanager

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.live.venue import Lines
from tests.feeds.live.virtual_time import START_NS
from tests.feeds.live.virtual_time import run as run_virtually
from tickfloor.board.row import empty_row
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import Kind, Quality
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.live.ccxt_venue.feed import CcxtFeed
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.market.bars import FormingBars

EVERYTHING = {
    "watchTradesForSymbols": True,
    "watchBidsAsks": True,
    "watchTickers": True,
    "watchOrderBookForSymbols": True,
    "fetchTickers": True,
    "fetchTrades": True,
}
START_MS = START_NS // 1_000_000
"""When every trade of the fake is made, unless it says otherwise."""


class RefusedError(Exception):
    """What the fake says of what it never gives."""


class FakeClient:
    def __init__(self, exchange) -> None:
        self.exchange = exchange
        self.error = None

    async def close(self) -> None:
        self.exchange.cancel()


class FakeExchange:
    """As ccxt does, it wakes whoever waits for an instrument once, and keeps the rest in its caches.

    It goes by the markets that were last loaded or set.
    """

    precisionMode = 4  # noqa: N815 - ccxt's name

    def __init__(self, symbols=("A/USDT", "B/USDT"), has=None) -> None:
        self.has = EVERYTHING if has is None else has
        self.markets = {symbol: market(symbol) for symbol in symbols}
        self.loaded = {}
        self.volumes = {}
        self.clients = {}
        self.trades, self.orderbooks, self.tickers, self.bidsasks = {}, {}, {}, {}
        self.rest_trades = {}
        self.asked = []
        self.down = None
        self.unanswered = 0
        self.looks = 0
        self.closed = False
        self.makes_of_cancellation = None
        self._waiting = []

    def __getattr__(self, name):
        if not name.startswith("watch_"):
            raise AttributeError(name)
        return lambda symbols: self._watch(name, symbols)

    async def _watch(self, method, symbols):
        error = self.down.get(method) if isinstance(self.down, dict) else self.down
        if error is not None:
            raise error
        symbols_asked = [symbols] if isinstance(symbols, str) else symbols
        if missing := [symbol for symbol in symbols_asked if symbol not in self.loaded]:
            raise LookupError(f"no market {missing}")
        self.clients.setdefault("wss://fake", FakeClient(self))
        self.asked.append((method, symbols))
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((method, symbols_asked, future))
        try:
            return await future
        except asyncio.CancelledError:
            if self.makes_of_cancellation is None:
                raise
            return self.makes_of_cancellation()

    def _wake(self, method, symbol, result) -> None:
        for waiting in self._waiting[:]:
            asked, symbols, future = waiting
            if asked.startswith(method) and symbol in symbols:
                self._waiting.remove(waiting)
                if not future.done():
                    future.set_result(result)

    def say_trades(self, symbol, *trades) -> None:
        self.trades.setdefault(symbol, []).extend(trades)
        self._wake("watch_trades", symbol, list(trades))

    def say_quote(self, symbol, bid, ask) -> None:
        said = {"symbol": symbol, "bid": bid, "bidVolume": 1.0, "ask": ask, "askVolume": 2.0}
        self.bidsasks[symbol] = said
        self._wake("watch_bids_asks", symbol, {symbol: said})

    def say_ticker(self, symbol, **said) -> None:
        self.tickers[symbol] = {"symbol": symbol} | said
        self._wake("watch_ticker", symbol, {symbol: self.tickers[symbol]})

    def say_book(self, symbol, bids, asks, nonce=None) -> None:
        book = self.orderbooks.setdefault(symbol, {"symbol": symbol, "timestamp": None})
        book |= {"bids": bids, "asks": asks, "nonce": nonce}
        self._wake("watch_order_book", symbol, book)

    def lose(self, error) -> None:
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(error)

    def cancel(self) -> None:
        waiting, self._waiting = self._waiting, []
        for _, _, future in waiting:
            future.cancel()

    async def load_markets(self, reload=False):
        if self.unanswered:
            self.unanswered -= 1
            raise OSError("no answer")
        self.looks += 1
        if reload or not self.loaded:
            self.set_markets(self.markets)
        return dict(self.loaded)

    def set_markets(self, markets) -> None:
        self.loaded = dict(markets)

    async def fetch_tickers(self, symbols):
        return {symbol: {"quoteVolume": self.volumes.get(symbol)} for symbol in symbols}

    async def fetch_trades(self, symbol):
        return self.rest_trades.get(symbol, [])

    async def close(self) -> None:
        self.closed = True
        self.cancel()


def market(symbol, **changes):
    base, _, quote = symbol.partition("/")
    return {
        "symbol": symbol, "base": base, "quote": quote, "type": "spot", "active": True,
        "precision": {"price": 0.01, "amount": 0.001},
    } | changes  # fmt: skip


def trade(number, *, ms=None, price=10.0, qty=1.0, side="buy"):
    time_ms = START_MS + (0 if ms is None else ms)
    return {"id": number, "timestamp": time_ms, "price": price, "amount": qty, "side": side}


class Live:
    """A feed of a fake exchange with everything around it."""

    def __init__(self, exchange, settings, clock, **changes) -> None:
        self.exchange = exchange
        self.tape = FakeTape()
        self.audit = Audit()
        board = FakeBoard()
        self.publisher = MarketPublisher(self.tape, board, catalogue(), "ccxt-fake", bar_slots=board.ring)
        self.log = Lines()
        self.feed = CcxtFeed(
            settings, exchange=exchange, publisher=self.publisher, clock=clock, on_flush=self.publisher.flush,
            log=self.log, audit=self.audit, refusals=(RefusedError,), **changes,
        )  # fmt: skip

    def quality(self, symbol) -> Quality:
        writer = self.publisher.known(symbol)
        return Quality.UNKNOWN if writer is None else writer.quality

    def trade_ids(self, symbol) -> list[int]:
        return [int(record.c) for record in self.of(symbol) if record.kind == Kind.TRADE]

    def marks(self, symbol) -> list[Quality]:
        return [Quality(record.code) for record in self.of(symbol) if record.kind == Kind.QUALITY]

    def said(self, event) -> list[dict]:
        return [fields for _, each, fields in self.log if each == event]

    def of(self, symbol):
        identity = self.publisher.known(symbol).instrument.id
        return [record for record in self.tape.records if record.instrument == identity]


@asynccontextmanager
async def live(loop, exchange=None, *, changes=None, inherited=(), **settings):
    """A feed that has asked for its streams; a predecessor has left some symbols on the board."""
    clock = ReceiveClock(monotonic=lambda: round(loop.time() * 1e9), wall=loop.utc_ns)
    chosen = VenueSettings(venue="ccxt-fake", **({"streams": ("trades",)} | settings))
    built = Live(exchange or FakeExchange(), chosen, clock, **(changes or {}))
    for symbol in inherited:
        instrument = Instrument(len(built.publisher.writers), "ccxt-fake", symbol)
        built.publisher.take_over(instrument, empty_row(), FormingBars(), ())
    built.task = asyncio.create_task(built.feed.run())
    try:
        await turns()
        yield built
    finally:
        await built.feed.close()
        await asyncio.wait({built.task})


async def turns(count=10) -> None:
    """Let everything happen that needs no time."""
    for _ in range(count):
        await asyncio.sleep(0)


def run(scene):
    """Run a coroutine function of a loop in virtual time."""

    async def within(loop):
        async with asyncio.timeout(86_400):
            await scene(loop)

    run_virtually(within)
