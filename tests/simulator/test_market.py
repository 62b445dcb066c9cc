"""The seeded market: the same for the same seed, whole in itself, and told whole to whoever listens."""

import json
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.simulator.client import START_NS, Client, exchange, get, listening, run
from tickfloor.simulator.book import LEAST_LEVELS, MOST_LEVELS, SimulatedBook
from tickfloor.simulator.errors import SimulatorError
from tickfloor.simulator.market import Market
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.symbols import PERPETUALS, SPOT
from tickfloor.simulator.tally import Tally
from tickfloor.simulator.trade_log import TradeLog

ALL = "trade", "aggTrade", "bookTicker", "depth@100ms", "kline_1m", "ticker"


class Heard:
    """Notes what a market tells."""

    def __init__(self):
        self.orders = []
        self.quotes = []
        self.grid = []

    def on_order(self, each, time_ms, trade_id, order_id, ticks, fills, bought):
        self.orders.append((each.symbol, time_ms, trade_id, order_id, ticks, tuple(fills), bought))

    def on_quote(self, each, time_ms):
        self.quotes.append((each.symbol, time_ms, each.book.bids[-1], each.book.asks[-1], each.book.update_id))

    def on_grid(self, grid_ns):
        self.grid.append(grid_ns)


def market(heard, *, seed="7", instruments=5, rate=1000.0, shared_ids=False):
    return Market(
        SPOT[:instruments], seed=seed, start_ns=START_NS, rate=rate, kept_trades=10_000, shared_ids=shared_ids,
        listener=heard,
    )  # fmt: skip


def test_the_same_seed_gives_the_same_market_in_whatever_steps_time_passes():
    once, often, other = Heard(), Heard(), Heard()
    market(once).advance(START_NS + 3_000_000_000)
    stepped = market(often)
    for step in range(1, 301):
        stepped.advance(START_NS + step * 10_000_000)
    market(other, seed="8").advance(START_NS + 3_000_000_000)
    assert once.orders == often.orders
    assert once.quotes == often.quotes
    assert once.grid == often.grid == list(range(START_NS + 50_000_000, START_NS + 3_000_000_001, 50_000_000))
    assert once.orders != other.orders


def test_events_come_at_the_asked_rate_in_order_of_time():
    heard = Heard()
    market(heard).advance(START_NS + 20_000_000_000)
    times = [quote[1] for quote in heard.quotes]
    assert times == sorted(times)
    assert len(times) / 20 == pytest.approx(1000, rel=0.05)


def test_ids_of_trades_and_orders_are_consecutive_and_a_book_is_never_crossed():
    heard = Heard()
    found = market(heard)
    found.advance(START_NS + 10_000_000_000)
    for each in found.instruments:
        orders = [order for order in heard.orders if order[0] == each.symbol]
        ids = [order[2] + number for order in orders for number in range(len(order[5]))]
        assert ids == list(range(ids[0], ids[0] + len(ids)))
        assert [order[3] for order in orders] == list(range(orders[0][3], orders[0][3] + len(orders)))
    assert all(bid < ask for _, _, bid, ask, _ in heard.quotes)


def test_futures_share_their_update_ids():
    heard = Heard()
    market(heard, shared_ids=True).advance(START_NS + 1_000_000_000)
    ids = [quote[4] for quote in heard.quotes]
    assert ids == sorted(set(ids))


def test_prices_of_every_instrument_that_there_is_stay_on_the_wires_decimals():
    for symbols in (SPOT[:100], PERPETUALS):
        found = Market(
            symbols, seed="1", start_ns=START_NS, rate=50_000.0, kept_trades=1000, shared_ids=False, listener=Heard()
        )
        found.advance(START_NS + 200_000_000)
        for each in found.instruments:
            assert each.book.bids[0] > 0
            assert each.price_decimals <= 8


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-400, 400), st.integers(1, 60), st.booleans(), st.booleans()), max_size=60))
def test_the_changes_of_a_book_make_the_book(steps):
    chance = iter(number / 997 % 1.0 for number in range(1, 1 << 30))
    book = SimulatedBook(10_000, 10_005, lots=20.0, update_id=1, uniform=lambda: next(chance))
    follower = dict(book.bid_lots) | {-price: lots for price, lots in book.ask_lots.items()}
    position = book.position()
    mid = 10_000
    for number, (move, lots, bought, requote) in enumerate(steps, 2):
        if requote:
            mid = max(1000, mid + move)
            book.requote(mid, mid + 5, number)
        else:
            book.take(lots, number, bought=bought)
    for _, prices in book.since(position):
        for price in prices:
            lots = book.bid_lots.get(price, 0) if price > 0 else book.ask_lots.get(-price, 0)
            follower.pop(price, None)
            if lots:
                follower[price] = lots
    assert {price: lots for price, lots in follower.items() if price > 0} == book.bid_lots
    assert {-price: lots for price, lots in follower.items() if price < 0} == book.ask_lots
    assert list(book.bids) == sorted(book.bid_lots)
    assert list(book.asks) == sorted(book.ask_lots, reverse=True)
    assert book.bids[-1] < book.asks[-1]
    assert all(LEAST_LEVELS <= len(side) <= MOST_LEVELS + 1 for side in (book.bids, book.asks))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=200), st.integers(1, 50), st.data())
@settings(max_examples=60, deadline=None)
def test_a_trade_log_keeps_the_newest_trades_in_whole_orders(orders, kept, data):
    log = TradeLog(100, 7, kept)
    for number, fills in enumerate(orders):
        log.add(1000 + number, 5, [number + 1] * fills, bought=number % 2 == 0)
    total = sum(orders)
    assert min(total, kept) <= len(log) <= max(kept * 5 // 4, kept) + 3
    assert [trade.trade_id for trade in log.newest(3)] == list(range(max(100, 97 + total), 100 + total))[-len(log) :]
    first_id = data.draw(st.integers(0, 100 + total))
    found = log.orders(first_id, 1000)
    assert [order.order_id for order in found] == sorted(order.order_id for order in found)
    for order in found:
        assert order.last_id - order.first_id + 1 == orders[order.order_id - 7]
        assert order.lots == (order.order_id - 6) * orders[order.order_id - 7]
    assert log.next_order == 7 + len(orders)


@pytest.mark.parametrize("setting", [{"instruments": 0}, {"rate": 0.0}, {"speed": -1.0}, {"venues": ()}])
def test_settings_that_cannot_be_are_refused(setting):
    with pytest.raises(SimulatorError, match=next(iter(setting))):
        SimulatorSettings(**setting)


def test_the_frames_sent_depend_on_the_seed_and_not_on_when_they_are_sent():
    texts = []

    async def scene(steps):
        async with exchange() as (simulator, http):
            names = "/".join(f"{symbol}@{kind}" for symbol in ("btcusdt", "ethusdt") for kind in ALL)
            async with Client(http, f"{simulator.stream_url}/stream?streams={names}") as client:
                for seconds in steps:
                    simulator.step(seconds)
                await client.catch_up()
                texts.append(client.texts)

    # Multiples of the interval of book diffs, since a rest sends what is due at the next one.
    run(lambda: scene([4.0]))
    run(lambda: scene([1.0, 0.5, 2.0, 0.5]))
    assert [text for text in texts[0] if "@kline" not in text] == [text for text in texts[1] if "@kline" not in text]


def test_the_ledger_is_the_sum_of_what_was_sent():
    async def scene():
        async with listening("/stream?streams=ethusdt@trade/ethusdt@aggTrade", rate=300.0) as (simulator, client):
            simulator.step(70)
            await client.catch_up()
            trades, orders = client.frames()["ethusdt@trade"], client.frames()["ethusdt@aggTrade"]
            ledger = simulator.ledger("binance", "ETHUSDT")["binance"]["ETHUSDT"]
            prices = [Decimal(trade["p"]) for trade in trades]
            sizes = [Decimal(trade["q"]) for trade in trades]
            assert ledger["trades"] == len(trades)
            assert ledger["agg_trades"] == len(orders)
            assert Decimal(ledger["qty"]) == sum(sizes) == sum(Decimal(order["q"]) for order in orders)
            assert Decimal(ledger["notional"]) == sum(price * size for price, size in zip(prices, sizes, strict=True))
            assert (Decimal(ledger["first"]), Decimal(ledger["last"])) == (prices[0], prices[-1])
            assert (Decimal(ledger["min"]), Decimal(ledger["max"])) == (min(prices), max(prices))
            assert (ledger["first_id"], ledger["last_id"]) == (trades[0]["t"], trades[-1]["t"])
            assert (ledger["first_agg_id"], ledger["last_agg_id"]) == (orders[0]["a"], orders[-1]["a"])
            assert [(order["f"], order["l"]) for order in orders][-1][1] == trades[-1]["t"]
            assert ledger["frames"]["ethusdt@trade"] == {"published": len(trades), "sent": len(trades)}
            minutes = {}
            for trade in trades:
                minutes.setdefault(trade["T"] // 60_000 * 60_000, []).append(trade)
            assert [bar["start_ms"] for bar in ledger["bars_1m"]] == list(minutes)
            for bar, some in zip(ledger["bars_1m"], minutes.values(), strict=True):
                assert bar["trades"] == len(some)
                assert Decimal(bar["volume"]) == sum(Decimal(trade["q"]) for trade in some)
                assert Decimal(bar["close"]) == Decimal(some[-1]["p"])
                assert Decimal(bar["high"]) == max(Decimal(trade["p"]) for trade in some)

    run(scene)


@pytest.mark.parametrize(
    ("venue", "stream", "rest"), [("binance", "/stream", "/api/v3"), ("binance-usdm", "/public/stream", "/fapi/v1")]
)
def test_a_book_kept_by_the_venues_rules_equals_the_ledgers_and_the_quotes(venue, stream, rest):
    async def scene():
        async with exchange(venues=(venue,)) as (simulator, http):
            url = f"{simulator.stream_url}{stream}?streams=btcusdt@depth@100ms/btcusdt@bookTicker"
            async with Client(http, url) as client:
                simulator.step(0.33)
                _, snapshot = await get(http, f"{simulator.rest_url}{rest}/depth?symbol=BTCUSDT&limit=1000")
                simulator.step(5)
                await client.catch_up()
                events = client.frames()["btcusdt@depth@100ms"]
                quotes = client.frames()["btcusdt@bookTicker"]
            key = "pu" if "pu" in events[0] else "U"
            for before, after in pairwise(events):
                assert after[key] == before["u"] + (0 if key == "pu" else 1)
            sides = [dict(snapshot[side]) for side in ("bids", "asks")]
            for event in events:
                if event["u"] > snapshot["lastUpdateId"]:
                    for side, name in zip(sides, "ba", strict=True):
                        side.update(event[name])
            book = simulator.ledger(venue, "BTCUSDT")[venue]["BTCUSDT"]["book"]
            assert events[-1]["u"] == book["update_id"] == quotes[-1]["u"]
            for side, name, best in zip(sides, ("bids", "asks"), (max, min), strict=True):
                levels = sorted((Decimal(price), Decimal(size)) for price, size in side.items() if Decimal(size))
                levels = levels[::-1][:10] if best is max else levels[:10]
                assert levels == [(Decimal(price), Decimal(size)) for price, size in book[name]]
                quoted = quotes[-1]["b" if best is max else "a"]
                assert Decimal(quoted) == levels[0][0]

    run(scene)


def test_a_bar_is_sent_as_closed_once_and_whole():
    async def scene():
        async with listening("/ws/bnbusdt@kline_1m", rate=50.0) as (simulator, client):
            simulator.step(125)
            await client.catch_up()
            bars = [json.loads(text)["k"] for text in client.texts]
            closed = [bar for bar in bars if bar["x"]]
            ledger = simulator.ledger("binance", "BNBUSDT")["binance"]["BNBUSDT"]["bars_1m"]
            assert [(bar["t"], bar["n"]) for bar in closed] == [(bar["start_ms"], bar["trades"]) for bar in ledger[:2]]
            assert [float(bar["v"]) for bar in closed] == [float(bar["volume"]) for bar in ledger[:2]]

    run(scene)


@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 50), st.integers(1, 3)), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_the_earliest_trade_opens_a_bar_and_the_latest_closes_it_however_time_went(orders):
    tally = Tally()
    first_id = 0
    for number, (time_ms, ticks, count) in enumerate(orders):
        tally.add(time_ms, first_id, number, ticks, count, count * 7, bought=number % 2 == 0)
        first_id += count
    for start_ms in range(0, 240_000, 60_000):
        some = [order for order in orders if start_ms <= order[0] < start_ms + 60_000]
        bar = tally.bar(start_ms, 60_000)
        assert (bar is None) == (not some)
        if bar is None:
            continue
        by_time = sorted(some, key=lambda order: order[0])
        assert (bar.open, bar.close) == (by_time[0][1], by_time[-1][1])
        assert (bar.high, bar.low) == (max(order[1] for order in some), min(order[1] for order in some))
        assert bar.trades == sum(order[2] for order in some)
        assert bar.lots == 7 * bar.trades
        assert bar.notional == sum(order[1] * order[2] * 7 for order in some)
    whole = tally.bar(0, 240_000)
    assert whole.trades == tally.trades == first_id
    assert (whole.high, whole.low) == (tally.high, tally.low)
