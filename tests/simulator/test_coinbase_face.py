"""A Coinbase capture over real sockets: frames as they were but for their numbers, which are each connection's own."""

import gzip
import json
import re
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.recorded import capture_path, truth
from tests.simulator.client import Client, exchange, get, run
from tickfloor.simulator.coinbase.face import RecordedCoinbase
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.settings import SimulatorSettings

NAME = "coinbase_advanced_2sym_20260809_first12s"
PRODUCTS = ["BTC-USD", "ETH-USD"]
CHANNELS = {"market_trades": "market_trades", "ticker": "ticker", "candles": "candles", "level2": "l2_data"}


def recorded(*channels):
    """Return the texts of a capture's frames of some channels."""
    with gzip.open(capture_path(NAME), "rt") as file:
        lines = [line.rstrip("\n").split("\t", 3) for line in file if not line.startswith("#")]
    return [line[3] for line in lines if line[1] == "F" and line[3].split('"', 4)[3] in channels]


def unnumbered(texts):
    return [re.sub(r'"sequence_num":\d+', "", text, count=1) for text in texts]


def numbers(texts):
    return [json.loads(text)["sequence_num"] for text in texts]


def of(texts, *channels):
    return [text for text in texts if json.loads(text).get("channel") in channels]


class CoinbaseClient(Client):
    """Asks as Coinbase wants it."""

    async def request(self, kind, channel, *products):
        """Send a request and return its answer; everything sent before it has been heard then."""
        message = {"type": kind, "channel": channel} | ({"product_ids": products} if products else {})
        await self.socket.send_str(json.dumps(message))
        while True:
            found = json.loads(await self.hear())
            if found.get("type") == "error":
                return found
            if found["channel"] == "subscriptions":
                return found["events"][0]["subscriptions"]

    async def subscribe(self, channel, *products):
        return await self.request("subscribe", channel, *(products or PRODUCTS))

    async def catch_up(self):
        """Read everything that has been sent so far."""
        await self.request("unsubscribe", "status")


@asynccontextmanager
async def connected(**settings):
    chosen = {"captures": (str(capture_path(NAME)),), "settle_seconds": 0.0, "speed": 0.0} | settings
    async with exchange(**chosen) as (simulator, http), CoinbaseClient(http, simulator.stream_url) as client:
        yield simulator, client


def test_a_capture_is_received_as_it_was_but_for_the_numbers_which_count_what_this_connection_was_sent():
    async def scene():
        async with connected(enforce_limits=False) as (simulator, client):
            for channel in CHANNELS:
                await client.subscribe(channel)
            simulator.resume()
            await simulator.wait()
            await client.catch_up()
            received, wire = of(client.texts, *CHANNELS.values()), CHANNELS.values()
            assert unnumbered(received) == unnumbered(recorded(*wire))
            assert numbers(client.texts) == list(range(len(client.texts)))

    run(scene)


def test_every_answer_is_all_that_the_connection_is_subscribed_to():
    async def scene():
        async with connected() as (_, client):
            assert await client.subscribe("market_trades") == {"market_trades": PRODUCTS}
            assert await client.subscribe("level2", "ETH-USD") == {"level2": ["ETH-USD"], "market_trades": PRODUCTS}
            assert await client.request("subscribe", "heartbeats") == {
                "heartbeats": ["heartbeats"], "level2": ["ETH-USD"], "market_trades": PRODUCTS,
            }  # fmt: skip
            await client.request("unsubscribe", "market_trades", "BTC-USD")
            assert await client.request("unsubscribe", "level2") == {
                "heartbeats": ["heartbeats"], "market_trades": ["ETH-USD"],
            }  # fmt: skip

    run(scene)


def test_two_connections_are_numbered_each_for_itself():
    async def scene():
        async with (
            connected() as (simulator, books),
            CoinbaseClient(books.http, simulator.stream_url) as trades,
        ):
            await books.subscribe("level2")
            await trades.subscribe("market_trades")
            simulator.step(1000)
            for client, channel in ((books, "l2_data"), (trades, "market_trades")):
                await client.catch_up()
                assert unnumbered(of(client.texts, channel)) == unnumbered(recorded(channel))
                assert numbers(client.texts) == list(range(len(client.texts)))

    run(scene)


@pytest.mark.parametrize(
    ("do", "parameters", "expected"),
    [
        ("gap", {"frames": 2}, [0, 3, 4, 5]),
        ("duplicate", {"frames": 1}, [0, 1, 1, 2]),
        ("reorder", {"frames": 2}, [0, 2, 1, 3]),
        ("malformed", {"instead": True}, [0, 2, 3, 4]),
        ("silent_channel", {"seconds": 0.0}, [0, 1, 2, 3]),
    ],
)
def test_what_is_lost_or_doubled_on_the_way_shows_in_the_numbers(do, parameters, expected):
    async def scene():
        async with connected() as (simulator, client):
            simulator.do(do, stream="market_trades:BTC-USD", **parameters)
            await client.subscribe("market_trades", "BTC-USD")
            simulator.step(1000)
            try:
                await client.catch_up()
            except json.JSONDecodeError:
                client.texts.pop()
                await client.catch_up()
            assert numbers(client.texts)[:4] == expected

    run(scene)


def test_a_silent_channel_numbers_nothing():
    async def scene():
        async with connected() as (simulator, client):
            simulator.do("silent_channel", stream="market_trades:BTC-USD")
            await client.subscribe("market_trades")
            simulator.step(1000)
            await client.catch_up()
            assert {trade["product_id"] for trade in trades_in(client.texts)} == {"ETH-USD"}
            assert numbers(client.texts) == list(range(len(client.texts)))

    run(scene)


def trades_in(texts):
    found = of(texts, "market_trades")
    return [trade for text in found for event in json.loads(text)["events"] for trade in event["trades"]]


def book_in(text):
    [event] = json.loads(text)["events"]
    assert event["type"] == "snapshot"
    sides = {"bid": [], "offer": []}
    for level in event["updates"]:
        sides[level["side"]].append([level["price_level"], level["new_quantity"]])
    return sides


@pytest.mark.parametrize("product", PRODUCTS)
def test_whoever_subscribes_later_begins_with_the_book_as_it_stands(product):
    async def scene():
        async with connected() as (simulator, client):
            simulator.step(1000)
            await client.subscribe("level2", product)
            [text] = of(client.texts, "l2_data")
            sides, expected = book_in(text), truth(NAME)["book"][product]
            assert len(sides["bid"]) == expected["final_bid_levels"]
            assert len(sides["offer"]) == expected["final_ask_levels"]
            assert sides["bid"][:10] == expected["final_top10_bids"]
            assert sides["offer"][:10] == expected["final_top10_asks"]

    run(scene)


def test_whoever_subscribes_later_is_told_the_last_hundred_trades_and_the_ticker():
    async def scene():
        async with connected() as (simulator, client):
            await client.subscribe("market_trades")
            assert trades_in(client.texts) == []
            await client.request("unsubscribe", "market_trades")
            simulator.step(1000)
            await client.subscribe("market_trades", "BTC-USD")
            last = truth(NAME)["trades"]["BTC-USD"]["last_id"]
            trades = trades_in(client.texts)
            assert [int(trade["trade_id"]) for trade in trades] == list(range(last, last - 100, -1))
            assert json.loads(of(client.texts, "market_trades")[0])["events"][0]["type"] == "snapshot"
            await client.subscribe("ticker", "BTC-USD")
            [event] = json.loads(of(client.texts, "ticker")[0])["events"]
            assert event["type"] == "snapshot"
            assert event["tickers"] == [truth(NAME)["ticker_last"]["BTC-USD"]]
            assert numbers(client.texts) == list(range(len(client.texts)))

    run(scene)


def test_heartbeats_are_counted_for_each_connection():
    async def scene():
        async with connected() as (_, client):
            await client.request("subscribe", "heartbeats")
            for counter in (1, 2):
                beat = json.loads(await client.hear())
                assert beat["channel"] == "heartbeats"
                assert beat["events"][0]["heartbeat_counter"] == counter
            assert numbers(client.texts) == [0, 1, 2]

    run(scene)


def test_a_connection_that_asks_for_nothing_is_closed_after_five_seconds_and_only_then():
    async def scene():
        async with connected() as (simulator, client), CoinbaseClient(client.http, simulator.stream_url) as other:
            await other.subscribe("ticker")
            idle, busy = (each.session for each in simulator.server.connections.values())
            assert [idle.beat(quiet=True) for _ in range(5)] == [True, True, True, True, False]
            assert [busy.beat(quiet=True) for _ in range(6)] == [True] * 6
            assert await client.hear_end() == 1008

    run(scene)


def test_the_31st_book_is_refused_and_the_connection_lives(tmp_path):
    frame = (
        '{"channel":"l2_data","timestamp":"2026-08-09T21:05:48.505350477Z","sequence_num":0,"events":[{"type":"snapshot",'
        '"product_id":"A%d-USD","updates":[]}]}'
    )
    path = tmp_path / "many.frames"
    lines = "".join(f"{number + 1}\tF\tc\t{frame % number}\n" for number in range(31))
    path.write_text('# {"exchange":"coinbase","market":"advanced-trade"}\n' + lines)

    async def scene():
        async with connected(captures=(str(path),)) as (_, client):
            products = [f"A{number}-USD" for number in range(31)]
            refusal = await client.request("subscribe", "level2", *products)
            assert refusal == {"type": "error", "message": "too many L2 streams requested in a single session"}
            assert await client.request("subscribe", "level2", *products[:30]) == {"level2": products[:30]}
            assert (await client.request("subscribe", "level2", products[30]))["type"] == "error"
            assert (await client.request("subscribe", "ticker", products[30]))["ticker"] == products[30:]

    run(scene)


def test_what_is_no_request_is_answered_with_an_error():
    async def scene():
        async with connected() as (_, client):
            await client.socket.send_str('{"type":')
            assert json.loads(await client.hear())["type"] == "error"
            for kind, channel, product in (
                ("dance", "ticker", "BTC-USD"),
                ("subscribe", "level9", "BTC-USD"),
                ("subscribe", "ticker", "NO-SUCH"),
            ):
                assert (await client.request(kind, channel, product))["type"] == "error"

    run(scene)


def test_the_ledger_has_the_truth():
    async def scene():
        async with connected() as (simulator, _):
            simulator.step(1000)
            ledger = simulator.ledger("coinbase")["coinbase"]
            for product in PRODUCTS:
                expected, found = truth(NAME)["trades"][product], ledger[product]
                assert (found["trades"], found["qty"]) == (expected["count"], expected["sum_qty"])
                assert (found["notional"], found["id_gaps"]) == (expected["sum_price_x_qty"], 0)
                assert (found["first_id"], found["last_id"]) == (expected["first_id"], expected["last_id"])
                book = truth(NAME)["book"][product]
                assert found["book"] == {"bids": book["final_top10_bids"], "asks": book["final_top10_asks"]}

    run(scene)


def test_rest_gives_the_products_and_every_trade_played():
    async def scene():
        async with connected() as (simulator, client):
            rest = simulator.rest_url + "/api/v3/brokerage/market/products"
            _, listed = await get(client.http, rest)
            assert [product["product_id"] for product in listed["products"]] == PRODUCTS
            assert listed["products"][0]["base_increment"] == "0.00000001"
            assert (await get(client.http, rest + "/ETH-USD"))[1]["quote_currency_id"] == "USD"
            assert (await get(client.http, rest + "/BTC-USD/ticker?limit=5"))[1]["trades"] == []
            simulator.step(1000)
            expected = truth(NAME)["trades"]["BTC-USD"]
            _, newest = await get(client.http, rest + "/BTC-USD/ticker?limit=1")
            assert [int(trade["trade_id"]) for trade in newest["trades"]] == [expected["last_id"]]
            start, end = expected["first_ms"] // 1000, expected["last_ms"] // 1000 + 1
            _, all_ = await get(client.http, rest + f"/BTC-USD/ticker?limit=1000&start={start}&end={end}")
            ids = [int(trade["trade_id"]) for trade in all_["trades"]]
            assert ids == list(range(expected["last_id"], expected["first_id"] - 1, -1))
            assert (await get(client.http, rest + "/NO-SUCH/ticker?limit=1"))[0] == 404

    run(scene)


def test_answers_that_were_recorded_can_be_asked_for_again(tmp_path):
    trade = (
        '{"trade_id":"%d","product_id":"A-USD","price":"1.5","size":"2","time":"2026-08-09T21:05:4%d.5Z","side":"BUY"}'
    )
    frame = '{"channel":"market_trades","timestamp":"","sequence_num":7,"events":[{"type":"update","trades":[%s]}]}'
    body = f'{{"trades":[{trade % (2, 2)},{trade % (1, 1)}],"best_bid":"","best_ask":""}}'
    lines = [
        "4\tF\tc\t" + frame % trade % (1, 1),
        "5\tF\tc\t" + frame % trade % (3, 3),
        f"6\tH\thttps://api.coinbase.com/api/v3/brokerage/market/products/A-USD/ticker?limit=9\t{body}",
        '7\tF\tc\t{"channel":"market_trades","timestamp":"","sequence_num":9,"events":[{"type":"update","trades":[{"product_id":"A-USD"',
    ]
    path = tmp_path / "own.frames"
    header = '# {"exchange":"coinbase","market":"advanced-trade"}\n'
    path.write_text(header + "".join(line + "\n" for line in lines))

    async def scene():
        async with connected(captures=(str(path),)) as (simulator, client):
            rest = simulator.rest_url + "/api/v3/brokerage/market/products"
            assert (await get(client.http, rest + "/A-USD/ticker"))[1]["trades"] == []
            simulator.step(1)
            await client.subscribe("market_trades", "A-USD")
            assert [trade["trade_id"] for trade in trades_in(client.texts)] == ["3", "2", "1"]
            entry = simulator.ledger("coinbase", "A-USD")["coinbase"]["A-USD"]
            assert (entry["trades"], entry["id_gaps"], entry["notional"]) == (3, 0, "9")
            _, listed = await get(client.http, rest)
            assert [(each["product_id"], each["price_increment"]) for each in listed["products"]] == [("A-USD", "0.1")]

    run(scene)


REQUEST = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["subscribe", "unsubscribe", "dance"]),
        "channel": st.sampled_from(["level2", "market_trades", "ticker", "heartbeats", "status", "x"]),
    },
    optional={"product_ids": st.lists(st.sampled_from(["A-USD", "B-USD", "\u2603"]), max_size=3)},
)


@given(st.lists(st.one_of(st.binary(max_size=30), REQUEST.map(lambda each: json.dumps(each).encode())), max_size=12))
@settings(max_examples=80, deadline=None)
def test_whatever_is_sent_is_answered_with_json_and_all_numbers_are_consecutive(messages):
    sent = []
    line = type("Line", (), {"send": staticmethod(sent.append)})()
    face = RecordedCoinbase(SimulatorSettings(enforce_limits=False), Conditions())
    for product in ("A-USD", "B-USD"):
        frame = '{"channel":"ticker","sequence_num":3,"events":[{"type":"update","tickers":[{"product_id":"%s"}]}]}'
        face.know(1, "F", "", (frame % product).encode())
    session = face.session("/", line)
    for message in messages:
        before = len(sent)
        session.message(message)
        face.play(2, (frame % "A-USD").encode())
        assert len(sent) > before
    answers = [json.loads(payload) for payload in sent]
    found = [answer["sequence_num"] for answer in answers if answer.get("type") != "error"]
    assert found == list(range(len(found)))
