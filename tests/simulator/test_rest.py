"""Binance's REST market data from a seeded market."""

import json

import pytest

from tests.simulator.client import exchange, get, listening, run


def test_exchange_info_lists_what_is_traded_with_its_steps_and_the_weight_limit():
    async def scene():
        async with exchange() as (simulator, http):
            status, spot = await get(http, simulator.rest_url + "/api/v3/exchangeInfo")
            assert status == 200
            assert [symbol["symbol"] for symbol in spot["symbols"]] == ["BTCUSDT", "ETHUSDT", "BNBUSDT"]
            assert spot["rateLimits"][0]["limit"] == 6000
            steps = {rule["filterType"]: rule for rule in spot["symbols"][0]["filters"]}
            assert steps["PRICE_FILTER"]["tickSize"] == "0.01000000"
            _, futures = await get(http, simulator.rest_url + "/fapi/v1/exchangeInfo")
            assert futures["rateLimits"][0]["limit"] == 2400
            assert {symbol["contractType"] for symbol in futures["symbols"]} == {"PERPETUAL"}

    run(scene)


def test_time_is_market_time():
    async def scene():
        async with exchange() as (simulator, http):
            simulator.step(2.5)
            _, answer = await get(http, simulator.rest_url + "/api/v3/time")
            assert answer["serverTime"] * 1_000_000 == simulator.state()["market_ns"]

    run(scene)


def test_trades_by_id_are_the_streamed_ones():
    async def scene():
        async with listening("/stream?streams=btcusdt@trade/btcusdt@aggTrade") as (simulator, client):
            simulator.step(2)
            await client.catch_up()
            trades, orders = client.frames()["btcusdt@trade"], client.frames()["btcusdt@aggTrade"]
            rest = simulator.rest_url + "/api/v3"
            first = trades[3]["t"]
            _, rows = await get(client.http, f"{rest}/historicalTrades?symbol=BTCUSDT&fromId={first}&limit=5")
            assert [(row["id"], row["price"], row["qty"], row["time"], row["isBuyerMaker"]) for row in rows] == [
                (trade["t"], trade["p"], trade["q"], trade["T"], trade["m"]) for trade in trades[3:8]
            ]
            first = orders[2]["a"]
            _, rows = await get(client.http, f"{rest}/aggTrades?symbol=BTCUSDT&fromId={first}&limit=4")
            assert rows == [{key: order[key] for key in "apqflTmM"} for order in orders[2:6]]
            _, rows = await get(client.http, f"{rest}/trades?symbol=BTCUSDT&limit=3")
            assert [row["id"] for row in rows] == [trade["t"] for trade in trades[-3:]]

    run(scene)


def test_orders_by_time_are_the_oldest_from_there_or_the_newest_up_to_there():
    async def scene():
        async with exchange() as (simulator, http):
            simulator.step(4)
            rest = simulator.rest_url + "/api/v3/aggTrades?symbol=BTCUSDT"
            _, rows = await get(http, rest + "&limit=1000")
            times = [row["T"] for row in rows]
            middle = times[len(times) // 2]
            _, later = await get(http, f"{rest}&startTime={middle}&limit=3")
            assert later == [row for row in rows if row["T"] >= middle][:3]
            _, earlier = await get(http, f"{rest}&endTime={middle}&limit=3")
            assert earlier == [row for row in rows if row["T"] <= middle][-3:]
            _, between = await get(http, f"{rest}&startTime={times[2]}&endTime={times[9]}&limit=1000")
            assert between == [row for row in rows if times[2] <= row["T"] <= times[9]]

    run(scene)


def test_klines_are_the_minutes_of_the_ledger_and_longer_ones_add_up():
    async def scene():
        async with exchange(rate=20.0) as (simulator, http):
            simulator.step(600)
            minutes = simulator.ledger("binance", "BTCUSDT")["binance"]["BTCUSDT"]["bars_1m"]
            rest = simulator.rest_url + "/api/v3/klines?symbol=BTCUSDT"
            _, rows = await get(http, rest + "&interval=1m&limit=1000")
            found = {row[0]: row for row in rows}
            for bar in minutes:
                row = found[bar["start_ms"]]
                assert [float(text) for text in row[1:6]] == [
                    float(bar[name]) for name in ("open", "high", "low", "close", "volume")
                ]
                assert row[8] == bar["trades"]
            starts = [row[0] for row in rows]
            assert starts == list(range(starts[0], starts[0] + 60_000 * len(rows), 60_000))
            _, longer = await get(http, rest + "&interval=5m&limit=1000")
            assert sum(row[8] for row in longer) == sum(bar["trades"] for bar in minutes)
            _, some = await get(http, f"{rest}&interval=1m&startTime={starts[2]}&limit=3")
            assert [row[0] for row in some] == starts[2:5]

    run(scene)


def test_the_book_that_rest_gives_is_the_ledgers():
    async def scene():
        async with exchange() as (simulator, http):
            simulator.step(1)
            book = simulator.ledger("binance-usdm", "ETHUSDT")["binance-usdm"]["ETHUSDT"]["book"]
            _, answer = await get(http, simulator.rest_url + "/fapi/v1/depth?symbol=ETHUSDT&limit=10")
            assert answer["lastUpdateId"] == book["update_id"]
            for side in ("bids", "asks"):
                assert [[float(text) for text in level] for level in answer[side]] == [
                    [float(text) for text in level] for level in book[side]
                ]

    run(scene)


def test_day_statistics_and_quotes_come_for_one_symbol_or_all():
    async def scene():
        async with exchange() as (simulator, http):
            simulator.step(1)
            for rest in ("/api/v3", "/fapi/v1"):
                for name in ("ticker/24hr", "ticker/bookTicker"):
                    _, every = await get(http, f"{simulator.rest_url}{rest}/{name}")
                    _, one = await get(http, f"{simulator.rest_url}{rest}/{name}?symbol=ETHUSDT")
                    assert len(every) == 3
                    assert one in every

    run(scene)


@pytest.mark.parametrize("venue", ["binance", "binance-usdm"])
def test_the_most_traded_of_the_day_are_the_first_instruments(venue):
    rest = {"binance": "/api/v3", "binance-usdm": "/fapi/v1"}[venue]

    async def scene():
        async with exchange(instruments=100) as (simulator, http):
            simulator.step(1)
            _, rows = await get(http, f"{simulator.rest_url}{rest}/ticker/24hr")
            symbols = [row["symbol"] for row in rows if row["symbol"].endswith("USDT")]
            volumes = {row["symbol"]: float(row["quoteVolume"]) for row in rows}
            assert symbols[0] == "BTCUSDT"
            # What is quoted in euros or bitcoins has smaller numbers, as on the venue.
            assert sorted(volumes, key=volumes.get, reverse=True)[: len(symbols)] == symbols

    run(scene)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v3/depth?symbol=NOSUCH", 400, -1121),
        ("/api/v3/depth", 400, -1102),
        ("/api/v3/klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("/api/v3/aggTrades?symbol=BTCUSDT&fromId=x", 400, -1100),
        ("/api/v3/aggTrades?symbol=BTCUSDT&fromId=1&startTime=2", 400, -1128),
        ("/api/v3/trades?symbol=BTCUSDT&limit=0", 400, -1130),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=7", 400, -4021),
        ("/fapi/v1/aggTrades?symbol=BTCUSDT&startTime=1&endTime=9000000", 400, -1127),
        ("/fapi/v1/historicalTrades?symbol=BTCUSDT", 401, -2014),
        ("/api/v3/nosuch", 404, -5000),
        ("/nowhere", 404, -5000),
    ],
)
def test_what_binance_refuses_is_refused_in_its_words(path, status, code):
    async def scene():
        async with exchange() as (simulator, http):
            found, answer = await get(http, simulator.rest_url + path)
            assert (found, answer["code"]) == (status, code)

    run(scene)


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("/api/v3/depth?symbol=BTCUSDT", 5),
        ("/api/v3/depth?symbol=BTCUSDT&limit=5000", 250),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1m", 2),
        ("/api/v3/aggTrades?symbol=BTCUSDT", 4),
        ("/api/v3/historicalTrades?symbol=BTCUSDT", 25),
        ("/api/v3/exchangeInfo", 20),
        ("/api/v3/ticker/24hr", 80),
        ("/fapi/v1/depth?symbol=BTCUSDT&limit=1000", 20),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=50", 1),
        ("/fapi/v1/aggTrades?symbol=BTCUSDT", 20),
    ],
)
def test_every_answer_says_what_was_used_of_the_minute(path, weight):
    async def scene():
        async with exchange() as (simulator, http), http.get(simulator.rest_url + path) as response:
            assert response.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)

    run(scene)


def test_too_much_weight_is_refused_and_who_goes_on_is_banned():
    async def scene():
        async with exchange() as (simulator, http):
            url = simulator.rest_url + "/api/v3/depth?symbol=BTCUSDT&limit=5000"
            for _ in range(6000 // 250):
                assert (await get(http, url))[0] == 200
            async with http.get(url) as response:
                assert response.status == 429
                assert 0 < int(response.headers["Retry-After"]) <= 60
                assert json.loads(await response.text())["code"] == -1003
            statuses = [(await get(http, url))[0] for _ in range(9)]
            assert statuses == [429] * 8 + [418]
            # The other venue has a budget of its own.
            assert (await get(http, simulator.rest_url + "/fapi/v1/ping"))[0] == 200

    run(scene)
