"""Our own adapter reads what the simulator says, and comes to the ledger's figures."""

from contextlib import AsyncExitStack

import pytest

from tests.feeds.feed import Feed
from tests.simulator.client import START_NS, Client, exchange, get, run

KINDS = "trade", "aggTrade", "bookTicker", "depth@100ms", "kline_1m", "ticker", "miniTicker"
BOOKS = "bookTicker", "depth@100ms"


def same(ours, ledger):
    """Say whether two figures are the same number."""
    return float(ours) == pytest.approx(float(ledger), rel=1e-12)


@pytest.mark.parametrize(
    ("venue", "routes", "rest"),
    [
        ("binance", {"/stream": [kind for kind in KINDS if kind != "aggTrade"]}, "/api/v3"),
        (
            "binance-usdm",
            {"/public/stream": BOOKS, "/market/stream": [kind for kind in KINDS if kind not in BOOKS]},
            "/fapi/v1",
        ),
    ],
)
def test_the_adapters_figures_are_the_ledgers(venue, routes, rest):
    async def scene():
        async with exchange(venues=(venue,), rate=100.0) as (simulator, http):
            feed = Feed(venue, audit=True)
            _, info = await get(http, f"{simulator.rest_url}{rest}/exchangeInfo")
            symbols = [symbol["symbol"] for symbol in info["symbols"]]
            for path in ("exchangeInfo", *(f"depth?symbol={symbol}&limit=1000" for symbol in symbols)):
                async with http.get(f"{simulator.rest_url}{rest}/{path}") as response:
                    feed.adapter.on_http(START_NS, f"{rest}/{path}", await response.read())
            async with AsyncExitStack() as open_ones:
                clients = []
                for route, kinds in routes.items():
                    names = "/".join(f"{symbol.lower()}@{kind}" for symbol in symbols for kind in kinds)
                    client = Client(http, f"{simulator.stream_url}{route}?streams={names}")
                    clients.append(await open_ones.enter_async_context(client))
                simulator.step(130)
                for client in clients:
                    await client.catch_up()
                    feed.send(simulator.state()["market_ns"], *(text.encode() for text in client.texts))
            assert feed.adapter.left_out() == {}
            figures = feed.adapter.figures()
            for symbol, ledger in simulator.ledger(venue)[venue].items():
                ours = figures[f"{venue}:{symbol}"]
                assert ours["trades"] == ledger["trades" if venue == "binance" else "agg_trades"]
                assert ours["id_gaps"] == 0
                for name in ("qty", "notional", "first", "last", "min", "max"):
                    assert ours[name] == ledger[name]
                assert len(ours["bars_1m"]) == len(ledger["bars_1m"])
                for bar, expected in zip(ours["bars_1m"], ledger["bars_1m"], strict=True):
                    assert all(same(bar[name], expected[name]) for name in ("open", "high", "low", "close", "volume"))
                assert ours["book"]["sequence_gaps"] == 0
                for side in ("bids", "asks"):
                    assert ours["book"][side] == ledger["book"][side]

    run(scene)
