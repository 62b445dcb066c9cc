"""Captures served over a real socket: byte for byte, whole, and with REST from what was recorded."""

import gzip
import json
from decimal import Decimal

import pytest

from tests.feeds.recorded import capture_path, truth
from tests.simulator.client import Client, exchange, get, listening, run
from tickfloor.simulator.errors import HostilityError, SimulatorError
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.simulator import Simulator


def recorded(path):
    """Return the texts of all frames of a capture, and their streams."""
    with gzip.open(path, "rt") as file:
        lines = [line.rstrip("\n").split("\t", 3) for line in file if not line.startswith("#")]
    frames = [line[3] for line in lines if line[1] == "F"]
    return frames, sorted({frame.split('"', 4)[3] for frame in frames})


def served(name, **settings):
    return exchange(captures=(str(capture_path(name)),), settle_seconds=0.0, enforce_limits=False, **settings)


@pytest.mark.parametrize(
    ("name", "route"),
    [
        ("binance_spot_3sym_20210404", "/stream"),
        ("binance_spot_4sym_20211012", "/stream"),
        ("binance_usdm_4sym_20210722", "/public/stream"),
    ],
)
def test_a_capture_is_received_byte_for_byte(name, route):
    frames, streams = recorded(capture_path(name))

    async def scene():
        async with (
            served(name, speed=0.0) as (simulator, http),
            Client(http, simulator.stream_url + route) as client,
        ):
            await client.subscribe(*streams)
            simulator.resume()
            await simulator.wait()
            await client.catch_up()
            assert client.texts == frames

    run(scene)


def test_a_large_capture_comes_whole_as_fast_as_the_client_reads():
    name = "binance_usdm_btcusdt_20240808"
    frames, _ = recorded(capture_path(name))

    async def scene():
        async with served(name, speed=0.0, backlog_bytes=4 << 20) as (simulator, http):
            async with Client(http, simulator.stream_url + "/market/stream") as client:
                await client.subscribe("btcusdt@trade", "btcusdt@bookTicker", "btcusdt@depth@0ms")
                simulator.resume()
                for _ in frames:
                    await client.hear()
                assert client.texts == frames
            figures = simulator.ledger("binance-usdm", "BTCUSDT")["binance-usdm"]["BTCUSDT"]
            expected = truth(name)
            (symbol,) = expected["trades"]
            assert figures["trades"] == expected["trades"][symbol]["count"]

    run(scene)


def test_the_sums_of_a_played_capture_are_the_truth():
    name = "binance_spot_3sym_20210404"

    async def scene():
        async with served(name, speed=0.0) as (simulator, http):
            async with Client(http, simulator.stream_url + "/stream") as client:
                await client.subscribe("btcusdt@aggTrade")
                simulator.resume()
                await simulator.wait()
            ledger = simulator.ledger("binance")["binance"]
            assert set(ledger) == set(truth(name)["aggTrades"])
            for symbol, expected in truth(name)["aggTrades"].items():
                assert ledger[symbol]["trades"] == expected["count"]
                assert Decimal(ledger[symbol]["qty"]) == Decimal(expected["sum_qty"])
                assert Decimal(ledger[symbol]["notional"]) == Decimal(expected["sum_price_x_qty"])
                assert ledger[symbol]["last_id"] == expected["last_id"]

    run(scene)


def test_rest_answers_with_the_recorded_bodies_and_the_trades_played():
    async def scene():
        async with served("binance_spot_3sym_20210404", speed=0.0) as (simulator, http):
            rest = simulator.rest_url + "/api/v3"
            _, book = await get(http, rest + "/depth?symbol=BTCUSDT&limit=1000")
            assert book["lastUpdateId"] == 9893033066
            _, info = await get(http, rest + "/exchangeInfo")
            assert sorted(symbol["symbol"] for symbol in info["symbols"]) == ["BTCUSDT", "DOTUSDT", "ETHUSDT"]
            steps = {symbol["symbol"]: symbol["filters"][0]["tickSize"] for symbol in info["symbols"]}
            assert steps["BTCUSDT"] == "0.01000000"
            assert (await get(http, rest + "/aggTrades?symbol=BTCUSDT"))[1] == []
            async with Client(http, simulator.stream_url + "/stream?streams=btcusdt@aggTrade") as client:
                simulator.step(100)
                await client.catch_up()
                trades = client.frames()["btcusdt@aggTrade"]
            _, rows = await get(http, f"{rest}/aggTrades?symbol=BTCUSDT&fromId={trades[5]['a']}&limit=2")
            assert rows == [{key: trade[key] for key in "apqflTm"} for trade in trades[5:7]]
            _, day = await get(http, rest + "/ticker/24hr")
            assert len(day) == 3
            assert (await get(http, rest + "/depth?symbol=NOSUCH"))[0] == 400

    run(scene)


def test_a_stream_recorded_under_another_name_of_its_kind_is_found():
    async def scene():
        async with served("binance_usdm_btcusdt_20240808") as (simulator, http):
            url = "/market/stream?streams=btcusdt@aggTrade/btcusdt@depth@100ms/ethusdt@aggTrade"
            async with Client(http, simulator.stream_url + url) as client:
                simulator.step(2)
                await client.catch_up()
                assert set(client.frames()) == {"btcusdt@trade", "btcusdt@depth@0ms"}

    run(scene)


def test_a_capture_begins_when_clients_have_asked_for_streams_and_not_before():
    async def scene():
        async with served("binance_spot_4sym_20211012", speed=0.0, paused=False) as (simulator, http):
            for _ in range(5):
                await get(http, simulator.rest_url + "/api/v3/ping")
            assert not simulator.state()["running"]
            async with Client(http, simulator.stream_url + "/stream?streams=nknusdt@bookTicker") as client:
                await simulator.wait()
                await client.catch_up()
                assert len(client.texts) == 74

    run(scene)


def test_hostility_disturbs_a_capture_and_what_would_change_its_frames_is_refused():
    async def scene():
        async with served("binance_spot_3sym_20210404") as (simulator, http):
            async with Client(http, simulator.stream_url + "/stream?streams=btcusdt@aggTrade") as client:
                simulator.do("gap", stream="btcusdt@aggTrade", frames=4)
                simulator.do("burst", events=1000)
                simulator.step(0)
                await client.catch_up()
                ids = [trade["a"] for trade in client.frames()["btcusdt@aggTrade"]]
            first = simulator.ledger(symbol="BTCUSDT")["binance"]["BTCUSDT"]["first_id"]
            assert ids[0] == first + 4
            for do, parameters in (("clock_skew", {}), ("sequence_reset", {"symbol": "BTCUSDT"})):
                with pytest.raises(HostilityError, match="as they were"):
                    simulator.do(do, **parameters)

    run(scene)


def test_captures_of_several_venues_are_served_together_each_under_its_name():
    names = ("binance_coinm_btcusd_perp_20240808", "binance_usdm_btcusdt_20240808", "binance_spot_btcusdt_20240808")

    async def scene():
        captures = tuple(str(capture_path(name)) for name in names)
        async with exchange(captures=captures, enforce_limits=False) as (simulator, http):
            clients = {}
            for venue, symbol in (
                ("binance", "btcusdt"),
                ("binance-usdm", "btcusdt"),
                ("binance-coinm", "btcusd_perp"),
            ):
                url = f"{simulator.urls(venue)[0]}/stream?streams={symbol}@trade"
                clients[venue] = await Client(http, url).__aenter__()
            simulator.step(20)
            for venue, client in clients.items():
                await client.catch_up()
                (symbol,) = simulator.ledger(venue)[venue]
                assert len(client.texts) == simulator.ledger(venue)[venue][symbol]["trades"] > 0
                await client.__aexit__()

    run(scene)


def test_what_cannot_be_served_is_refused_with_the_reason(tmp_path):
    lines = '# {"exchange":"binance","market":"spot"}\n'
    nothing, unnamed = tmp_path / "nothing.frames", tmp_path / "unnamed.frames"
    nothing.write_text(lines)
    unnamed.write_text(lines + '5\tF\tws1\t{"e":"trade"}\n')
    for path, reason in ((nothing, "no frame that names"), (unnamed, "no frame that names")):
        with pytest.raises(SimulatorError, match=reason):
            Simulator(SimulatorSettings(captures=(str(path),)))


def test_frames_go_out_as_they_were_even_if_they_are_odd(tmp_path):
    frames = ['{"stream":"a@trade","data":{"e":"trade", "s":"A","t":1,"p":"1.0","q":"2","T":5,"m":false , "ü":1 }}']
    path = tmp_path / "odd.frames"
    path.write_text('# {"exchange":"binance","market":"spot"}\n' + "".join(f"7\tF\tws1\t{text}\n" for text in frames))

    async def scene():
        async with (
            exchange(captures=(str(path),)) as (simulator, http),
            Client(http, simulator.stream_url + "/stream?streams=a@trade") as wrapped,
            Client(http, simulator.stream_url + "/ws/a@trade") as plain,
        ):
            simulator.step(1)
            await wrapped.catch_up()
            await plain.catch_up()
            assert wrapped.texts == frames
            assert json.loads(plain.texts[0]) == json.loads(frames[0])["data"]

    run(scene)


def test_our_own_recording_with_answers_and_errors_in_it_is_served(tmp_path):
    trade = '{"stream":"a@trade","data":{"e":"trade","s":"A","t":%d,"p":"1.0","q":"2","T":5,"m":false}}'
    lines = [
        "1\tC\tc1\tws://127.0.0.1:5/stream",
        '2\tS\tc1\t{"method":"SUBSCRIBE","params":["a@trade"],"id":1}',
        '3\tF\tc1\t{"result":null,"id":1}',
        "4\tF\tc1\t" + trade % 1,
        '5\tF\tc1\t{"stream":"a@trade","data":{"e":"tra',
        "6\tF\tc1\t" + trade % 4,
        '7\tH\thttp://127.0.0.1:5/binance/api/v3/historicalTrades?symbol=A&fromId=2\t{"code":-1003,"msg":"no"}',
        (
            "8\tH\thttp://127.0.0.1:5/binance/api/v3/historicalTrades?symbol=A&fromId=2\t"
            '[{"id":2,"price":"1.5","qty":"2","time":5,"isBuyerMaker":true}]'
        ),
        '9\tF\tc1\t{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
    ]
    path = tmp_path / "own.frames"
    path.write_text('# {"exchange":"binance","market":"spot"}\n' + "".join(line + "\n" for line in lines))

    async def scene():
        async with listening("/stream?streams=a@trade", captures=(str(path),)) as (simulator, client):
            simulator.step(1)
            await client.catch_up()
            assert client.texts[0] == trade % 1
            assert client.texts[-1] == trade % 4
            url = simulator.rest_url + "/api/v3/historicalTrades?symbol=A&fromId=2&limit=2"
            assert [row["id"] for row in (await get(client.http, url))[1]] == [2, 4]
            figures = simulator.ledger("binance", "A")["binance"]["A"]
            assert (figures["trades"], figures["id_gaps"], figures["unread"]) == (2, 1, 2)

    run(scene)


def test_the_reading_of_captures_is_told_in_bytes_of_all_of_them():
    paths = [capture_path("binance_spot_3sym_20210404"), capture_path("binance_spot_btcusdt_20240808")]
    told = []
    settings = SimulatorSettings(captures=tuple(map(str, paths)))
    Simulator(settings, lambda read, of: told.append((read, of)))
    assert {of for _, of in told} == {sum(path.stat().st_size for path in paths)}
    read = [each for each, _ in told]
    assert read == sorted(read)
    assert len(set(read)) > 5
    assert read[-1] > 0.9 * told[-1][1]
