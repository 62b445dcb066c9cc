"""Kraken captures over a real socket: frames as they were, and how things stand for whoever comes later."""

import gzip
import json
import zlib
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.recorded import capture_path, truth
from tests.simulator.client import Client, exchange, get, run
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import HostilityError
from tickfloor.simulator.kraken.face import RecordedKraken
from tickfloor.simulator.settings import SimulatorSettings

DERIVED, BOOK = "kraken_v2derived_10sym_20210417", "kraken_v2_book_btcusd_20230730_first250"
CHANNELS = ("book", "trade", "ticker")


def recorded(name):
    """Return the texts of a capture's frames with data."""
    with gzip.open(capture_path(name), "rt") as file:
        lines = [line.rstrip("\n").split("\t", 3) for line in file if not line.startswith("#")]
    texts = [line[3] for line in lines if line[1] == "F"]
    return [text for text in texts if json.loads(text).get("channel") in CHANNELS]


class KrakenClient(Client):
    """Asks as Kraken wants it; ``texts`` are the frames with data."""

    async def request(self, method, **params):
        """Send a request and return its answers, one for each symbol."""
        self._asked += 1
        message = {"method": method, "req_id": self._asked} | ({"params": params} if params else {})
        await self.socket.send_str(json.dumps(message))
        return [await self.answered(self._asked) for _ in params.get("symbol", [""])]

    async def answered(self, number):
        while True:
            found = json.loads(await self.hear())
            if found.get("req_id") == number or "Error" in found:
                self.texts.pop()
                return found
            if found["channel"] not in CHANNELS:
                self.texts.pop()

    async def subscribe(self, channel, *symbols, **others):
        answers = await self.request("subscribe", channel=channel, symbol=list(symbols), **others)
        assert all(answer["success"] for answer in answers), answers
        return answers

    async def catch_up(self):
        [pong] = await self.request("ping")
        assert pong["method"] == "pong"

    async def of(self, channel, *, kind="snapshot"):
        """Return the items of all frames of a channel that have come."""
        await self.catch_up()
        found = [json.loads(text) for text in self.texts]
        return [item for f in found if (f["channel"], f["type"]) == (channel, kind) for item in f["data"]]


@asynccontextmanager
async def connected(name=DERIVED, **settings):
    chosen = {"captures": (str(capture_path(name)),), "settle_seconds": 0.0, "speed": 0.0} | settings
    async with exchange(**chosen) as (simulator, http), KrakenClient(http, simulator.stream_url + "/v2") as client:
        yield simulator, client


def symbols_of(name):
    return sorted(truth(name)["book"])


def checksum_of(text):
    """Compute the checksum of a snapshot's own digits."""
    [item] = json.loads(text, parse_float=str, parse_int=str)["data"]
    best = item["asks"][:10] + item["bids"][:10]
    digits = "".join(level[key].replace(".", "").lstrip("0") for level in best for key in ("price", "qty"))
    assert item["checksum"] == str(zlib.crc32(digits.encode()))
    return item


@pytest.mark.parametrize("name", [DERIVED, BOOK])
def test_a_capture_is_received_byte_for_byte(name):
    async def scene():
        async with connected(name) as (simulator, client):
            for channel in CHANNELS:
                await client.subscribe(channel, *symbols_of(name))
            simulator.resume()
            await simulator.wait()
            await client.catch_up()
            assert client.texts == recorded(name)

    run(scene)


def test_the_venue_speaks_first_and_answers_for_each_symbol():
    async def scene():
        async with connected() as (_, client):
            status = json.loads(await client.hear())
            assert (status["channel"], status["data"][0]["system"]) == ("status", "online")
            answers = await client.request("subscribe", channel="trade", symbol=["XMR/USD", "XBT/USD", "XMR/USD"])
            assert [answer["success"] for answer in answers] == [True, False, False]
            assert answers[0]["result"]["symbol"] == "XMR/USD"
            assert (answers[1]["error"], answers[1]["symbol"]) == ("Currency pair not supported XBT/USD", "XBT/USD")
            assert answers[2]["error"] == "Already subscribed"

    run(scene)


@pytest.mark.parametrize(("name", "symbol", "depth"), [(DERIVED, "XMR/USD", 1000), (BOOK, "BTC/USD", 10)])
def test_a_book_is_confirmed_with_the_depth_that_it_was_recorded_with(name, symbol, depth):
    async def scene():
        async with connected(name) as (_, client):
            [answer] = await client.subscribe("book", symbol, depth=25)
            assert answer["result"]["depth"] == depth
            assert answer["result"]["warnings"] == [f"recorded with depth {depth}"]

    run(scene)


@pytest.mark.parametrize("name", [DERIVED, BOOK])
def test_whoever_subscribes_later_begins_with_the_book_as_it_stands_and_its_checksum(name):
    symbol = symbols_of(name)[0]

    async def scene():
        async with connected(name) as (simulator, client):
            simulator.step(10)
            await client.subscribe("book", symbol)
            await client.catch_up()
            [text] = client.texts
            checksum_of(text)
            frames = [json.loads(each) for each in recorded(name)]
            own = [f["data"][0] for f in frames if f["channel"] == "book" and f["data"][0]["symbol"] == symbol]
            assert json.loads(text)["data"][0]["checksum"] in {item["checksum"] for item in own}
            simulator.step(1000)
            await client.request("unsubscribe", channel="book", symbol=[symbol])
            client.texts.clear()
            await client.subscribe("book", symbol)
            await client.catch_up()
            item = checksum_of(client.texts[0])
            assert int(item["checksum"]) == own[-1]["checksum"]
            expected = truth(name)["book"][symbol]
            assert (len(item["bids"]), len(item["asks"])) == (
                expected["final_bid_levels"], expected["final_ask_levels"],
            )  # fmt: skip

    run(scene)


def test_whoever_subscribes_later_is_told_the_last_trades_and_the_ticker():
    async def scene():
        async with connected() as (simulator, client):
            await client.subscribe("trade", "SC/EUR", snapshot=True)
            assert await client.of("trade") == []
            await client.request("unsubscribe", channel="trade", symbol=["SC/EUR"])
            simulator.step(1000)
            await client.subscribe("trade", "SC/EUR", snapshot=True)
            assert [item["trade_id"] for item in await client.of("trade")] == [1, 2, 3, 4, 5, 6]
            client.texts.clear()
            await client.request("unsubscribe", channel="trade", symbol=["SC/EUR"])
            await client.subscribe("trade", "SC/EUR")
            assert await client.of("trade") == []
            await client.subscribe("ticker", "SC/EUR")
            [ticker] = await client.of("ticker")
            assert ticker["bid"] == float(truth(DERIVED)["ticker_last"]["SC/EUR"]["bid"])

    run(scene)


def test_heartbeats_come_only_when_nothing_else_does():
    async def scene():
        async with connected() as (simulator, client):
            await client.hear()
            await client.subscribe("trade", "XMR/USD")
            assert json.loads(await client.hear()) == {"channel": "heartbeat"}
            [session] = [each.session for each in simulator.server.connections.values()]
            sent = []
            session._connection = type("Line", (), {"send": sent.append})
            assert session.beat(quiet=False)
            assert sent == []

    run(scene)


def test_who_asks_too_often_is_told_so_and_stays_connected():
    async def scene():
        async with connected() as (_, client):
            for number in range(21):
                await client.socket.send_str(json.dumps({"method": "ping", "req_id": 100 + number}))
            said = Counter()
            while not said["error"]:
                found = json.loads(await client.hear())
                said["error" if found == {"Error": "Exceeded msg rate"} else found.get("method", "other")] += 1
            assert said["pong"] == 20

    run(scene)


def test_what_is_no_request_is_refused():
    async def scene():
        async with connected() as (_, client):
            await client.hear()
            for text in ('{"method":', '{"method":"dance"}', '{"method":"subscribe"}'):
                await client.socket.send_str(text)
                assert json.loads(await client.hear())["success"] is False
            for params, reason in (
                ({"channel": "level9", "symbol": ["XMR/USD"]}, "Channel not found"),
                ({"channel": "book", "symbol": ["XMR/USD"], "depth": 11}, "Subscription depth not supported 11"),
            ):
                [answer] = await client.request("subscribe", **params)
                assert answer["error"] == reason
            [answer] = await client.request("unsubscribe", channel="book", symbol=["XMR/USD"])
            assert answer["error"] == "Subscription Not Found"

    run(scene)


def test_a_wrong_checksum_is_that_of_no_book_and_the_next_ones_are_right():
    async def scene():
        async with connected(BOOK) as (simulator, client):
            simulator.do("wrong_checksum", stream="book:*", frames=2)
            await client.subscribe("book", "BTC/USD")
            simulator.step(1000)
            await client.catch_up()
            differing = [
                number for number, (mine, theirs) in enumerate(zip(client.texts, recorded(BOOK), strict=True))
                if mine != theirs
            ]  # fmt: skip
            assert differing == [0, 1]
            wrong, right = (json.loads(each[0])["data"][0] for each in (client.texts, recorded(BOOK)))
            assert wrong.pop("checksum") == right.pop("checksum") ^ 1
            assert wrong == right

    run(scene)


def test_what_is_done_to_a_stream_leaves_the_others_alone_and_clocks_are_refused():
    async def scene():
        async with connected() as (simulator, client):
            await client.subscribe("trade", "SC/EUR", "XMR/USD")
            simulator.do("gap", stream="trade:SC/EUR", frames=2)
            simulator.step(1000)
            await client.catch_up()
            trades = [text for text in recorded(DERIVED) if '"channel":"trade"' in text]
            lost = [text for text in trades if "SC/EUR" in text][:2]
            assert client.texts == [text for text in trades if text not in lost]
            with pytest.raises(HostilityError, match="as they were"):
                simulator.do("clock_skew")

    run(scene)


def test_a_silent_acknowledgement_brings_neither_snapshot_nor_frames():
    async def scene():
        async with connected() as (simulator, client):
            simulator.step(5)
            simulator.do("silent_ack")
            await client.subscribe("book", "XMR/USD")
            simulator.step(5)
            await client.catch_up()
            assert client.texts == []

    run(scene)


def test_the_ledger_has_the_truth():
    async def scene():
        async with connected() as (simulator, _):
            simulator.step(1000)
            ledger = simulator.ledger("kraken")["kraken"]
            for symbol, expected in truth(DERIVED)["trades"].items():
                found = ledger[symbol]
                assert (found["trades"], found["qty"]) == (expected["count"], expected["sum_qty"])
                assert found["notional"] == expected["sum_price_x_qty"]
                assert found["id_gaps"] == 0
            for symbol, expected in truth(DERIVED)["book"].items():
                assert ledger[symbol]["book"]["bids"] == expected["final_top10_bids"]
                assert ledger[symbol]["book"]["asks"] == expected["final_top10_asks"]

    run(scene)


def test_rest_says_which_pairs_there_are_what_they_traded_and_every_trade():
    async def scene():
        async with connected() as (simulator, client):
            rest = simulator.rest_url + "/0/public"
            _, pairs = await get(client.http, rest + "/AssetPairs")
            assert pairs["error"] == []
            xmr = pairs["result"]["XMRUSD"]
            assert (xmr["wsname"], xmr["tick_size"], xmr["lot_decimals"]) == ("XMR/USD", "0.01", 8)
            assert pairs["result"]["XBTCHF"]["wsname"] == "XBT/CHF"
            _, volumes = await get(client.http, rest + "/Ticker?assetVersion=1")
            assert sorted(volumes["result"]) == symbols_of(DERIVED)
            assert float(volumes["result"]["XMR/USD"]["v"][1]) > 0
            _, none = await get(client.http, rest + "/Trades?pair=SCEUR")
            assert none["result"] == {"SCEUR": [], "last": "0"}
            simulator.step(1000)
            _, trades = await get(client.http, rest + "/Trades?pair=SCEUR&count=2")
            assert [row[6] for row in trades["result"]["SCEUR"]] == [5, 6]
            _, later = await get(client.http, rest + f"/Trades?pair=SCEUR&since={1618678145920000000 - 1}")
            rows = later["result"]["SCEUR"]
            assert [row[6] for row in rows] == [1, 2, 3, 4, 5, 6]
            assert rows[0][:2] == ["0.04299", rows[0][1]]
            assert int(later["result"]["last"]) // 1_000_000 == truth(DERIVED)["trades"]["SC/EUR"]["last_ms"]
            _, unknown = await get(client.http, rest + "/Trades?pair=NOSUCH")
            assert unknown["error"] == ["EQuery:Unknown asset pair"]

    run(scene)


TRADE = (
    '{"channel":"trade","type":"update","data":[{"symbol":"A/USD","side":"buy","price":1.50,"qty":2.0,'
    '"ord_type":"limit","trade_id":%d,"timestamp":"2024-01-01T00:00:0%d.000000Z"}]}'
)


@asynccontextmanager
async def own_capture(tmp_path, *lines):
    path = tmp_path / "own.frames"
    path.write_text('# {"exchange":"kraken","market":"spot-ws-v2"}\n' + "".join(line + "\n" for line in lines))
    async with connected(captures=(str(path),)) as found:
        yield found


def test_answers_that_were_recorded_can_be_asked_for_again_when_the_frames_have_come_so_far(tmp_path):
    url = "https://api.kraken.com/0/public/Trades?pair=AUSD&since=1"
    row = '["1.51","3.00",1704067202.5,"s","m","",2]'
    lines = [
        '3\tF\tws1\t{"channel":"heartbeat"}',
        "4000000000\tF\tws1\t" + TRADE % (1, 1),
        "8000000000\tF\tws1\t" + TRADE % (3, 3),
        f'8000000001\tH\t{url}\t{{"error":[],"result":{{"AUSD":[{row}],"last":"2"}}}}',
        '8000000002\tF\tws1\t{"channel":"trade","type":"update","data":[{"symbol":"A/USD","side"',
    ]

    async def scene():
        async with own_capture(tmp_path, *lines) as (simulator, client):
            ids = []
            for _ in range(2):
                simulator.step(5)
                _, answer = await get(client.http, simulator.rest_url + "/0/public/Trades?pair=AUSD")
                ids.append([row[6] for row in answer["result"]["AUSD"]])
            assert ids == [[1], [1, 2, 3]]
            entry = simulator.ledger("kraken", "A/USD")["kraken"]["A/USD"]
            assert (entry["trades"], entry["id_gaps"], entry["qty"]) == (3, 0, "7")
            await client.subscribe("trade", "A/USD", snapshot=True)
            items = await client.of("trade")
            assert [item["trade_id"] for item in items] == [1, 2, 3]
            assert items[1] == {
                "symbol": "A/USD", "side": "sell", "price": 1.51, "qty": 3.0, "ord_type": "market", "trade_id": 2,
                "timestamp": "2024-01-01T00:00:02.500000000Z",
            }  # fmt: skip

    run(scene)


def test_the_recorded_list_of_pairs_is_answered_as_far_as_there_are_frames(tmp_path):
    pairs = {"XAUSD": {"wsname": "A/USD", "pair_decimals": 7}, "XOTHER": {"wsname": "OTHER/USD"}, "DARK": {}}
    body = json.dumps({"error": [], "result": pairs})
    lines = [f"1\tH\thttps://api.kraken.com/0/public/AssetPairs\t{body}", "4\tF\tws1\t" + TRADE % (1, 1)]

    async def scene():
        async with own_capture(tmp_path, *lines) as (simulator, client):
            _, answer = await get(client.http, simulator.rest_url + "/0/public/AssetPairs")
            assert answer["result"] == {"XAUSD": pairs["XAUSD"]}

    run(scene)


def test_what_is_unsubscribed_from_comes_no_more(tmp_path):
    lines = ["1000000000\tF\tws1\t" + TRADE % (1, 1), "9000000000\tF\tws1\t" + TRADE % (2, 2)]

    async def scene():
        async with own_capture(tmp_path, *lines) as (simulator, client):
            await client.subscribe("trade", "A/USD")
            simulator.step(5)
            [answer] = await client.request("unsubscribe", channel="trade", symbol=["A/USD"])
            assert answer["success"]
            simulator.step(20)
            assert simulator.ledger("kraken", "A/USD")["kraken"]["A/USD"]["trades"] == 2
            assert [item["trade_id"] for item in await client.of("trade", kind="update")] == [1]

    run(scene)


class Line:
    """A connection that keeps what it is sent."""

    def __init__(self):
        self.sent = []

    def send(self, payload):
        self.sent.append(payload)


def played(texts):
    """Return a face that knows these frames and has played them."""
    face = RecordedKraken(SimulatorSettings(enforce_limits=False), Conditions())
    for text in texts:
        face.know(1, "F", "", text.encode())
    for text in texts:
        face.play(2, text.encode())
    return face


LEVEL = st.tuples(st.integers(1, 40), st.integers(0, 3))
MESSAGES = st.lists(st.tuples(st.lists(LEVEL, max_size=8), st.lists(LEVEL, max_size=8)), min_size=1, max_size=30)


@given(MESSAGES)
@settings(max_examples=60, deadline=None)
def test_a_snapshot_is_what_a_client_of_limited_depth_has_that_listened_from_the_beginning(messages):
    texts, sides = [], ({}, {})
    for number, message in enumerate(messages):
        written = []
        for side, levels, best_last in zip(sides, message, (True, False), strict=True):
            written.append([f'{{"price":{price}.50,"qty":{qty}.00}}' for price, qty in levels])
            side.update(levels)
            for price in [price for price, qty in side.items() if not qty]:
                del side[price]
            for price in sorted(side, reverse=best_last)[10:]:
                del side[price]
        kind = "update" if number else "snapshot"
        bids, asks = map(",".join, written)
        texts.append(
            f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"A/B","bids":[{bids}],"asks":[{asks}],"checksum":1}}]}}'
        )
    item = checksum_of(played(texts).snapshot("book", "A/B"))
    for name, side, descending in (("bids", sides[0], True), ("asks", sides[1], False)):
        expected = [(f"{price}.50", f"{side[price]}.00") for price in sorted(side, reverse=descending)]
        assert [(level["price"], level["qty"]) for level in item[name]] == expected


REQUEST = st.fixed_dictionaries(
    {"method": st.sampled_from(["subscribe", "unsubscribe", "ping", "dance"])},
    optional={
        "req_id": st.integers(-1, 9),
        "params": st.fixed_dictionaries(
            {"channel": st.sampled_from(["book", "trade", "ticker", "ohlc", "x"])},
            optional={
                "symbol": st.lists(st.sampled_from(["A/B", "B/A", "\u2603"]), max_size=3),
                "depth": st.sampled_from([10, 25, 11, -1, 2**70]),
                "snapshot": st.booleans(),
            },
        ),
    },
)


@given(st.lists(st.one_of(st.binary(max_size=30), REQUEST.map(lambda each: json.dumps(each).encode())), max_size=12))
@settings(max_examples=80, deadline=None)
def test_whatever_is_sent_is_answered_with_json(messages):
    line = Line()
    trade = '{"channel":"trade","type":"update","data":[{"symbol":"A/B","side"'
    session = played([trade]).session("/v2", line)
    for message in messages:
        before = len(line.sent)
        session.message(message)
        assert len(line.sent) > before
    for sent in line.sent:
        assert {"success", "method"} & json.loads(sent).keys()


def test_wrong_checksums_hurt_the_books_alone_and_other_streams_are_refused():
    async def scene():
        async with connected(BOOK) as (simulator, client):
            await client.subscribe("book", "BTC/USD")
            assert simulator.do("wrong_checksum") == "wrong_checksum: 1 stream"
            for stream in ("trade:BTC/USD", "book:ETH/USD"):
                with pytest.raises(HostilityError, match=f"no stream of kraken is called '{stream}'; there are book:"):
                    simulator.do("wrong_checksum", stream=stream)
            simulator.resume()
            await simulator.wait()
            await client.catch_up()
            whole = recorded(BOOK)
            assert [text != other for text, other in zip(client.texts, whole, strict=True)] == [True] + [False] * (
                len(whole) - 1
            )

    run(scene)
