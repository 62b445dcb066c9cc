"""Captures served by the simulated exchange over real sockets: the live floor has what was computed independently."""

import asyncio

import pytest

from tests.feeds import recorded
from tests.floor.exchange import Exchange, on_exchange, venue_of
from tests.floor.test_truth import TOGETHER, VENUES, figures_of
from tickfloor.feeds.recording.capture import Capture
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator

SMALL = [name for name in recorded.CAPTURES if name not in TOGETHER]


@pytest.fixture(
    scope="module",
    params=[
        *(pytest.param(((name,), 20), id=name) for name in SMALL),
        pytest.param((TOGETHER, 60), id="three together", marks=pytest.mark.slow),
    ],
)
def received(request, tmp_path_factory):
    """The names of the captures, the feed's last word, and its figures as in a replay's report."""
    names, speed = request.param
    paths = [recorded.capture_path(name) for name in names]
    begins_ns = min(next(iter(Capture(path)))[0] for path in paths)
    settings = SimulatorSettings(captures=tuple(map(str, paths)), speed=speed, enforce_limits=False, paused=True)

    async def live():
        async with Simulator(settings) as simulator:

            async def play(exchange: Exchange):
                await exchange.connected()
                simulator.resume()
                await simulator.wait()
                await exchange.quiet()
                return await exchange.finish()

            venues = [VENUES[recorded.truth(name)["market"]] for name in names]
            chosen = tuple(venue_of(simulator, venue, streams=("trades", "quotes", "book")) for venue in venues)
            return await on_exchange(
                tmp_path_factory.mktemp("live"), simulator, chosen, play, begins_ns=begins_ns, stale_seconds=60.0
            )

    feed, figures = asyncio.run(live())
    return names, feed, {"instruments": figures}


def test_every_frame_could_be_read(received):
    _, feed, _ = received
    assert (feed.malformed, feed.problems) == (0, ())


def test_trades_are_exact(received):
    names, _, report = received
    for name in names:
        truth, found = figures_of(name, report)
        for symbol, expected in (truth["trades"] | truth["aggTrades"]).items():
            each = found[symbol]
            assert {key: each[key] for key in each if key not in ("bars_1m", "book", "id_gaps")} == {
                "trades": expected["count"],
                "qty": expected["sum_qty"],
                "notional": expected["sum_price_x_qty"],
                "first": expected["first_price"],
                "last": expected["last_price"],
                "min": expected["min_price"],
                "max": expected["max_price"],
            }


def test_minute_bars_are_exact(received):
    names, _, report = received
    for name in names:
        _, found = figures_of(name, report)
        for row in recorded.truth_rows(name, "bars_1m"):
            expected = {key: float(row[key]) for key in ("open", "high", "low", "close", "volume")}
            expected |= {"start_ms": int(row["minute_start_ms"]), "trades": int(row["trades"])}
            assert expected in found[row["symbol"]]["bars_1m"]


def test_books_are_exact(received):
    names, _, report = received
    for name in names:
        truth, found = figures_of(name, report)
        for symbol, expected in truth["depth"].items():
            book = found[symbol]["book"]
            assert book["bids"] == expected["final_top10_bids"]
            assert book["asks"] == expected["final_top10_asks"]
