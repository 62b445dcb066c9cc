"""Trades, tickers, answers, metadata and REST bodies of Kraken, and what is wrong with some."""

import json
import math
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.venues.kraken_feed import (
    CAPTURES,
    START_NS,
    KrakenFeed,
    answer,
    channel,
    lines,
    rfc3339,
    ticker,
    trade,
    trades,
)
from tickfloor.board.row import Field
from tickfloor.contracts.records import Kind, Quality, Side
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Acked, Channel, Refused, StreamKey, TooManyMessages

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
TRADES = StreamKey(Channel.TRADES, "BTC/USD")


class Asked:
    """Repairs that note what they are asked for."""

    def __init__(self) -> None:
        self.ranges: list[tuple[str, int, int]] = []

    def trades(self, symbol, missing) -> None:
        self.ranges.append((symbol, missing.first_id, missing.last_id))

    def book(self, symbol) -> None:
        raise AssertionError("a book of Kraken is asked for by Resubscribe")


def ids(feed) -> list[int]:
    return [int(record.c) for record in feed.of(Kind.TRADE)]


def rows(feed, field) -> list[float]:
    return [row[field] for row in feed.board.rows.values()]


# Trades


def test_several_trades_of_a_frame_are_published_in_order_with_their_exact_times():
    feed = KrakenFeed(audit=True)
    first, second = START_NS + 123_456_000, START_NS + 123_457_000
    feed.send(
        START_NS + SECOND,
        trades(trade(7, first, "29430.10", "0.50000000"), trade(8, second, "29430.2", "1", side="sell")),
    )
    found = feed.of(Kind.TRADE)
    assert [(r.ts_event, r.a, r.b, r.code, r.c, r.d) for r in found] == [
        (first, 29430.1, 0.5, Side.BUY, 7, 1),
        (second, 29430.2, 1.0, Side.SELL, 8, 1),
    ]
    figures = feed.adapter.figures()["kraken:BTC/USD"]
    assert (figures["trades"], figures["qty"], figures["notional"]) == (2, "1.5", "44145.25")
    assert feed.adapter.heard == {TRADES: START_NS + SECOND}


def test_trades_of_several_markets_may_share_a_frame():
    feed = KrakenFeed()
    feed.send(START_NS, trades(trade(1, START_NS, "1.5", "1"), trade(9, START_NS, "2.5", "1", symbol="ETH/USD")))
    assert [each.symbol for each in feed.board.instruments.values()] == ["BTC/USD", "ETH/USD"]
    assert ids(feed) == [1, 9]


@pytest.mark.parametrize("wrong", [
    trade(9, START_NS, "0", "1"), trade(9, START_NS, "-1", "1"), trade(9, START_NS, "1e400", "1"),
    trade(9, START_NS, "1", "0"), trade(9, START_NS, '"1"', "1"), trade(9, START_NS, "1", "1", side="maker"),
    trade(-1, START_NS, "1", "1"), trade(9, START_NS, "1", "1", symbol="BTCUSD"),
    trade(9, START_NS + 2 * 3600 * SECOND, "1", "1"), trade(9, START_NS - 2 * DAY, "1", "1"),
    trade(9, START_NS, "1", "1").replace("Z", ""), trade(9_000_000_000, START_NS, "1", "1"), "null", "[]", "{}",
])  # fmt: skip
def test_of_a_frame_with_a_wrong_trade_nothing_is_applied(wrong):
    feed = KrakenFeed(audit=True)
    feed.send(START_NS, trades(trade(7, START_NS, "1.5", "1")))
    before = (feed.tape.sequence, feed.adapter.figures(), dict(feed.adapter.heard))
    with pytest.raises(FrameError):
        feed.send(START_NS + 1, trades(trade(8, START_NS, "1.6", "1"), wrong))
    assert (feed.tape.sequence, feed.adapter.figures(), dict(feed.adapter.heard)) == before
    feed.send(START_NS + 2, trades(trade(8, START_NS, "1.6", "1")))
    assert ids(feed) == [7, 8]
    assert feed.qualities() == [Quality.LIVE]


def test_a_first_trade_that_cannot_be_opens_no_instrument():
    feed = KrakenFeed()
    feed.send(START_NS, ticker("ETH/USD", timestamp=rfc3339(START_NS)))
    for ns in (START_NS - 2 * DAY, START_NS + 3600 * SECOND):
        with pytest.raises(FrameError):
            feed.send(START_NS, trades(trade(1, ns, "1.5", "1")))
    assert [each.symbol for each in feed.board.instruments.values()] == ["ETH/USD"]
    assert TRADES not in feed.adapter.heard


def test_a_hole_in_a_replay_is_a_gap_and_a_snapshot_fills_it():
    feed = KrakenFeed(audit=True)
    for number in (1, 2, 6):
        feed.send(START_NS, trades(trade(number, START_NS + number * 1000, "2.0", "1")))
    assert feed.qualities() == [Quality.LIVE, Quality.GAP]
    past = [trade(number, START_NS + number * 1000, "2.0", "1") for number in range(2, 7)]
    feed.send(START_NS + SECOND, trades(*past, kind="snapshot"))
    feed.send(START_NS + SECOND, trades(trade(7, START_NS + SECOND, "2.0", "1")))
    assert sorted(ids(feed)) == [1, 2, 3, 4, 5, 6, 7]
    figures = feed.adapter.figures()["kraken:BTC/USD"]
    assert (figures["trades"], figures["qty"]) == (7, "7")


def test_a_hole_live_is_asked_for_and_the_snapshot_of_a_new_subscription_fills_it_in_order():
    asked = Asked()
    feed = KrakenFeed(audit=True, hold_ns=5 * SECOND, repairs=asked)
    for number in (1, 2, 6):
        feed.send(START_NS, trades(trade(number, START_NS + number * 1000, "2.0", "1")))
    feed.joins.tick(START_NS + SECOND)
    assert asked.ranges == [("BTC/USD", 3, 5)]
    assert ids(feed) == [1, 2]
    past = [trade(number, START_NS + number * 1000, "2.0", "1") for number in range(2, 7)]
    feed.send(START_NS + 2 * SECOND, trades(*past, kind="snapshot"))
    assert ids(feed) == [1, 2, 3, 4, 5, 6]
    assert feed.qualities()[-1] is Quality.LIVE
    assert feed.joins.behind("BTC/USD") == 0
    assert feed.adapter.figures()["kraken:BTC/USD"]["trades"] == 6


def test_a_snapshot_of_a_market_that_is_seldom_traded_may_reach_back_for_days():
    feed = KrakenFeed()
    old = [trade(number, START_NS - (5 - number) * DAY, "2.0", "1") for number in range(1, 5)]
    past = trades(*old, trade(5, START_NS - SECOND, "2.0", "1"), kind="snapshot")
    feed.send(START_NS, past)
    assert feed.adapter.heard == {TRADES: START_NS}
    feed.send(START_NS + SECOND, trades(trade(6, START_NS, "2.0", "1")))
    feed.send(START_NS + SECOND, past)
    assert ids(feed) == [6]
    assert feed.adapter.left_out() == {"trades before the first (kraken)": 5}


def test_ids_that_a_snapshot_or_a_rest_answer_leaves_out_do_not_exist():
    asked = Asked()
    feed = KrakenFeed(hold_ns=5 * SECOND, repairs=asked)
    for number in (1, 2, 6):
        feed.send(START_NS, trades(trade(number, START_NS + number * 1000, "2.0", "1")))
    feed.joins.tick(START_NS + SECOND)
    past = [trade(number, START_NS + number * 1000, "2.0", "1") for number in (2, 3, 5, 6)]
    feed.send(START_NS + 2 * SECOND, trades(*past, kind="snapshot"))
    assert ids(feed) == [1, 2, 3, 5, 6]
    assert feed.qualities()[-1] is Quality.LIVE
    feed.joins.tick(START_NS + 600 * SECOND)
    assert asked.ranges == [("BTC/USD", 3, 5)]


def test_only_rest_trades_are_evidence_that_a_stream_is_silent():
    feed = KrakenFeed(hold_ns=5 * SECOND, repairs=Asked())
    feed.send(START_NS, trades(trade(1, START_NS, "2.0", "1")))
    feed.send(START_NS, trades(trade(1, START_NS, "2.0", "1"), trade(2, START_NS, "2.0", "1"), kind="snapshot"))
    assert feed.joins.behind("BTC/USD") == 0
    newest = body({"XXBTZUSD": [["2.0", "1", START_NS / 1e9 + 1.5, "b", "m", "", 4]], "last": "1"})
    feed.adapter.on_http(START_NS + 2 * SECOND, "/0/public/Trades?pair=XBTUSD&count=1", newest)
    assert feed.joins.behind("BTC/USD") == 2


def test_trades_that_two_connections_bring_are_published_once():
    feed = KrakenFeed(audit=True)
    for number in range(10):
        for by in ("old", "new"):
            feed.send(START_NS + number, trades(trade(number, START_NS + number * 1000, "2.0", "1")), by=by)
    assert ids(feed) == list(range(10))
    assert feed.adapter.left_out() == {"duplicate trades (kraken)": 10}
    assert feed.adapter.figures()["kraken:BTC/USD"]["trades"] == 10


# Tickers


def test_a_ticker_is_a_quote_and_statistics():
    feed = KrakenFeed()
    feed.send(START_NS, ticker(timestamp=rfc3339(START_NS - 1000)))
    [quote] = feed.of(Kind.QUOTE)
    assert (quote.ts_event, quote.a, quote.b, quote.c, quote.d) == (START_NS - 1000, 40.5, 1.5, 41.0, 2.5)
    row = feed.board.rows[0]
    assert row[Field.OPEN_24H : Field.CHANGE_24H + 1] == [40.0, 42.0, 39.0, 2.5]
    assert row[Field.VOLUME_24H : Field.TRADES_24H] == [1000.0, 40250.0]
    assert math.isnan(row[Field.TRADES_24H])


def test_statistics_that_have_not_moved_are_not_repeated():
    feed = KrakenFeed()
    feed.send(START_NS, ticker(), ticker(bid=40.6), ticker(bid=40.7))
    assert (len(feed.of(Kind.QUOTE)), len(feed.of(Kind.STATS))) == (3, 2)
    feed.send(START_NS, ticker(volume=1001))
    assert len(feed.of(Kind.STATS)) == 4


def test_a_side_without_orders_is_empty_and_a_market_without_trades_has_no_statistics():
    feed = KrakenFeed()
    feed.send(START_NS, ticker(ask=None, ask_qty=None, last=None), ticker("ETH/USD", bid=0, bid_qty=0))
    first, second = feed.of(Kind.QUOTE)
    assert (first.a, math.isnan(first.c), math.isnan(first.d)) == (40.5, True, True)
    assert (math.isnan(second.a), math.isnan(second.b), second.c) == (True, True, 41.0)
    assert {record.instrument for record in feed.of(Kind.STATS)} == {1}


def test_a_ticker_that_another_connection_has_overtaken_is_left_out():
    feed = KrakenFeed()
    feed.send(START_NS, ticker(bid=40.7, timestamp=rfc3339(START_NS)), by="new")
    feed.send(START_NS, ticker(bid=40.6, timestamp=rfc3339(START_NS - 1000)), by="old")
    assert rows(feed, Field.BID) == [40.7]
    assert feed.adapter.left_out() == {"outdated best prices (kraken)": 1}


def test_what_triggers_a_ticker_says_whose_stream_it_is():
    feed = KrakenFeed()
    result = {"channel": "ticker", "symbol": "BTC/USD", "snapshot": True}
    feed.send(START_NS, answer(success=True, result=result | {"event_trigger": "bbo"}), by="quotes")
    feed.send(START_NS + 1, ticker(), by="quotes")
    assert feed.adapter.heard == {StreamKey(Channel.QUOTES, "BTC/USD"): START_NS + 1}
    feed.send(START_NS, answer(success=True, result=result, req_id=8 * 5 + list(Channel).index("tickers")), by="market")
    feed.send(START_NS + 2, ticker(), by="market")
    assert feed.adapter.heard[StreamKey(Channel.TICKERS, "BTC/USD")] == START_NS + 2
    assert feed.adapter.heard[StreamKey(Channel.QUOTES, "BTC/USD")] == START_NS + 1


# Bars and metadata


def candle(**more) -> dict:
    return {
        "symbol": "BTC/USD", "interval": 1, "interval_begin": "2023-10-04T16:25:00.000000000Z", "open": 2.5, "high": 3,
        "low": 2, "close": 2.75, "volume": 30.5, "vwap": 2.6, "trades": 12, **more,
    }  # fmt: skip


def test_the_venue_s_own_bars_are_kept_as_last_seen():
    feed = KrakenFeed()
    feed.send(START_NS, channel("ohlc", "update", json.dumps(candle()), json.dumps(candle(interval=5))))
    feed.send(START_NS + 1, channel("ohlc", "update", json.dumps(candle(close=2.5))))
    assert {key: bar.close for key, bar in feed.adapter.candles().items()} == {
        ("BTC/USD", 1): 2.5,
        ("BTC/USD", 5): 2.75,
    }
    assert feed.adapter.heard == {StreamKey(Channel.BARS, "BTC/USD"): START_NS + 1}
    assert feed.tape.sequence == 0


def test_the_instrument_channel_describes_markets_before_and_after_they_are_opened():
    feed = KrakenFeed()
    pair = {"symbol": "BTC/USD", "price_precision": 1, "qty_precision": 8, "price_increment": 0.1,
            "qty_increment": 0.00000001, "base": "BTC", "status": "online"}  # fmt: skip
    other = pair | {"symbol": "ETH/USD", "price_precision": 2, "price_increment": 0.01}
    feed.send(START_NS, ticker("ETH/USD"))
    data = json.dumps({"assets": [{"id": "BTC"}], "pairs": [pair, other, {"symbol": "X/Y"}]})
    feed.send(START_NS, f'{{"channel":"instrument","type":"snapshot","data":{data}}}'.encode())
    feed.send(START_NS, ticker("BTC/USD"))
    fields = (Field.PRICE_DECIMALS, Field.QTY_DECIMALS, Field.TICK_SIZE, Field.LOT_SIZE)
    assert [[row[field] for field in fields] for row in feed.board.rows.values()] == [
        [2, 8, 0.01, 1e-8], [1, 8, 0.1, 1e-8],
    ]  # fmt: skip


# What is no data


@pytest.mark.parametrize(("payload", "control"), [
    (answer(success=True, req_id=40, result={"channel": "trade", "symbol": "BTC/USD", "snapshot": True}),
     Acked(5, (TRADES,))),
    (answer("unsubscribe", success=True, req_id=40, result={"channel": "trade", "symbol": "BTC/USD"}),
     Acked(5, (TRADES,))),
    (answer(success=False, req_id=42, error="Currency pair not supported XBT/USD"),
     Refused(5, (StreamKey(Channel.BOOK, "XBT/USD"),), "Currency pair not supported XBT/USD")),
    (answer(success=False, req_id=42, error="Subscription depth not supported", symbol="BTC/USD"),
     Refused(5, (StreamKey(Channel.BOOK, "BTC/USD"),), "Subscription depth not supported")),
    (answer(success=False, req_id=42, error="Malformed request"), Refused(5, None, "Malformed request")),
    (answer(success=False, req_id=40, error="Already subscribed to trade on BTC/USD"), Acked(5, (TRADES,))),
    (answer(success=False, error="Subscription not found"), Refused(None, None, "Subscription not found")),
    (b'{"Error":"Exceeded msg rate"}', TooManyMessages()),
    (answer(success=False, req_id=40, error="Exceeded msg rate", symbol="BTC/USD"), TooManyMessages()),
    (answer("pong", req_id=1, time_in="2023-07-30T15:30:00.000000Z"), None),
    (b'{"channel":"heartbeat"}', None),
    (channel("status", "update", '{"system":"online","api_version":"v2","connection_id":18239578009413566319}'), None),
])  # fmt: skip
def test_answers_become_controls(payload, control):
    feed = KrakenFeed()
    feed.send(START_NS, payload)
    assert feed.controls == ([] if control is None else [control])
    assert feed.adapter.left_out() == {}


def test_a_venue_that_is_not_online_and_frames_that_are_not_known_are_counted():
    feed = KrakenFeed()
    feed.send(
        START_NS, channel("status", "update", '{"system":"maintenance"}'), channel("level3", "update", "{}"), b"{}"
    )
    assert feed.adapter.left_out() == {
        "notices that the venue is maintenance (kraken)": 1,
        "frames of other channels (kraken)": 1,
        "other frames (kraken)": 1,
    }


def test_the_order_of_a_frame_s_keys_and_spaces_do_not_matter():
    feed = KrakenFeed()
    item = trade(7, START_NS, "1.5", "1")
    feed.send(START_NS, f'{{ "data": [{item}], "type": "update", "channel": "trade" }}'.encode())
    assert ids(feed) == [7]


def test_an_instrument_that_the_board_has_no_row_for_is_counted_and_named():
    feed = KrakenFeed(capacity=1)
    feed.send(START_NS, ticker("BTC/USD"), ticker("ETH/USD"), trades(trade(1, START_NS, "1.5", "1", symbol="ETH/USD")))
    assert feed.adapter.refused() == ("ETH/USD",)
    assert feed.adapter.left_out() == {"frames of instruments without a board row (kraken)": 2}
    assert StreamKey(Channel.TRADES, "ETH/USD") in feed.adapter.heard


@pytest.mark.parametrize("payload", [
    b"", b"[]", b"null", b"{", b"\xff", b'{"channel":"trade"}', b'{"channel":"trade","type":"update","data":{}}',
    b'{"channel":"trade","type":"other","data":[]}',
    b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD"}]}',
    b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","checksum":-1}]}',
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTCUSD","checksum":0}]}',
    b'{"channel":"trade","type":"snapshot","data":[{"symbol":"BTCUSD"}]}',
    b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":"x"}]}',
    b'{"channel":"ticker","type":"update","data":[{"symbol":""}]}',
    b'{"channel":"ohlc","type":"update","data":[{"symbol":"BTC/USD"}]}', b'{"method":"subscribe","success":"yes"}',
    b'{"channel":"instrument","type":"snapshot","data":[]}', b'{"channel":"status","type":"update","data":[1]}',
    b'{"channel":"ticker","type":"update","data":' + b"[" * 2000, b'{"channel":7}',
])  # fmt: skip
def test_what_is_malformed_is_refused(payload):
    feed = KrakenFeed()
    with pytest.raises(FrameError):
        feed.send(START_NS, payload)
    assert feed.tape.sequence == 0


RECORDED = b'{"channel":"book"', b'{"channel":"trade"', b'{"channel":"ticker"', b'{"method"', b'{"channel":"status"'


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_a_damaged_frame_is_read_or_refused_and_when_refused_changes_nothing_but_the_trust_in_books(data):
    """Recorded frames with bytes changed, left out or put in."""
    frames = sample(data.draw(st.sampled_from(CAPTURES)))
    recv_ns, payload = data.draw(st.sampled_from(frames))
    at = data.draw(st.integers(0, len(payload) - 1))
    length = data.draw(st.integers(0, 4))
    inserted = data.draw(st.binary(max_size=4) | st.sampled_from([b"0", b"-", b"e9", b'"', b"null", b"1e999", b"}"]))
    damaged = payload[:at] + inserted + payload[at + length :]
    feed = KrakenFeed()
    for frame in frames:
        feed.send(*frame)
    before, heard, books = feed.tape.sequence, dict(feed.adapter.heard), books_of(feed)
    try:
        feed.send(recv_ns + SECOND, damaged)
    except FrameError:
        feed.publisher.flush()
        assert feed.adapter.heard == heard
        given_up = {symbol for symbol, levels in books_of(feed).items() if levels is None and books[symbol]}
        assert books_of(feed) == {symbol: None if symbol in given_up else levels for symbol, levels in books.items()}
        for record in feed.tape.records[before:]:
            unsure = record.kind == Kind.QUALITY and record.code == Quality.GAP
            assert unsure or (record.kind == Kind.QUOTE and math.isnan(record.a))
            assert books_of(feed)[feed.board.instruments[record.instrument].symbol] is None


def books_of(feed) -> dict:
    markets = feed.adapter._markets.opened.items()
    return {symbol: market.book.leader and market.book.leader.book.top(1000) for symbol, market in markets}


@cache
def sample(name: str) -> list[tuple[int, bytes]]:
    """The first short frames of each kind."""
    found, sample = dict.fromkeys(RECORDED, 0), []
    for recv_ns, kind, _, payload in lines(name):
        for prefix in RECORDED:
            if kind == "F" and payload.startswith(prefix) and found[prefix] < 4 and len(payload) < 2000:
                found[prefix] += 1
                sample.append((recv_ns, payload))
    return sample


# REST

PAIRS = {
    "XXBTZUSD": {"altname": "XBTUSD", "wsname": "XBT/USD", "base": "XXBT", "quote": "ZUSD", "pair_decimals": 1,
                 "lot_decimals": 8, "tick_size": "0.1", "status": "online"},
    "XDGUSD": {"altname": "XDGUSD", "wsname": "XDG/USD", "pair_decimals": 7, "lot_decimals": 8,
               "tick_size": "0.0000001", "status": "cancel_only"},
    "ETHEUR.d": {"altname": "ETHEUR.d", "pair_decimals": 2, "lot_decimals": 8, "status": "online"},
}  # fmt: skip


def body(result, *errors) -> bytes:
    return json.dumps({"error": list(errors), "result": result}).encode()


def test_asset_pairs_describe_markets_by_their_new_names():
    feed = KrakenFeed()
    feed.adapter.on_http(START_NS, "https://api.kraken.com/0/public/AssetPairs", body(PAIRS))
    feed.send(START_NS, ticker("BTC/USD"), ticker("DOGE/USD"))
    assert rows(feed, Field.TICK_SIZE) == [0.1, 1e-7]
    assert rows(feed, Field.LOT_SIZE) == [1e-8, 1e-8]
    assert rows(feed, Field.PRICE_DECIMALS) == [1, 7]


@pytest.mark.parametrize("ref", [
    "/0/public/Trades?pair=XBTUSD&count=1000", "https://api.kraken.com/0/public/Trades?pair=XBT%2FUSD",
    "/0/public/Trades?pair=XXBTZUSD", "/0/public/Trades?pair=BTC/USD",
])  # fmt: skip
def test_a_rest_answer_fills_a_hole_whatever_the_market_is_called_in_it(ref):
    feed = KrakenFeed(audit=True)
    for number in (61044951, 61044954):
        feed.send(START_NS, trades(trade(number, START_NS + number, "30243.4", "1")))
    rest = [["30243.40000", "0.34507674", START_NS / 1e9 - 1.5, "b", "m", "", 61044952],
            ["30243.30000", "0.00376960", START_NS / 1e9 - 1.25, "s", "l", "", 61044953]]  # fmt: skip
    feed.adapter.on_http(START_NS + SECOND, ref, body({"XXBTZUSD": rest, "last": "1688671969993150842"}))
    found = {record.c: record for record in feed.of(Kind.TRADE)}
    assert found.keys() == {61044951, 61044952, 61044953, 61044954}
    assert (found[61044952].ts_event, found[61044952].code) == (START_NS - 1_500_000_000, Side.BUY)
    assert (found[61044953].a, found[61044953].code) == (30243.3, Side.SELL)
    assert feed.adapter.figures()["kraken:BTC/USD"]["qty"] == "2.34884634"


def test_a_rest_answer_for_a_market_with_an_unusual_quote_finds_it_once_it_is_open():
    feed = KrakenFeed()
    rest = body({"ABCXYZ": [["1.5", "1", START_NS / 1e9, "b", "m", "", 2]], "last": "1"})
    with pytest.raises(FrameError, match="not a symbol"):
        feed.adapter.on_http(START_NS, "/0/public/Trades?pair=ABCXYZ", rest)
    feed.send(START_NS, trades(trade(1, START_NS, "1.5", "1", symbol="ABC/XYZ")))
    feed.adapter.on_http(START_NS, "/0/public/Trades?pair=ABCXYZ", rest)
    assert ids(feed) == [1, 2]


def test_times_of_rest_trades_are_exact():
    feed = KrakenFeed()
    feed.send(START_NS, trades(trade(4, START_NS - SECOND, "2.0", "1")))
    text = b'{"error":[],"result":{"XXBTZUSD":[["1.5","1",1690730999.9717445,"b","m","",5]],"last":"1"}}'
    feed.adapter.on_http(START_NS, "/0/public/Trades?pair=XBTUSD", text)
    assert [record.ts_event for record in feed.of(Kind.TRADE)][1:] == [1_690_730_999_971_744_500]


@pytest.mark.parametrize(("ref", "payload"), [
    ("/0/public/Trades?pair=XBTUSD", body({}, "EGeneral:Too many requests")),
    ("/0/public/Trades?pair=XBTUSD", b"<html>"),
    ("/0/public/Trades?pair=XBTUSD", body({"XXBTZUSD": [["1.5", "0", 1690730999.5, "b", "m", "", 5]]})),
    ("/0/public/Trades?pair=XBTUSD", body({"XXBTZUSD": [["x", "1", 1690730999.5, "b", "m", "", 5]]})),
    ("/0/public/Trades?pair=XBTUSD", body({"XXBTZUSD": [["1.5", "1", "x", "b", "m", "", 5]]})),
    ("/0/public/Trades?pair=XBTUSD", body({"XXBTZUSD": [["1.5", "1", 1690730999.5, "b", "m", ""]]})),
    ("/0/public/Trades", body({"XXBTZUSD": []})),
    ("/0/public/AssetPairs", body({"XXBTZUSD": {"wsname": "XBT/USD"}})),
    ("http://[x/0/public/AssetPairs", body(PAIRS)),
])  # fmt: skip
def test_a_rest_answer_that_is_wrong_or_an_error_is_refused(ref, payload):
    feed = KrakenFeed()
    feed.send(START_NS, trades(trade(1, START_NS, "1.5", "1")))
    before = feed.tape.sequence
    with pytest.raises(FrameError):
        feed.adapter.on_http(START_NS, ref, payload)
    assert feed.tape.sequence == before


def test_other_bodies_are_counted():
    feed = KrakenFeed()
    feed.adapter.on_http(START_NS, "/0/public/Ticker?assetVersion=1", body({}))
    assert feed.adapter.left_out() == {"HTTP bodies of other kinds (kraken)": 1}


def test_figures_need_an_audit_and_the_venue_is_kraken():
    with pytest.raises(ValueError, match="Audit"):
        KrakenFeed().adapter.figures()
    feed = KrakenFeed()
    with pytest.raises(ValueError, match="kraken"):
        type(feed.adapter)("binance", feed.publisher, joins=feed.joins, repairs=Asked())


def rest_trades(name: str, *numbers: int) -> bytes:
    rows = [["3000.0", "9", START_NS / 1e9, "b", "l", "", number] for number in numbers]
    return json.dumps({"error": [], "result": {name: rows, "last": "1"}}).encode()


@pytest.mark.parametrize("name", ["XETHZUSD", "ETHUSD", "XBTEUR", "USDTZUSD"])
def test_trades_of_another_market_in_an_answer_are_refused(name):
    feed = KrakenFeed(hold_ns=5 * SECOND)
    feed.send(START_NS, trades(trade(10, START_NS, "100", "1")))
    feed.send(START_NS + SECOND, trades(trade(13, START_NS + SECOND, "100", "1")))
    with pytest.raises(FrameError, match="in the answer for BTC/USD"):
        feed.adapter.on_http(START_NS + 2 * SECOND, "/0/public/Trades?pair=XBTUSD", rest_trades(name, 11, 12))
    assert [record.a for record in feed.of(Kind.TRADE)] == [100.0]


@pytest.mark.parametrize(
    ("symbol", "pair", "name"),
    [
        ("BTC/USD", "XBTUSD", "XXBTZUSD"), ("BTC/USD", "XBTUSD", "BTC/USD"), ("DOGE/USD", "XDGUSD", "XDGUSD"),
        ("USDT/USD", "USDTUSD", "USDTZUSD"), ("ETH/BTC", "ETHXBT", "XETHXXBT"), ("EUR/USD", "EURUSD", "ZEURZUSD"),
        ("SOL/USDT", "SOLUSDT", "SOLUSDT"),
    ],
)  # fmt: skip
def test_an_answer_may_call_a_market_by_any_of_its_names(symbol, pair, name):
    feed = KrakenFeed(hold_ns=5 * SECOND)
    feed.send(START_NS, trades(trade(10, START_NS, "3000", "1", symbol=symbol)))
    feed.send(START_NS + 1, trades(trade(12, START_NS + 1, "3000", "1", symbol=symbol)))
    feed.adapter.on_http(START_NS + SECOND, f"/0/public/Trades?pair={pair}", rest_trades(name, 11))
    assert [int(record.c) for record in feed.of(Kind.TRADE)] == [10, 11, 12]
