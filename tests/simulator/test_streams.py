"""Binance's stream protocol over a real socket, with an independent client."""

import asyncio
import json
import socket

import aiohttp
import msgspec
import pytest

from tests.simulator.client import Client, exchange, listening, run


def test_a_raw_stream_sends_events_as_they_are():
    async def scene():
        async with listening("/ws/btcusdt@trade") as (simulator, client):
            simulator.step(1)
            await client.catch_up()
            assert client.texts
            event = json.loads(client.texts[0])
            assert list(event) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]
            assert event["e"] == "trade"
            assert event["s"] == "BTCUSDT"

    run(scene)


def test_a_combined_stream_wraps_events_in_its_name():
    async def scene():
        url = "/stream?streams=btcusdt@trade/ethusdt@bookTicker"
        async with listening(url) as (simulator, client):
            simulator.step(1)
            await client.catch_up()
            assert set(client.frames()) == {"btcusdt@trade", "ethusdt@bookTicker"}
            assert list(json.loads(client.texts[0])) == ["stream", "data"]
            assert set(client.frames()["ethusdt@bookTicker"][0]) == {"u", "s", "b", "B", "a", "A"}

    run(scene)


def test_what_is_subscribed_comes_and_what_is_unsubscribed_does_not():
    async def scene():
        async with listening("/stream") as (simulator, client):
            await client.subscribe("btcusdt@trade", "ethusdt@trade")
            assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@trade", "ethusdt@trade"]
            simulator.step(1)
            assert (await client.ask("UNSUBSCRIBE", ["btcusdt@trade"]))["result"] is None
            before = len(client.frames()["btcusdt@trade"])
            simulator.step(1)
            await client.catch_up()
            assert before == len(client.frames()["btcusdt@trade"]) > 0
            assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == ["ethusdt@trade"]

    run(scene)


def test_ids_of_requests_are_echoed_whatever_their_kind():
    async def scene():
        async with listening("/ws", enforce_limits=False) as (_, client):
            for request_id in (0, 2**64 - 1, "a-name", None):
                await client.socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": request_id}))
                assert (await client.answer(request_id))["result"] == []

    run(scene)


@pytest.mark.parametrize(
    ("request_text", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ('{"id":1}', 2),
        ('{"method":"SHOUT","id":1}', 2),
        ('{"method":"SUBSCRIBE","id":1}', 2),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":-1}', 2),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":"' + "x" * 37 + '"}', 2),
        ('{"method":"SET_PROPERTY","params":["colour",true],"id":1}', 0),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1),
    ],
)
def test_a_wrong_request_gets_the_documented_code(request_text, code):
    async def scene():
        async with listening("/ws") as (_, client):
            await client.socket.send_str(request_text)
            answer = json.loads(await client.hear())
            assert answer["code"] == code
            assert set(answer) == {"code", "msg", "id"}

    run(scene)


def test_the_combined_property_changes_the_wrapper_of_what_is_subscribed():
    async def scene():
        async with listening("/ws/btcusdt@trade") as (simulator, client):
            assert (await client.ask("GET_PROPERTY", ["combined"]))["result"] is False
            assert (await client.ask("SET_PROPERTY", ["combined", True]))["result"] is None
            simulator.step(1)
            await client.catch_up()
            assert client.frames()["btcusdt@trade"]
            assert (await client.ask("GET_PROPERTY", ["combined"]))["result"] is True

    run(scene)


@pytest.mark.parametrize(
    "name", ["nosuch@trade", "BTCUSDT@trade", "btcusdt@kline_7m", "btcusdt@depth@37ms", "!ticker@arr"]
)
def test_unknown_and_retired_streams_are_accepted_and_silent(name):
    async def scene():
        async with listening("/stream") as (simulator, client):
            await client.subscribe(name)
            assert (await client.ask("LIST_SUBSCRIPTIONS"))["result"] == [name]
            simulator.step(3)
            await client.catch_up()
            assert client.texts == []

    run(scene)


@pytest.mark.parametrize(
    ("route", "sent"),
    [
        ("/public/stream", {"btcusdt@bookTicker", "btcusdt@depth@100ms"}),
        ("/market/stream", {"btcusdt@aggTrade", "btcusdt@kline_1m"}),
        ("/private/stream", set()),
        ("/stream", set()),
    ],
)
def test_futures_streams_come_on_their_own_route_only_and_trades_never(route, sent):
    async def scene():
        async with listening(route, venues=("binance-usdm",)) as (simulator, client):
            names = ["btcusdt@bookTicker", "btcusdt@depth@100ms", "btcusdt@aggTrade", "btcusdt@kline_1m"]
            await client.subscribe(*names, "btcusdt@trade")
            simulator.step(2)
            await client.catch_up()
            assert set(client.frames()) == sent
            assert len((await client.ask("LIST_SUBSCRIPTIONS"))["result"]) == 5

    run(scene)


def test_futures_arrays_hold_coin_margined_symbols_marked_as_such():
    async def scene():
        async with listening("/market/stream?streams=!ticker@arr", venues=("binance-usdm",)) as (simulator, client):
            simulator.step(1)
            await client.catch_up()
            items = client.frames()["!ticker@arr"][0]
            assert [item["st"] for item in items] == [1, 1, 1, 2]
            assert items[-1]["s"] == "BTCUSD_PERP"

    run(scene)


def test_spot_and_futures_live_side_by_side_each_also_under_its_name():
    async def scene():
        async with exchange() as (simulator, http):
            spot, _ = simulator.urls("binance")
            futures, _ = simulator.urls("binance-usdm")
            async with (
                Client(http, spot + "/ws/btcusdt@aggTrade") as first,
                Client(http, futures + "/market/ws/btcusdt@aggTrade") as second,
            ):
                simulator.step(1)
                await first.catch_up()
                await second.catch_up()
                assert "nq" not in json.loads(first.texts[0])
                assert json.loads(second.texts[0])["nq"] == json.loads(second.texts[0])["q"]

    run(scene)


def test_a_path_that_no_venue_has_is_not_found():
    async def scene():
        async with exchange() as (simulator, http):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(simulator.stream_url + "/nowhere")
            assert refused.value.status == 404

    run(scene)


def test_the_sixth_message_within_a_second_ends_the_connection():
    async def scene():
        async with listening("/ws") as (_, client):
            for number in range(6):
                await client.socket.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
            assert await client.hear_end() == aiohttp.WSCloseCode.POLICY_VIOLATION
            assert len(client.texts) == 5

    run(scene)


def test_pings_of_a_client_count_as_messages_and_are_answered():
    async def scene():
        async with (
            exchange() as (simulator, http),
            Client(http, simulator.stream_url + "/ws", autoping=False) as client,
        ):
            for _ in range(6):
                await client.socket.ping(b"hello")
            pong = await client.socket.receive()
            assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"hello")
            while (await client.socket.receive()).type is aiohttp.WSMsgType.PONG:
                pass
            assert client.socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION

    run(scene)


def test_the_server_pings_and_a_client_that_answers_stays():
    async def scene():
        async with listening("/ws", autoping=False, ping_seconds=0.01) as (_, client):
            for _ in range(3):
                ping = await client.socket.receive()
                assert ping.type is aiohttp.WSMsgType.PING
                await client.socket.pong(ping.data)

    run(scene)


def test_more_streams_than_a_connection_may_have_are_refused():
    async def scene():
        async with listening("/market/ws", venues=("binance-usdm",)) as (_, client):
            await client.subscribe(*(f"s{number}@aggTrade" for number in range(200)))
            assert (await client.ask("SUBSCRIBE", ["btcusdt@aggTrade"]))["code"] == 2
            assert len((await client.ask("LIST_SUBSCRIPTIONS"))["result"]) == 200

    run(scene)


def test_connections_beyond_the_budget_are_refused():
    async def scene():
        async with exchange() as (simulator, http):
            for _ in range(300):
                await (await http.ws_connect(simulator.stream_url + "/ws")).close()
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(simulator.stream_url + "/ws")
            assert refused.value.status == 429

    run(scene)


def test_a_connection_ends_when_its_life_is_over():
    async def scene():
        async with listening("/ws", life_seconds=0.01) as (_, client):
            assert await client.hear_end() == aiohttp.WSCloseCode.OK

    run(scene)


async def never_reading(simulator, path):
    """Return a socket of small buffers that is connected to a path, and whose owner does not read."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.setblocking(False)
    port = int(simulator.stream_url.rpartition(":")[2])
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, ("127.0.0.1", port))
    upgrade = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(reader, upgrade.encode())
    return reader


def test_a_slow_client_is_dropped_and_its_neighbour_gets_everything():
    async def scene():
        url = "/stream?streams=btcusdt@trade"
        settings = {"instruments": 1, "rate": 5000.0, "backlog_bytes": 1 << 16, "enforce_limits": False}
        async with listening(url, **settings) as (simulator, quick):
            with await never_reading(simulator, url):
                while len(simulator.server.connections) < 2:
                    await quick.catch_up()
                while not simulator.server.too_slow:
                    simulator.step(0.2)
                    await quick.catch_up()
                assert simulator.server.too_slow == 1
            ids = [event["t"] for event in quick.frames()["btcusdt@trade"]]
            assert ids == list(range(ids[0], ids[0] + len(ids)))
            assert ids[-1] == simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["last_id"]
            assert [each["number"] for each in simulator.state()["connections"]] == [1]

    run(scene)


def test_real_time_passes_by_itself_until_paused():
    async def scene():
        async with listening("/stream?streams=btcusdt@trade", paused=False, rate=5_000.0) as (simulator, client):
            for _ in range(20):
                await client.hear()
            simulator.pause()
            at_rest = simulator.ledger()
            await client.catch_up()
            await asyncio.sleep(0)
            assert simulator.ledger() == at_rest
            assert client.frames()["btcusdt@trade"][-1]["t"] == at_rest["binance"]["BTCUSDT"]["last_id"]
            simulator.resume()
            await client.hear()

    run(scene)


def test_a_client_that_does_not_answer_pings_is_dropped():
    async def scene():
        async with exchange(ping_seconds=0.01) as (simulator, http):
            (face,) = simulator.faces_of("binance")
            face.limits = msgspec.structs.replace(face.limits, pong_seconds=0.02)
            async with Client(http, simulator.stream_url + "/ws", autoping=False) as client:
                while (await client.socket.receive()).type is aiohttp.WSMsgType.PING:
                    pass
                assert client.socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE

    run(scene)
