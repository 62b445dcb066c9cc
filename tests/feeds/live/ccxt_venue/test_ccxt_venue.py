"""Any exchange of ccxt: what is told apart, what is marked, what is asked for anew."""

import asyncio
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.live.ccxt_venue.ccxt_exchange import FakeExchange, RefusedError, live, market, run, trade, turns
from tests.feeds.live.virtual_time import START_NS
from tickfloor.board.row import Field
from tickfloor.contracts.feeds import ConnectionState
from tickfloor.contracts.records import Kind, Quality, Side
from tickfloor.contracts.settings import VenueSettings, is_venue
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.ccxt_venue.adapter import CcxtAdapter
from tickfloor.feeds.live.ccxt_venue.errors import CcxtMissingError, NotRecordableError, UnknownExchangeError
from tickfloor.feeds.live.ccxt_venue.exchange import redirected
from tickfloor.feeds.live.ccxt_venue.feed import CcxtFeed
from tickfloor.feeds.live.ccxt_venue.markets import markets_of
from tickfloor.feeds.live.ccxt_venue.trades import CONVINCED, MOST_ID
from tickfloor.feeds.live.choosing.universe import UnknownChannelsError, UnknownSymbolsError
from tickfloor.feeds.live.connecting.lines import UnknownConnectionError
from tickfloor.feeds.live.route_out import SocksProxyError
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import NoRepairs

SYMBOL = "A/USDT"


class Adapted:
    """An adapter alone, over a tape in memory."""

    def __init__(self, capacity=10) -> None:
        self.tape = FakeTape()
        self.publisher = MarketPublisher(self.tape, FakeBoard(capacity=capacity), catalogue(), "ccxt-fake")
        self.adapter = CcxtAdapter("ccxt-fake", self.publisher, joins=TradeJoins(NoRepairs(), hold_ns=0))

    def take(self, *trades) -> None:
        self.adapter.trades(START_NS, SYMBOL, trades)
        self.publisher.flush()

    @property
    def writer(self):
        return self.publisher.known(SYMBOL)

    def ids(self) -> list[int]:
        return [int(record.c) for record in self.tape.records if record.kind == Kind.TRADE]

    def prices(self) -> list[float]:
        return [record.a for record in self.tape.records if record.kind == Kind.TRADE]


# Trades, told apart by their ids


def test_ids_that_are_no_numbers_are_replaced_by_our_own_and_known_trades_are_left_out():
    adapted = Adapted()
    adapted.take(trade("x", ms=1), trade("y", ms=2))
    adapted.take(trade("y", ms=2), trade("z", ms=3))
    assert adapted.ids() == [1, 2, 3]
    assert adapted.writer.quality is Quality.LIVE
    assert adapted.adapter.left_out() == {"duplicate trades (ccxt-fake)": 1}


def test_numbers_that_do_not_follow_each_other_are_no_gaps_and_keep_their_ids():
    adapted = Adapted()
    adapted.take(*(trade(str(number), ms=number) for number in (5, 9, 12, 40)))
    assert adapted.ids() == [5, 9, 12, 40]
    assert (adapted.writer.quality, adapted.writer.id_gaps) == (Quality.LIVE, 0)


def test_an_overtaken_number_does_not_set_the_newest_one_back():
    adapted = Adapted()
    for number in ("5", "9", "7"):
        adapted.take(trade(number))
    assert adapted.ids() == [5, 9, 7]
    assert adapted.writer.row[Field.TRADE_ID] == 9


def test_a_hole_in_numbers_that_have_followed_each_other_is_a_gap_until_they_do_again():
    adapted = Adapted()
    adapted.take(*(trade(str(number)) for number in range(CONVINCED + 1)))
    adapted.take(trade(str(CONVINCED + 3)))
    assert (adapted.writer.quality, adapted.writer.missed_trades) == (Quality.GAP, 2)
    adapted.take(trade(str(CONVINCED + 4)))
    assert adapted.writer.quality is Quality.LIVE


def test_a_trade_that_later_ones_have_overtaken_is_published_once():
    adapted = Adapted()
    adapted.take(*(trade(str(number)) for number in range(CONVINCED + 1)))
    adapted.take(trade(str(CONVINCED + 2)))
    adapted.take(trade(str(CONVINCED + 1)), trade(str(CONVINCED + 2)))
    assert sorted(adapted.ids()) == list(range(CONVINCED + 3))


def test_trades_without_ids_are_told_apart_by_what_they_say_and_alike_ones_of_one_moment_all_count():
    adapted = Adapted()
    twins = (trade(None, ms=1), trade(None, ms=1), trade(None, ms=2))
    adapted.take(*twins)
    adapted.take(*twins)
    assert len(adapted.ids()) == 3


def test_a_number_that_the_tape_cannot_hold_exactly_is_no_number():
    adapted = Adapted()
    adapted.take(trade(str(MOST_ID + 1), ms=1), trade(str(MOST_ID + 3), ms=2))
    assert adapted.ids() == [1, 2]


def test_trades_that_come_newest_first_are_published_oldest_first():
    adapted = Adapted()
    adapted.take(trade("9", ms=1, price=3.0), trade("8", ms=1, price=2.0), trade("7", ms=0, price=1.0))
    adapted.take(trade("b", ms=5, price=5.0), trade("a", ms=4, price=4.0))
    assert adapted.prices() == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_what_a_predecessor_has_published_is_left_out():
    before = Adapted()
    before.take(trade("p", ms=1), trade("q", ms=2))
    after = Adapted()
    writer = after.publisher.open(SYMBOL)
    writer.restore(before.writer.row, before.writer.forming)
    after.take(trade("p", ms=1), trade("q", ms=2), trade("r", ms=3))
    assert after.ids() == [3]
    assert after.adapter.left_out() == {"trades from before a restart (ccxt-fake)": 2}


@given(
    names=st.one_of(
        st.just([f"t{number}" for number in range(40)]),
        st.just([str(number) for number in range(40)]),
        st.lists(st.integers(0, 10**12), min_size=1, max_size=40, unique=True).map(
            lambda ids: [*map(str, sorted(ids))]
        ),
    ),
    cuts=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40)), max_size=12),
)
def test_however_trades_are_repeated_each_is_published_once(names, cuts):
    adapted = Adapted()
    trades = [trade(name, ms=number) for number, name in enumerate(names)]
    for begin, length in [*cuts, (0, len(trades))]:
        adapted.take(*trades[begin : begin + length])
    assert len(adapted.ids()) == len(trades) == int(adapted.writer.row[Field.TRADES])


# What exchanges say


def test_side_price_and_quantity_of_a_trade_are_published_at_the_venues_time():
    adapted = Adapted()
    adapted.take(trade("1", ms=7, price=2.5, qty=0.5, side="sell"))
    [record] = [each for each in adapted.tape.records if each.kind == Kind.TRADE]
    assert (record.a, record.b, record.code) == (2.5, 0.5, Side.SELL)
    assert record.ts_event == START_NS + 7_000_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"timestamp": None}, {"timestamp": "now"}, {"timestamp": 1 << 60}, {"price": None}, {"price": "x"},
        {"price": -1.0}, {"amount": 0}, {"amount": math.inf}, {"amount": math.nan},
    ],
)  # fmt: skip
def test_a_trade_that_cannot_be_is_counted_and_those_beside_it_are_published(wrong):
    adapted = Adapted()
    adapted.take(trade("1"), trade("2") | wrong, trade("3"))
    assert adapted.ids() == [1, 3]
    assert adapted.adapter.malformed == 1
    assert adapted.adapter.newest_problem


def test_best_prices_are_published_when_they_change():
    adapted = Adapted()
    ticker = {"bid": 1.0, "bidVolume": None, "ask": 2.0, "askVolume": 3.0}
    for said in (ticker, dict(ticker), ticker | {"ask": 2.5}, {"bid": None, "ask": None}):
        adapted.adapter.quote(START_NS, SYMBOL, said)
    quotes = [record for record in adapted.tape.records if record.kind == Kind.QUOTE]
    assert [(each.a, each.c) for each in quotes] == [(1.0, 2.0), (1.0, 2.5)]
    assert math.isnan(quotes[0].b)


def test_statistics_that_an_exchange_lacks_are_unknown():
    adapted = Adapted()
    adapted.adapter.statistics(START_NS, SYMBOL, {"high": 3.0, "low": 1.0, "baseVolume": 5.0})
    row = adapted.writer.row
    assert (row[Field.OPEN_24H + 1], row[Field.VOLUME_24H]) == (3.0, 5.0)
    assert math.isnan(row[Field.OPEN_24H])


def test_orders_at_one_price_are_one_level_of_the_book():
    adapted = Adapted()
    book = {"bids": [[2.0, 1.0, "id1"], [2.0, 0.5, "id2"], [1.0, 1.0]], "asks": [[3.0, 1.0]], "nonce": 7}
    adapted.adapter.book(START_NS, SYMBOL, book)
    adapted.publisher.flush()
    assert adapted.publisher.board.books[0] == (7, [(2.0, 1.5), (1.0, 1.0)], [(3.0, 1.0)])


def test_a_book_that_cannot_be_leaves_the_one_before():
    adapted = Adapted()
    adapted.adapter.book(START_NS, SYMBOL, {"bids": [[2.0, 1.0]], "asks": [[3.0, 1.0]]})
    adapted.adapter.book(START_NS, SYMBOL, {"bids": [[None, 1.0]], "asks": []})
    adapted.publisher.flush()
    assert adapted.publisher.board.books[0] == (1, [(2.0, 1.0)], [(3.0, 1.0)])
    assert adapted.adapter.malformed == 1


def test_an_instrument_without_a_row_is_refused_and_what_came_for_it_counted():
    adapted = Adapted(capacity=0)
    adapted.take(trade("1"))
    adapted.take(trade("2"))
    assert adapted.adapter.refused() == (SYMBOL,)
    assert adapted.adapter.left_out() == {"items of instruments without a board row (ccxt-fake)": 2}


@pytest.mark.parametrize(
    ("mode", "precision", "metadata"),
    [
        (4, {"price": 0.01, "amount": 0.5}, (2, 1, 0.01, 0.5)),
        (2, {"price": 2, "amount": 0}, (2, 0, 0.01, 1.0)),
        (3, {"price": 5, "amount": 5}, None),
        (4, {"price": None, "amount": 1}, None),
    ],
)
def test_metadata_is_read_by_what_the_exchange_means_with_precision(mode, precision, metadata):
    [found] = markets_of([market(SYMBOL, precision=precision)], mode).values()
    assert found.metadata == metadata


def test_addresses_are_replaced_and_their_paths_kept():
    urls = {"ws": {"spot": "wss://a.example:9443/ws"}, "public": "https://b.example/api/v3", "n": None}
    to = redirected(urls, "ws://127.0.0.1:1/x", "http://127.0.0.1:2/x/")
    assert to == {
        "ws": {"spot": "ws://127.0.0.1:1/x/ws"}, "public": "http://127.0.0.1:2/x/api/v3", "n": None,
    }  # fmt: skip
    assert redirected(urls, "", "") == urls


# The feed


def test_instruments_are_chosen_by_pattern_quote_and_volume_and_described():
    async def scene(loop):
        exchange = FakeExchange(("A/USDT", "B/USDT", "C/USDT", "A/EUR", "X/USDT"))
        exchange.markets["X/USDT"]["active"] = False
        exchange.volumes = {"A/USDT": 1.0, "B/USDT": 3.0, "C/USDT": 2.0, "A/EUR": 9.0}
        async with live(loop, exchange, quotes=("USDT",), top=2) as floor:
            assert exchange.asked == [("watch_trades_for_symbols", ["B/USDT", "C/USDT"])]
            exchange.say_trades("B/USDT", trade("1"))
            await turns()
            assert floor.publisher.known("B/USDT").row[Field.TICK_SIZE] == 0.01

    run(scene)


def test_markets_of_two_kinds_are_never_asked_for_together():
    async def scene(loop):
        exchange = FakeExchange(("A/USDT", "B/USDT"))
        exchange.markets["A/USDT:USDT"] = market("A/USDT:USDT", quote="USDT", type="swap", linear=True)
        async with live(loop, exchange):
            assert exchange.asked == [
                ("watch_trades_for_symbols", ["A/USDT", "B/USDT"]),
                ("watch_trades_for_symbols", ["A/USDT:USDT"]),
            ]

    run(scene)


def test_where_an_exchange_takes_one_instrument_at_a_time_each_is_waited_for_alone():
    async def scene(loop):
        exchange = FakeExchange(has={"watchTrades": True, "watchTicker": True, "watchOrderBook": True})
        async with live(loop, exchange, streams=("trades", "quotes", "tickers", "book")) as floor:
            assert sorted(exchange.asked) == sorted(
                (method, symbol)
                for method in ("watch_trades", "watch_ticker", "watch_order_book")
                for symbol in ("A/USDT", "B/USDT")
            )
            exchange.say_ticker("A/USDT", bid=1.0, ask=2.0, high=5.0)
            await turns()
            row = floor.publisher.known("A/USDT").row
            assert (row[Field.BID], row[Field.ASK], row[Field.OPEN_24H + 1]) == (1.0, 2.0, 5.0)

    run(scene)


def test_what_came_for_another_instrument_in_the_same_moment_is_not_left_until_its_next_message():
    async def scene(loop):
        async with live(loop, streams=("trades", "quotes", "book")) as floor:
            for symbol in ("A/USDT", "B/USDT"):
                floor.exchange.say_trades(symbol, trade("1"), trade("2"))
                floor.exchange.say_quote(symbol, 1.0, 2.0)
                floor.exchange.say_book(symbol, [[1.0, 1.0]], [[2.0, 1.0]], nonce=5)
            await turns()
            for symbol in ("A/USDT", "B/USDT"):
                assert floor.trade_ids(symbol) == [1, 2]
                kinds = [record.kind for record in floor.of(symbol)]
                assert (kinds.count(Kind.QUOTE), kinds.count(Kind.BOOK)) == (1, 1)

    run(scene)


def test_a_book_that_waits_for_its_snapshot_is_not_published():
    async def scene(loop):
        async with live(loop, streams=("book",)) as floor:
            floor.exchange.say_book("A/USDT", [], [])
            await turns()
            assert floor.publisher.known("A/USDT") is None

    run(scene)


def test_lost_streams_make_instruments_stale_until_they_speak_again_and_repetitions_are_left_out():
    async def scene(loop):
        async with live(loop) as floor:
            exchange = floor.exchange
            exchange.say_trades("A/USDT", trade("1"), trade("2"))
            await turns()
            assert floor.quality("A/USDT") is Quality.LIVE
            exchange.lose(OSError("the network is gone"))
            await turns()
            assert floor.quality("A/USDT") is Quality.STALE
            [report] = floor.feed.report().connections
            assert (report.state, report.reason) == (ConnectionState.WAITING, "OSError: the network is gone")
            await asyncio.sleep(1.0)
            exchange.trades.clear()
            exchange.say_trades("A/USDT", trade("1"), trade("2"), trade("3"))
            await turns()
            assert floor.quality("A/USDT") is Quality.LIVE
            assert floor.trade_ids("A/USDT") == [1, 2, 3]

    run(scene)


def test_while_an_exchange_is_down_it_is_asked_ever_more_rarely():
    async def scene(loop):
        exchange = FakeExchange()
        async with live(loop, exchange) as floor:
            exchange.down = OSError("refused")
            exchange.lose(OSError("gone"))
            await asyncio.sleep(600.0)
            [report] = floor.feed.report().connections
            assert 20 < report.attempts < 100
            exchange.down = None
            await asyncio.sleep(31.0)
            exchange.say_trades("A/USDT", trade("1"))
            await turns()
            assert floor.feed.report().connections[0].attempts == 0

    run(scene)


def test_what_an_exchange_never_gives_is_asked_once_and_told():
    async def scene(loop):
        exchange = FakeExchange()
        exchange.down = {"watch_bids_asks": RefusedError("needs a key")}
        async with live(loop, exchange, streams=("trades", "quotes")) as floor:
            await asyncio.sleep(30.0)
            assert floor.feed.problems() == ("quotes-1 refused: RefusedError: needs a key",)
            refused = {each.name: each.refused for each in floor.feed.report().connections}
            assert refused["quotes-1"] == dict.fromkeys(("quotes A/USDT", "quotes B/USDT"), "RefusedError: needs a key")
            assert refused["trades-1"] == {}

    run(scene)


def test_quotes_that_all_stand_still_make_connections_new_and_ever_more_rarely():
    async def scene(loop):
        async with live(loop, streams=("quotes",)) as floor:
            floor.exchange.say_quote("A/USDT", 1.0, 2.0)
            await asyncio.sleep(70.0)
            said = [fields["reason"] for _, event, fields in floor.log if event == "connections dropped"]
            assert said == ["quotes-1 said nothing for 60 s"]
            assert floor.quality("A/USDT") is Quality.STALE
            floor.exchange.say_quote("A/USDT", 1.0, 3.0)
            await turns()
            assert floor.quality("A/USDT") is Quality.LIVE
            await asyncio.sleep(1800.0)
            dropped = [fields for _, event, fields in floor.log if event == "connections dropped"]
            assert 3 <= len(dropped) <= 6

    run(scene)


def test_a_trade_that_only_rest_knows_makes_connections_new():
    async def scene(loop):
        async with live(loop) as floor:
            exchange = floor.exchange
            exchange.say_trades("A/USDT", trade("1"))
            exchange.say_trades("B/USDT", trade("1"))
            exchange.rest_trades = {"A/USDT": [trade("1")], "B/USDT": [trade("1"), trade("2", ms=30_000)]}
            await asyncio.sleep(90.0)
            said = [fields["reason"] for _, event, fields in floor.log if event == "connections dropped"]
            assert said == ["trades-1 has not said a trade of B/USDT that was made"]

    run(scene)


def test_trades_that_never_come_disturb_the_other_streams_ever_more_rarely():
    async def scene(loop):
        async with live(loop) as floor:
            floor.exchange.rest_trades = {"B/USDT": [trade("2", ms=80_000_000)]}
            await asyncio.sleep(1800.0)
            dropped = [event for _, event, _ in floor.log if event == "connections dropped"]
            assert 3 <= len(dropped) <= 5

    run(scene)


def test_instruments_that_do_not_trade_keep_their_connections():
    async def scene(loop):
        async with live(loop) as floor:
            floor.exchange.say_trades("A/USDT", trade("1", ms=2_000))
            floor.exchange.rest_trades = {"A/USDT": [trade("1", ms=2_000)], "B/USDT": [trade("8", ms=-60_000)]}
            await asyncio.sleep(900.0)
            assert not [event for _, event, _ in floor.log if event == "connections dropped"]
            assert floor.quality("A/USDT") is Quality.LIVE

    run(scene)


def test_reconnecting_makes_all_connections_new_and_names_what_they_carry():
    async def scene(loop):
        async with live(loop, streams=("trades", "quotes")) as floor:
            client = floor.exchange.clients["wss://fake"]
            assert floor.feed.reconnect("quotes-1") == ("trades-1", "quotes-1")
            await asyncio.sleep(1.0)
            assert client.error is not None
            assert floor.exchange.clients["wss://fake"] is not client
            with pytest.raises(UnknownConnectionError, match="there are trades-1, quotes-1"):
                floor.feed.reconnect("ws1")

    run(scene)


def test_instruments_listed_and_delisted_meanwhile_are_asked_for_anew():
    async def scene(loop):
        async with live(loop, changes={"refresh_seconds": 100.0}) as floor:
            exchange = floor.exchange
            exchange.say_trades("A/USDT", trade("1"))
            await asyncio.sleep(150.0)
            # Nothing has changed: nobody was disturbed.
            assert len(exchange.asked) == 2
            del exchange.markets["B/USDT"]
            exchange.markets["C/USDT"] = market("C/USDT")
            await asyncio.sleep(100.0)
            assert exchange.asked[-1] == ("watch_trades_for_symbols", ["A/USDT", "C/USDT"])
            exchange.say_trades("A/USDT", trade("2"))
            await turns()
            assert floor.trade_ids("A/USDT") == [1, 2]
            assert floor.feed.frames == 2

    run(scene)


def test_a_change_of_rank_is_no_reason_to_ask_anew():
    async def scene(loop):
        exchange = FakeExchange()
        exchange.volumes = {"A/USDT": 2.0, "B/USDT": 1.0}
        async with live(loop, exchange, top=1, changes={"refresh_seconds": 100.0}):
            exchange.volumes = {"A/USDT": 1.0, "B/USDT": 2.0}
            await asyncio.sleep(150.0)
            assert exchange.asked == [("watch_trades_for_symbols", ["A/USDT"])]

    run(scene)


def test_an_exchange_that_does_not_answer_is_asked_again():
    async def scene(loop):
        exchange = FakeExchange()
        exchange.unanswered = 3
        async with live(loop, exchange) as floor:
            await asyncio.sleep(5.0)
            assert exchange.asked
            assert [event for _, event, _ in floor.log].count("the venue has not said what it trades") == 3

    run(scene)


@pytest.mark.parametrize(
    ("settings", "error"),
    [({"symbols": ("Z/*",)}, UnknownSymbolsError), ({"streams": ("bars",)}, UnknownChannelsError)],
)
def test_what_an_exchange_has_nothing_of_ends_the_feed_with_its_reason(settings, error):
    async def scene(loop):
        async with live(loop, **settings) as floor:
            await asyncio.wait({floor.task})
            assert isinstance(floor.task.exception(), error)

    run(scene)


def test_the_report_says_that_the_route_is_slower_and_closing_closes_the_exchange():
    async def scene(loop):
        async with live(loop) as floor:
            floor.exchange.say_trades("A/USDT", trade("1"))
            await turns()
            report = floor.feed.report()
            assert [each.route for each in report.connections] == ["ccxt, slower"]
            assert (report.venue, report.instruments["live"], floor.feed.frames) == ("ccxt-fake", 1, 1)
            assert floor.feed.adapter.figures()["ccxt-fake:A/USDT"]["trades"] == 1
        assert floor.exchange.closed
        assert floor.task.exception() is None

    run(scene)


def dropped():
    raise OSError("the connection was dropped")


@pytest.mark.parametrize("made_of_it", [dropped, list])
def test_a_feed_ends_though_what_it_calls_makes_an_error_or_an_answer_of_its_cancellation(made_of_it):
    async def scene(loop):
        async with live(loop) as floor:
            floor.exchange.makes_of_cancellation = made_of_it
            await floor.feed.close()
            await turns()
            assert floor.task.done()

    run(scene)


# Before there is a feed


def feed_of(venue, record=None, **settings):
    return CcxtFeed.of(
        VenueSettings(venue=venue, **settings),
        publisher=None,
        audit=None,
        clock=None,
        record=record,
        on_flush=None,
        log=None,
    )


def test_an_exchange_that_ccxt_has_not_is_refused_with_what_comes_near():
    with pytest.raises(UnknownExchangeError, match=r"no exchange 'bybitt'.*near it are .*bybit"):
        feed_of("ccxt-bybitt")


def test_without_ccxt_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ccxt.pro", None)
    with pytest.raises(CcxtMissingError, match=r"pip install tickfloor\[ccxt\]"):
        feed_of("ccxt-okx")


def test_an_exchange_of_ccxt_is_not_recorded(tmp_path):
    with pytest.raises(NotRecordableError, match="ccxt-okx cannot be recorded"):
        feed_of("ccxt-okx", tmp_path)


def test_an_exchange_of_ccxt_has_no_socks_proxy():
    with pytest.raises(SocksProxyError, match=r"ccxt-okx: .*use an HTTP one"):
        feed_of("ccxt-okx", proxy="socks5://mine:1080")


def test_ccxt_is_imported_only_when_an_exchange_of_it_is_wanted():
    look = "import sys, tickfloor.feeds.live.ccxt_venue.feed; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(("name", "known"), [("kraken", True), ("ccxt-okx", True), ("ccxt-", False), ("okx", False)])
def test_a_venue_of_ccxt_is_known_by_what_stands_before_its_name(name, known):
    assert is_venue(name) is known
