"""The simulated market: the same for the same seed, plausible, and food for the adapter."""

import json
from collections import Counter
from itertools import islice

import pytest

from tests.feeds.feed import Feed
from tickfloor.board.row import Field
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.simulated import SimulatedMarket

START_NS = 1_723_161_060_000_000_000


def frames(count, **settings):
    return list(islice(SimulatedMarket(**({"seed": 7, "start_ns": START_NS} | settings)), count))


def test_the_same_seed_and_start_give_the_same_frames():
    market = SimulatedMarket(seed=7, start_ns=START_NS)
    assert list(islice(market, 5000)) == list(islice(market, 5000)) == frames(5000)
    assert frames(100, seed=8) != frames(100)


def test_frames_are_due_in_order_and_at_the_asked_rate():
    found = frames(40_000, ticks_per_second=1000)
    times = [frame[0] for frame in found]
    assert times == sorted(times)
    assert times[0] == START_NS
    ticks = sum(b"@ticker" not in frame[4] for frame in found)
    assert ticks / ((times[-1] - times[0]) / 1e9) == pytest.approx(1000, rel=0.05)


def test_the_adapter_takes_everything():
    feed = Feed()
    for recv_ns, _, kind, ref, payload, _ in frames(60_000):
        feed.publisher.tick(recv_ns)
        if kind == "H":
            feed.adapter.on_http(recv_ns, ref, payload)
        else:
            feed.adapter.on_frame(recv_ns, payload)
    feed.publisher.flush()
    found = feed.adapter.statistics()
    assert (found.malformed, found.ignored, found.stale_quotes) == (0, {}, 0)
    assert all((each.id_gaps, each.duplicates, each.late) == (0, 0, 0) for each in found.trades.values())
    assert {instrument.symbol for instrument in feed.board.instruments.values()} == set(
        SimulatedMarket(seed=7, start_ns=START_NS).symbols
    )
    for row in feed.board.rows.values():
        assert row[Field.QUALITY] == Quality.LIVE
        assert row[Field.BID] < row[Field.ASK]
        assert row[Field.LOW_24H] <= row[Field.LAST] * 1.01
        assert row[Field.PRICE_DECIMALS] <= 8
    counted = Counter(record.kind for record in feed.tape.records)
    assert counted[Kind.TRADE] > 20_000
    assert feed.board.closed[0, Interval.M1] or counted[Kind.BAR_CLOSE] == 0


def test_prices_lie_on_the_tick_grid():
    body, *rest = frames(3000)
    ticks = {
        each["symbol"]: float(each["filters"][0]["tickSize"]) for each in json.loads(body[4])["symbols"]
    }  # fmt: skip
    for *_, payload, _ in rest:
        data = json.loads(payload)["data"]
        if data.get("e") == "trade":
            in_ticks = float(data["p"]) / ticks[data["s"]]
            assert in_ticks == pytest.approx(round(in_ticks), abs=1e-4)


@pytest.mark.parametrize("wrong", [{"instruments": 0}, {"instruments": 100_000}, {"ticks_per_second": 0},
                                   {"ticks_per_second": float("nan")}])  # fmt: skip
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        SimulatedMarket(seed=1, start_ns=START_NS, **wrong)
