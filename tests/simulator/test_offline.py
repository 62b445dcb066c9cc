"""A seeded market without sockets: the same for the same seed, plausible, and food for the adapter."""

import json
from collections import Counter
from itertools import islice

import pytest

from tests.feeds.feed import Feed
from tickfloor.board.row import Field
from tickfloor.contracts.records import Kind, Quality
from tickfloor.simulator.errors import SimulatorError
from tickfloor.simulator.offline import seeded_frames
from tickfloor.simulator.settings import SimulatorSettings

START_NS = 1_723_161_060_000_000_000


def frames(count, **given):
    chosen = {"venues": ("binance",), "seed": 7, "start_ns": START_NS, "rate": 2000.0}
    return list(islice(seeded_frames(SimulatorSettings(**chosen | given), ("trade", "bookTicker", "ticker")), count))


def test_the_same_seed_and_start_give_the_same_frames():
    assert frames(3000) == frames(3000)
    assert frames(300, seed=8) != frames(300)


def test_frames_are_due_in_order():
    times = [recv_ns for recv_ns, _, _ in frames(5000)]
    assert times == sorted(times)
    assert times[0] == START_NS


def test_the_adapter_takes_everything():
    feed = Feed()
    for recv_ns, kind, payload in frames(30_000):
        feed.publisher.tick(recv_ns)
        if kind == "H":
            feed.adapter.on_http(recv_ns, "/api/v3/exchangeInfo", payload)
        else:
            feed.read(recv_ns, payload)
    feed.publisher.flush()
    assert (feed.adapter.statistics().malformed, feed.adapter.left_out()) == (0, {})
    assert all((each.id_gaps, each.late_trades) == (0, 0) for each in feed.publisher.writers)
    assert len(feed.board.rows) == 100
    for row in feed.board.rows.values():
        assert row[Field.QUALITY] == Quality.LIVE
        assert row[Field.BID] < row[Field.ASK]
        assert row[Field.PRICE_DECIMALS] <= 8
    assert Counter(record.kind for record in feed.tape.records)[Kind.TRADE] > 5000


def test_prices_lie_on_the_tick_grid():
    body, *rest = frames(2000)
    ticks = {each["symbol"]: float(each["filters"][0]["tickSize"]) for each in json.loads(body[2])["symbols"]}
    for *_, payload in rest:
        data = json.loads(payload)["data"]
        if data.get("e") == "trade":
            in_ticks = float(data["p"]) / ticks[data["s"]]
            assert in_ticks == pytest.approx(round(in_ticks), abs=1e-4)


@pytest.mark.parametrize("venues", [("binance", "binance-usdm"), ("kraken",)])
def test_only_one_seeded_venue_can_be_received_offline(venues):
    with pytest.raises(SimulatorError):
        next(seeded_frames(SimulatorSettings(venues=venues, start_ns=START_NS), ("trade",)))
