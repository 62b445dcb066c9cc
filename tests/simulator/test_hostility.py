"""Every hostility, as a client feels it."""

import json
from itertools import pairwise

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.client import Client, exchange, get, listening, post, run
from tickfloor.simulator.errors import HostilityError
from tickfloor.simulator.registry import HOSTILITIES
from tickfloor.simulator.settings import SimulatorSettings, Step
from tickfloor.simulator.simulator import Simulator
from tickfloor.simulator.stream import Stream, Streams
from tickfloor.simulator.tampers import Backwards, Break, FalseChecksum, LeaveOut, Twice

TRADES = "/stream?streams=btcusdt@trade"


def ids_of(client):
    return [trade["t"] for trade in client.frames()["btcusdt@trade"]]


def test_refuse_keeps_everybody_out_for_a_while():
    async def scene():
        async with exchange() as (simulator, http):
            simulator.do("refuse", seconds=1000)
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(simulator.stream_url + "/ws")
            assert refused.value.status == 503
            simulator.do("refuse", seconds=0)
            await (await http.ws_connect(simulator.stream_url + "/ws")).close()

    run(scene)


def test_drop_ends_a_connection_without_a_word():
    async def scene():
        async with (
            listening(TRADES) as (simulator, client),
            Client(client.http, simulator.stream_url + TRADES) as other,
        ):
            simulator.do("drop", connection=1)
            assert await client.hear_end() == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
            simulator.step(1)
            await other.catch_up()
            assert ids_of(other)

    run(scene)


def test_half_open_says_nothing_more_and_stays():
    async def scene():
        async with listening(TRADES, ping_seconds=0.01) as (simulator, client):
            simulator.step(1)
            await client.catch_up()
            heard = len(client.texts)
            simulator.do("half_open")
            async with Client(client.http, simulator.stream_url + TRADES) as other:
                simulator.step(1)
                await client.socket.send_str('{"method":"LIST_SUBSCRIPTIONS","id":9}')
                await other.catch_up()
                assert ids_of(other)
                assert simulator.state()["connections"][0]["half_open"]
            simulator.do("drop")
            await client.hear_end()
            assert len(client.texts) == heard

    run(scene)


def test_silent_ack_accepts_a_request_and_sends_nothing():
    async def scene():
        async with listening("/stream") as (simulator, client):
            simulator.do("silent_ack", requests=1)
            await client.subscribe("btcusdt@trade")
            await client.subscribe("btcusdt@bookTicker")
            simulator.step(1)
            assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@trade", "btcusdt@bookTicker"]
            assert set(client.frames()) == {"btcusdt@bookTicker"}

    run(scene)


def test_silent_channel_stops_one_stream_and_no_other():
    async def scene():
        async with listening(TRADES + "/btcusdt@bookTicker") as (simulator, client):
            simulator.do("silent_channel", stream="btcusdt@trade", seconds=1000)
            simulator.step(1)
            await client.catch_up()
            assert set(client.frames()) == {"btcusdt@bookTicker"}

    run(scene)


def test_gap_leaves_frames_out_that_the_ledger_and_rest_have():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            simulator.step(1)
            simulator.do("gap", stream="btcusdt@trade", frames=3)
            simulator.step(1)
            await client.catch_up()
            ids = ids_of(client)
            missing = sorted(set(range(ids[0], ids[-1])) - set(ids))
            assert missing == list(range(missing[0], missing[0] + 3))
            url = f"{simulator.rest_url}/api/v3/historicalTrades?symbol=BTCUSDT&fromId={missing[0]}&limit=3"
            assert [row["id"] for row in (await get(client.http, url))[1]] == missing
            frames = simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["frames"]["btcusdt@trade"]
            assert frames["published"] - frames["sent"] == 3

    run(scene)


def test_duplicate_and_reorder_send_the_same_frames_otherwise():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            simulator.do("duplicate", stream="btcusdt@trade", frames=2)
            simulator.do("reorder", stream="btcusdt@trade", frames=4)
            simulator.step(1)
            await client.catch_up()
            ids = ids_of(client)
            first = min(ids)
            assert ids[:4] == [first + 1, first + 1, first, first]
            assert ids[4:] == list(range(first + 2, first + len(ids) - 2))

    run(scene)


def test_what_reorder_still_holds_comes_at_rest():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            simulator.do("reorder", frames=100_000)
            simulator.step(1)
            await client.catch_up()
            ids = ids_of(client)
            assert ids == list(range(ids[0], ids[0] - len(ids), -1))
            assert ids[0] == simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["last_id"]

    run(scene)


@pytest.mark.parametrize("instead", [False, True])
def test_malformed_frames_come_before_or_instead_of_whole_ones(instead):
    async def scene():
        async with listening("/ws/btcusdt@trade") as (simulator, client):
            simulator.do("malformed", frames=1, instead=instead)
            simulator.step(1)
            await client.catch_up()
            with pytest.raises(json.JSONDecodeError):
                json.loads(client.texts[0])
            ids = [json.loads(text)["t"] for text in client.texts[1:]]
            first_id = simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["first_id"]
            assert ids == list(range(first_id + instead, first_id + instead + len(ids)))

    run(scene)


def test_oversized_is_one_valid_message_of_that_length():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            simulator.do("oversized", size=6_000_000)
            text = await client.hear()
            assert len(text) == 6_000_000
            assert json.loads(text)["e"] == "padding"

    run(scene)


def test_slow_snapshot_takes_a_book_at_once_and_gives_it_late():
    async def scene():
        async with exchange() as (simulator, http):
            simulator.do("slow_snapshot", delay=0.05, seconds=1000)
            before = simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["book"]["update_id"]
            request = http.get(simulator.rest_url + "/api/v3/depth?symbol=BTCUSDT")
            async with request as response:
                simulator.step(1)
                assert (await response.json())["lastUpdateId"] == before

    run(scene)


@pytest.mark.parametrize(("do", "status"), [("too_many", 429), ("banned", 418)])
def test_too_many_and_banned_refuse_rest_and_say_when_to_come_again(do, status):
    async def scene():
        async with exchange() as (simulator, http):
            simulator.do(do, seconds=1000, retry_after=17)
            async with http.get(simulator.rest_url + "/api/v3/time") as response:
                assert (response.status, response.headers["Retry-After"]) == (status, "17")
                assert (await response.json())["code"] == -1003
            simulator.do(do, seconds=0)
            assert (await get(http, simulator.rest_url + "/api/v3/time"))[0] == 200

    run(scene)


def test_clock_skew_is_in_everything_that_is_stamped():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            simulator.step(1)
            simulator.do("clock_skew", ahead=-90.0)
            simulator.step(1)
            await client.catch_up()
            times = [trade["T"] for trade in client.frames()["btcusdt@trade"]]
            assert times[-1] < times[0] - 80_000
            _, answer = await get(client.http, simulator.rest_url + "/api/v3/time")
            assert answer["serverTime"] == simulator.state()["market_ns"] // 1_000_000 - 90_000
            bars = simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["bars_1m"]
            assert sum(bar["trades"] for bar in bars) == len(times)
            assert [bar["start_ms"] for bar in bars] == sorted({time // 60_000 * 60_000 for time in times})

    run(scene)


def test_burst_happens_at_one_moment():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            before = simulator.state()["market_ns"]
            simulator.do("burst", events=1000)
            assert simulator.state()["market_ns"] == before
            await client.catch_up()
            assert len(ids_of(client)) > 300

    run(scene)


def test_sequence_reset_numbers_a_book_from_far_below_and_drops_connections():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            simulator.step(1)
            before = simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["book"]["update_id"]
            simulator.do("sequence_reset", symbol="BTCUSDT", venue="binance", trades=True)
            await client.hear_end()
            async with Client(client.http, simulator.stream_url + TRADES) as again:
                simulator.step(1)
                await again.catch_up()
                assert ids_of(again)[0] == 1
            book = simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["book"]
            assert 0 < book["update_id"] < before

    run(scene)


@pytest.mark.parametrize(("venue", "route"), [("binance", ""), ("binance-usdm", "/public")])
def test_no_book_event_reaches_over_a_sequence_reset(venue, route):
    async def scene():
        url = f"{route}/stream?streams=btcusdt@depth@100ms"
        async with listening(url, venues=(venue,)) as (simulator, client):
            simulator.step(1.02)
            simulator.do("sequence_reset", symbol="BTCUSDT", drop=False)
            simulator.step(1)
            await client.catch_up()
            events = client.frames()["btcusdt@depth@100ms"]
            assert all(event["U"] <= event["u"] for event in events)
            resets = [after for before, after in pairwise(events) if after["u"] < before["u"]]
            assert len(resets) == 1

    run(scene)


def test_cut_closes_as_after_24_hours():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            simulator.do("cut")
            assert await client.hear_end() == aiohttp.WSCloseCode.OK

    run(scene)


@pytest.mark.parametrize(("url", "wrapped"), [(TRADES, True), ("/ws/btcusdt@trade", False)])
def test_shutdown_is_announced_and_then_the_connection_ends(url, wrapped):
    async def scene():
        async with listening(url) as (simulator, client):
            simulator.do("shutdown", after=0.01)
            notice = json.loads(await client.hear())
            if wrapped:
                assert notice["stream"] == "!serverShutdown"
                notice = notice["data"]
            assert notice["e"] == "serverShutdown"
            assert await client.hear_end() == aiohttp.WSCloseCode.GOING_AWAY

    run(scene)


def test_an_unknown_hostility_or_parameter_is_refused_naming_the_known_ones():
    async def scene():
        async with exchange() as (simulator, http):
            for asked, known in (
                ({"do": "kindness"}, ("banned", "sequence_reset")),
                ({"do": "gap", "colour": "red"}, ("stream", "venue", "frames")),
                ({"do": "gap", "frames": "many"}, ("frames",)),
                ({"do": "gap", "frames": -1}, ("frames",)),
                ({"do": "gap", "venue": "nowhere"}, ("binance", "binance-usdm")),
                ({"do": "sequence_reset", "symbol": "NOSUCH"}, ("NOSUCH",)),
                ({"do": "sequence_reset"}, ("symbol: none (must be given)", "trades: false", "drop: true")),
                ({"do": "drop", "connection": 77}, ("77",)),
            ):
                status, answer = await post(http, simulator.rest_url + "/simulator/hostility", asked)
                assert status == 400
                assert [word for word in known if word not in answer["error"]] == []
                parameters = {name: value for name, value in asked.items() if name != "do"}
                with pytest.raises(HostilityError):
                    simulator.do(asked["do"], **parameters)

    run(scene)


@pytest.mark.parametrize(
    ("stream", "venue", "there_are"),
    [
        ("BTCUSDT@trade", "binance", "there are btcusdt@trade, "),
        ("btcusdt@trade", "binance-usdm", "there are btcusdt@aggTrade, "),
        ("btcusdt@depth7*", "*", "btcusdt@depth"),
        ("trade:BTC/USD", "*", "no stream of binance or binance-usdm is called 'trade:BTC/USD'"),
        ("!ticker@arr", "binance", "!miniTicker@arr"),
    ],
)
def test_a_name_that_no_stream_can_have_is_refused_with_those_that_there_are(stream, venue, there_are):
    async def scene():
        async with listening(TRADES) as (simulator, client):
            asked = {"do": "gap", "stream": stream, "venue": venue}
            status, answer = await post(client.http, simulator.rest_url + "/simulator/hostility", asked)
            assert status == 400
            assert there_are in answer["error"]
            assert " more" in answer["error"]
            assert simulator.state()["hostility"] == []

    run(scene)


@pytest.mark.parametrize("venue", ["binance", "binance-usdm"])
def test_every_stream_that_brings_frames_can_be_named_and_no_other(venue):
    async def scene():
        async with exchange(venues=(venue,), instruments=2) as (simulator, _):
            (face,) = simulator.faces_of(venue)
            names = set(face.stream_names())
            # These names come from the venue's documents, and not from the simulator.
            kinds = ["trade", "aggTrade", "bookTicker", "ticker", "miniTicker", "kline_1m", "kline_1d", "kline_1s"]
            kinds += [f"depth{levels}{speed}" for levels in ("", 5, 10, 20, 7) for speed in ("", "@100ms", "@5ms")]
            asked = [f"{symbol}@{kind}" for symbol in ("btcusdt", "BTCUSDT", "nosuch") for kind in kinds]
            asked += ["!miniTicker@arr", "!ticker@arr", "!bookTicker", "!other"]
            for name in names.union(asked):
                assert (face.subscribe(name, face.rules.route_of(name)) is not None) == (name in names), name

    run(scene)


def test_what_waits_for_a_stream_says_so_and_hurts_the_first_of_that_name():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            kline = "btcusdt@kline_1m"
            waits = "gap: no stream of that name yet; waits for one"
            assert simulator.do("gap", stream=kline, venue="binance", frames=10_000) == waits
            await client.subscribe(kline, "btcusdt@miniTicker")
            simulator.step(5)
            await client.catch_up()
            assert set(client.frames()) == {"btcusdt@trade", "btcusdt@miniTicker"}

    run(scene)


def test_the_answer_counts_the_streams_that_somebody_listens_to():
    async def scene():
        async with listening(TRADES) as (simulator, _):
            assert simulator.do("gap", stream="btcusdt@trade") == "gap: 1 stream"
            assert simulator.do("gap", stream="*@trade") == "gap: 1 stream, and others when they are asked for"
            assert simulator.do("gap", stream="ethusdt@trade") == "gap: no stream of that name yet; waits for one"

    run(scene)


def test_a_wrong_checksum_is_refused_where_no_frame_has_one():
    async def scene():
        async with exchange() as (simulator, _):
            with pytest.raises(
                HostilityError, match="binance and binance-usdm have no checksums; those of kraken have"
            ):
                simulator.do("wrong_checksum")

    run(scene)


def test_whoever_runs_the_exchange_is_told_of_trouble_when_it_begins():
    told = []

    async def scene():
        steps = (Step(do="refuse", parameters={"seconds": 0.5}, at=2.0),)
        chosen = SimulatorSettings(instruments=1, paused=True, scenario=steps)
        async with Simulator(chosen, trouble=told.append) as simulator:
            simulator.step(1)
            assert told == []
            simulator.step(2)
            simulator.do("cut")

    run(scene)
    assert told == ["connections are refused for 0.5 s", "cut: 0 connections"]


def test_questions_that_would_be_ignored_are_refused_with_those_that_there_are():
    async def scene():
        async with exchange() as (simulator, http):
            own = simulator.rest_url + "/simulator/"
            assert await get(http, own + "ledger?venu=binance") == (
                400, {"error": "/simulator/ledger does not know ?venu=; it takes ?venue=, ?symbol="},
            )  # fmt: skip
            for status, _ in [await get(http, own + "state?x=1"), await post(http, own + "pause?for=3")]:
                assert status == 400
            assert (await get(http, simulator.rest_url + "/api/v3/time?x=1"))[0] == 200

    run(scene)


def test_hostilities_can_be_asked_for_and_done_over_http():
    async def scene():
        async with listening(TRADES) as (simulator, client):
            status, known = await get(client.http, simulator.rest_url + "/simulator/hostility")
            assert status == 200
            assert set(known) == set(HOSTILITIES)
            assert known["gap"]["parameters"] == {"stream": "*", "venue": "*", "frames": 1}
            status, answer = await post(client.http, simulator.rest_url + "/simulator/hostility", {"do": "cut"})
            assert (status, answer) == (200, {"done": "cut: 1 connection"})
            await client.hear_end()

    run(scene)


def test_the_market_is_paused_and_resumed_over_http():
    async def scene():
        async with exchange(paused=False, rate=5000.0) as (simulator, http):
            _, state = await post(http, simulator.rest_url + "/simulator/pause")
            assert state["running"] is False
            _, first = await get(http, simulator.rest_url + "/simulator/ledger?venue=binance&symbol=BTCUSDT")
            _, second = await get(http, simulator.rest_url + "/simulator/ledger?venue=binance&symbol=BTCUSDT")
            assert first == second
            status, _ = await get(http, simulator.rest_url + "/simulator/ledger?symbol=NOSUCH")
            assert status == 404
            await post(http, simulator.rest_url + "/simulator/resume")
            while (await get(http, simulator.rest_url + "/simulator/ledger"))[1] == first:
                pass

    run(scene)


class Sink:
    """A subscriber that keeps payloads."""

    def __init__(self):
        self.heard = []

    def send_frame(self, frame):
        self.heard.append(frame[2:])

    def send(self, payload):
        raise AssertionError


MAKERS = (
    lambda n: LeaveOut(n), lambda n: Twice(n), lambda n: Backwards(n), lambda n: Break(n, instead=False),
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(MAKERS), st.integers(1, 6), st.integers(0, 30)), max_size=5))
@settings(max_examples=80, deadline=None)
def test_hostilities_together_lose_only_what_gap_leaves_out_and_end(tampers):
    stream, sink = Stream("s"), Sink()
    stream.add(sink, wrapped=False)
    left_out = 0
    for number in range(120):
        for make, frames, at in tampers:
            if at == number:
                stream.tamper(make(frames))
                left_out += frames if make is MAKERS[0] else 0
        stream.publish(b"%04d" % number)
    stream.settle()
    whole = [payload for payload in sink.heard if len(payload) == 4]
    missing = set(range(120)) - {int(payload) for payload in whole}
    assert len(missing) <= left_out
    # All of it is over by then: the last frames come once and in order.
    assert whole[-20:] == [b"%04d" % number for number in range(100, 120)]


def test_a_false_checksum_differs_and_frames_without_one_do_not_count():
    tamper = FalseChecksum(1)
    assert tuple(tamper.take(b'{"a":1}')) == (b'{"a":1}',)
    assert tuple(tamper.take(b'{"checksum":3310070434,"b":2}')) == (b'{"checksum":3310070435,"b":2}',)
    assert tuple(tamper.take(b'{"checksum":3310070434,"b":2}')) == (b'{"checksum":3310070434,"b":2}',)


def test_a_hostility_waits_for_the_first_stream_of_its_name():
    streams, sink = Streams(), Sink()
    assert streams.tamper(lambda name: name.startswith("a@"), lambda: LeaveOut(1)) == []
    for name in ("b@trade", "a@trade", "a@ticker"):
        stream = streams.open(name)
        stream.add(sink, wrapped=False)
        stream.publish(name.encode())
    assert sink.heard == [b"b@trade", b"a@ticker"]
