"""Every Binance capture through the whole floor, against figures that were computed independently."""

import json

import pytest

from tests.feeds import recorded
from tests.floor.commands import tickfloor

LARGE = {"binance_coinm_btcusd_perp_20240808", "binance_spot_btcusdt_20240808", "binance_usdm_btcusdt_20240808"}
TOGETHER = tuple(sorted(LARGE))
VENUES = {"spot": "binance", "usdm": "binance-usdm", "coinm": "binance-coinm"}


@pytest.fixture(
    scope="module",
    params=[
        *(pytest.param((name,), id=name, marks=[pytest.mark.slow] * (name in LARGE)) for name in recorded.CAPTURES),
        pytest.param(TOGETHER, id="three together", marks=pytest.mark.slow),
    ],
)
def replayed(request, tmp_path_factory, many_rules):
    """The names of the captures and the report of their replay."""
    folder = tmp_path_factory.mktemp("truth")
    paths = [recorded.capture_path(name) for name in request.param]
    finished = tickfloor(folder, "replay", *paths, "--rules", many_rules, "--report", "report.json")
    assert (finished.code, finished.out) == (0, "")
    return request.param, json.loads((folder / "report.json").read_text())


def figures_of(name, report):
    truth = recorded.truth(name)
    venue = VENUES[truth["market"]]
    found = {
        key.partition(":")[2]: value for key, value in report["instruments"].items() if key.partition(":")[0] == venue
    }
    return truth, found


def test_every_frame_is_counted_and_none_is_a_problem(replayed):
    names, report = replayed
    assert report["frames"] == sum(recorded.truth(name)["frames"] for name in names)
    assert report["captures"] == [str(recorded.capture_path(name)) for name in names]
    assert (report["problems"], report["lost"], report["complete"]) == ([], 0, True)


def test_trades_are_exact(replayed):
    names, report = replayed
    for name in names:
        truth, found = figures_of(name, report)
        trades = truth["trades"] | truth["aggTrades"]
        assert trades.keys() == {symbol for symbol, each in found.items() if each["trades"]}
        for symbol, expected in trades.items():
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


def test_minute_bars_are_exact(replayed):
    names, report = replayed
    for name in names:
        _, found = figures_of(name, report)
        expected: dict[str, list[dict]] = {}
        for row in recorded.truth_rows(name, "bars_1m"):
            bar = {key: float(row[key]) for key in ("open", "high", "low", "close", "volume")}
            expected.setdefault(row["symbol"], []).append(
                {"start_ms": int(row["minute_start_ms"]), **bar, "trades": int(row["trades"])}
            )
        bars = {symbol: each["bars_1m"] for symbol, each in found.items() if each["bars_1m"]}
        assert bars == expected


def test_books_are_exact(replayed):
    names, report = replayed
    for name in names:
        truth, found = figures_of(name, report)
        for symbol, expected in truth["depth"].items():
            book = found[symbol]["book"]
            assert book["bids"] == expected["final_top10_bids"]
            assert book["asks"] == expected["final_top10_asks"]
            assert book["sequence_gaps"] == expected["sequence_gap_count"]


def test_signals_are_of_the_rules_and_in_order(replayed):
    _, report = replayed
    order = [(each["tape_sequence"], each["trader"], each["instrument"]) for each in report["signals"]]
    assert order == sorted(set(order))
    assert {each["instrument"] for each in report["signals"]} <= report["instruments"].keys()
