"""A client that others wrote reads the simulated exchange as it reads the real one: ccxt, given other addresses."""

import asyncio
from contextlib import asynccontextmanager

import ccxt.pro
import pytest

from tests.simulator.client import START_NS
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator

VENUES = ("binance", "binance-usdm")
SYMBOLS = {"binance": "BTC/USDT", "binance-usdm": "BTC/USDT:USDT"}
ROWS = 1000


@asynccontextmanager
async def client_of(venue):
    """Yield a market of 60 s at rest, which goes on ten times as fast, and ccxt's own class for the venue."""
    chosen = SimulatorSettings(
        venues=(venue,), seed=7, start_ns=START_NS + 30_000_000_000, instruments=3, rate=60.0, speed=10.0, paused=True
    )
    async with Simulator(chosen) as simulator:
        simulator.step(60)
        stream_url, rest_url = simulator.urls(venue)
        client = {"binance": ccxt.pro.binance, "binance-usdm": ccxt.pro.binanceusdm}[venue](
            {
                "enableRateLimit": False,
                "newUpdates": True,
                "tradesLimit": 100_000,
                "options": {
                    # There is no currency list without a key, and one market is enough.
                    "fetchCurrencies": False,
                    "fetchMarkets": {"types": ["spot" if venue == "binance" else "linear"]},
                    # Of futures the venue sends aggregated trades only.
                    "watchTrades": {"name": "trade" if venue == "binance" else "aggTrade"},
                    "watchTicker": {"name": "ticker"},
                },
            }
        )
        client.urls["api"] |= {"public": f"{rest_url}/api/v3", "fapiPublic": f"{rest_url}/fapi/v1"}
        client.urls["api"]["ws"] |= {"spot": f"{stream_url}/ws", "linear": f"{stream_url}/ws"}
        try:
            yield simulator, client
        finally:
            await client.close()


def ledger_of(simulator, venue):
    return simulator.ledger(venue)[venue]["BTCUSDT"]


def run(scene, venue):
    async def within():
        async with asyncio.timeout(30), client_of(venue) as (simulator, client):
            await scene(simulator, client, SYMBOLS[venue])

    asyncio.run(within())


async def watched(simulator, watch):
    """Return what the client hears first, of a market that goes on until then."""
    simulator.resume()
    try:
        return await watch
    finally:
        simulator.pause()


def floats(side):
    return [[float(price), float(qty)] for price, qty in side]


@pytest.mark.parametrize("venue", VENUES)
def test_it_lists_the_markets_with_their_steps(venue):
    async def scene(simulator, client, symbol):
        markets = await client.load_markets()
        assert {market["id"] for market in markets.values()} == set(simulator.ledger(venue)[venue])
        entry = ledger_of(simulator, venue)
        assert markets[symbol]["precision"]["price"] == 0.01
        assert client.price_to_precision(symbol, float(entry["last"])) == f"{float(entry['last']):.2f}"

    run(scene, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_it_fetches_the_bars_of_the_ledger(venue):
    async def scene(simulator, client, symbol):
        bars = await client.fetch_ohlcv(symbol, "1m")
        assert bars == [
            [bar["start_ms"], *(float(bar[name]) for name in ("open", "high", "low", "close", "volume"))]
            for bar in ledger_of(simulator, venue)["bars_1m"]
        ]
        assert len(bars) == 2

    run(scene, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_it_fetches_every_trade_of_the_ledger_once(venue):
    async def scene(simulator, client, symbol):
        entry = ledger_of(simulator, venue)
        trades = await client.fetch_trades(symbol, limit=ROWS, params={"fromId": entry["first_agg_id"]})
        ids = [int(trade["id"]) for trade in trades]
        assert ids == list(range(entry["first_agg_id"], entry["last_agg_id"] + 1))
        assert sum(trade["amount"] for trade in trades) == pytest.approx(float(entry["qty"]), rel=1e-12)
        assert sum(trade["cost"] for trade in trades) == pytest.approx(float(entry["notional"]), rel=1e-9)
        assert {trade["side"] for trade in trades} == {"buy", "sell"}

    run(scene, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_it_watches_every_trade_from_its_first_one_on(venue):
    async def scene(simulator, client, symbol):
        await client.load_markets()
        heard = await watched(simulator, client.watch_trades(symbol))
        name = "last_id" if venue == "binance" else "last_agg_id"
        while int(heard[-1]["id"]) < ledger_of(simulator, venue)[name]:
            heard += await client.watch_trades(symbol)
        ids = [int(trade["id"]) for trade in heard]
        assert ids == list(range(ids[0], ledger_of(simulator, venue)[name] + 1))
        assert heard[-1]["price"] == float(ledger_of(simulator, venue)["last"])

    run(scene, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_its_book_is_the_ledgers(venue):
    async def scene(simulator, client, symbol):
        await client.load_markets()
        book = await watched(simulator, client.watch_order_book(symbol))
        while book["nonce"] < ledger_of(simulator, venue)["book"]["update_id"]:
            book = await client.watch_order_book(symbol)
        exact = ledger_of(simulator, venue)["book"]
        for side in ("bids", "asks"):
            assert [list(level) for level in book[side][:10]] == floats(exact[side])

    run(scene, venue)


@pytest.mark.parametrize("venue", VENUES)
def test_its_ticker_shows_the_last_price_and_volume(venue):
    async def scene(simulator, client, symbol):
        await client.load_markets()
        ticker = await watched(simulator, client.watch_ticker(symbol))
        fetched = await client.fetch_ticker(symbol)
        entry = ledger_of(simulator, venue)
        assert fetched["last"] == float(entry["last"])
        assert ticker["quoteVolume"] <= fetched["quoteVolume"]
        assert entry["min"] <= ticker["info"]["c"] <= entry["max"]
        assert 0 <= simulator.state()["market_ns"] / 1e6 - ticker["timestamp"] < 60_000

    run(scene, venue)
