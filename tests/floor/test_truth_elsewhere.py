"""Captures of Kraken and Coinbase through the whole floor, replayed and over real sockets: what was computed apart."""

import asyncio
import json

import pytest

from tests.feeds import recorded
from tests.floor.commands import tickfloor
from tests.floor.exchange import Exchange, on_exchange, until_true, venue_of
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.row import Field
from tickfloor.contracts.records import Quality
from tickfloor.feeds.recording.capture import Capture
from tickfloor.simulator.settings import SimulatorSettings, Step
from tickfloor.simulator.simulator import Simulator

VENUES = {
    "kraken_v2derived_10sym_20210417": "kraken",
    "kraken_v2_book_btcusd_20230730_first250": "kraken",
    "coinbase_advanced_2sym_20260809_first12s": "coinbase",
}


def replayed(name, folder, rules):
    """Return the figures of a replay."""
    finished = tickfloor(folder, "replay", recorded.capture_path(name), "--rules", rules, "--report", "report.json")
    assert (finished.code, finished.out) == (0, "")
    report = json.loads((folder / "report.json").read_text())
    assert (report["problems"], report["lost"], report["complete"]) == ([], 0, True)
    assert report["frames"] == recorded.truth(name)["frames"]
    return report["instruments"]


def received(name, folder, _):
    """Return the figures of a live floor on the simulated exchange."""
    feed, figures = live(name, folder, Exchange.quiet, speed=20)
    assert (feed.malformed, feed.problems) == (0, ())
    return figures


def live(name, folder, until, *, speed, scenario=()):
    """Play a capture to a live floor, wait, and return the feed's last word and its figures."""
    path = recorded.capture_path(name)
    settings = SimulatorSettings(
        captures=(str(path),), speed=speed, enforce_limits=False, paused=True, scenario=scenario
    )

    async def play(exchange: Exchange):
        await exchange.connected()
        exchange.simulator.resume()
        await exchange.simulator.wait()
        await until(exchange)
        return await exchange.finish()

    async def floor():
        async with Simulator(settings) as simulator:
            venues = (venue_of(simulator, VENUES[name], streams=("trades", "quotes", "book")),)
            begins_ns = next(iter(Capture(path)))[0]
            return await on_exchange(folder, simulator, venues, play, begins_ns=begins_ns, stale_seconds=60.0)

    return asyncio.run(floor())


@pytest.fixture(
    scope="module",
    params=[pytest.param((name, way), id=f"{name} {way.__name__}") for name in VENUES for way in (replayed, received)],
)
def outcome(request, tmp_path_factory, many_rules):
    """The truth of a capture, its minute bars, and the floor's figures by symbol."""
    name, way = request.param
    figures = way(name, tmp_path_factory.mktemp("elsewhere"), many_rules)
    by_symbol = {key.removeprefix(f"{VENUES[name]}:"): each for key, each in figures.items()}
    return recorded.truth(name), recorded.truth_rows(name, "bars_1m"), by_symbol


def test_trades_are_exact(outcome):
    truth, _, found = outcome
    assert truth["trades"].keys() == {symbol for symbol, each in found.items() if each["trades"]}
    for symbol, expected in truth["trades"].items():
        each = found[symbol]
        assert {key: each[key] for key in each if key not in ("bars_1m", "book")} == {
            "trades": expected["count"],
            "qty": expected["sum_qty"],
            "notional": expected["sum_price_x_qty"],
            "first": expected["first_price"],
            "last": expected["last_price"],
            "min": expected["min_price"],
            "max": expected["max_price"],
            "id_gaps": expected["id_gap_count"],
        }


def test_minute_bars_are_exact(outcome):
    _, rows, found = outcome
    expected: dict[str, list[dict]] = {}
    for row in rows:
        bar = {key: float(row[key]) for key in ("open", "high", "low", "close", "volume")}
        expected.setdefault(row["symbol"], []).append(
            {"start_ms": int(row["minute_start_ms"]), **bar, "trades": int(row["trades"])}
        )
    assert {symbol: each["bars_1m"] for symbol, each in found.items() if each["bars_1m"]} == expected


def test_books_are_exact_and_were_never_in_doubt(outcome):
    truth, _, found = outcome
    for symbol, expected in truth["book"].items():
        assert found[symbol]["book"] == {
            "bids": expected["final_top10_bids"],
            "asks": expected["final_top10_asks"],
            "sequence_gaps": 0,
        }


TROUBLE = {
    "kraken_v2derived_10sym_20210417": (
        Step(do="wrong_checksum", parameters={"stream": "book:*"}, at=5.0),
        Step(do="gap", parameters={"stream": "book:XMR/USD", "frames": 3}, at=10.0),
        Step(do="drop", parameters={}, at=15.0),
    ),
    "coinbase_advanced_2sym_20260809_first12s": (
        Step(do="gap", parameters={"frames": 2}, at=3.0),
        Step(do="drop", parameters={}, at=6.0),
        Step(do="reorder", parameters={"frames": 3}, at=9.0),
    ),
}


async def as_the_exchange(exchange):
    """Return when the board shows the exchange's books and trades and calls them live."""
    board = BoardReader(exchange.floor._memory.of_display()["board"], run_id=exchange.floor.run_id)
    found: list[str] = []

    async def same() -> bool:
        found[:] = []
        rows = {board.instrument(number).key: number for number in range(board.count())}
        for key, entry in exchange.ledger().items():
            row, book = board.row(rows[key]), board.book(rows[key])
            # A row without trades says nothing of their number.
            trades = row[Field.TRADES] if entry["trades"] else 0
            best = [[tuple(map(float, level)) for level in entry["book"][side]] for side in ("bids", "asks")]
            shown = [] if book is None else [book.bids[:10], book.asks[:10]]
            if (trades, row[Field.QUALITY], shown) != (entry["trades"], Quality.LIVE, best):
                found.append(f"{key}: {trades} of {entry['trades']} trades, quality {row[Field.QUALITY]}, {shown}")
        return not found

    try:
        await until_true(same, "the board shows what the exchange did", lambda: found)
    finally:
        board.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", TROUBLE)
def test_what_an_exchange_does_on_the_way_changes_nothing_in_the_end(name, tmp_path):
    speed = 8 if VENUES[name] == "kraken" else 3
    _, figures = live(name, tmp_path, as_the_exchange, speed=speed, scenario=TROUBLE[name])
    truth = recorded.truth(name)
    for symbol, expected in truth["trades"].items():
        found = figures[f"{VENUES[name]}:{symbol}"]
        assert (found["trades"], found["qty"]) == (expected["count"], expected["sum_qty"])
        assert found["notional"] == expected["sum_price_x_qty"]
    for symbol, expected in truth["book"].items():
        book = figures[f"{VENUES[name]}:{symbol}"]["book"]
        assert (book["bids"], book["asks"]) == (expected["final_top10_bids"], expected["final_top10_asks"])
    assert any(found["book"]["sequence_gaps"] for found in figures.values())
