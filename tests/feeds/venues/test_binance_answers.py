"""Trades that come over REST: joined with the stream's by id, and what else a body can be."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds import frames
from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS
from tickfloor.contracts.records import Kind, Side
from tickfloor.feeds.errors import FrameError

NOW = START_MS * 1_000_000
DAY_MS = 86_400_000
HISTORICAL = "/api/v3/historicalTrades?symbol=BTCUSDT&fromId={}&limit=1000"
NEWEST = "https://api.binance.com/api/v3/trades?symbol=BTCUSDT&limit=1"
AGGREGATES = "https://fapi.binance.com/fapi/v1/aggTrades?symbol=BTCUSDT&fromId={}&limit=1000"


def published(feed: Feed) -> list[int]:
    feed.publisher.flush()
    return [int(record.c) for record in feed.tape.records if record.kind == Kind.TRADE]


def trade_rows(*numbers: int, time_ms: int = START_MS) -> bytes:
    return frames.trade_rows((number, time_ms, "1.50000000", "2.00000000", True) for number in numbers)


def test_a_hole_is_filled_by_the_answer_and_figures_are_exact():
    feed = Feed(audit=True)
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.trade(5, START_MS, 1, 1))
    assert feed.asked.ranges == [("BTCUSDT", 2, 4)]
    feed.adapter.on_http(NOW, HISTORICAL.format(2), trade_rows(2, 3, 4, 5, 6))
    assert published(feed) == [1, 5, 2, 3, 4, 6]
    feed.send(NOW, frames.trade(6, START_MS, 1, 1), frames.trade(7, START_MS, 1, 1))
    figures = feed.adapter.figures()["binance:BTCUSDT"]
    assert (figures["trades"], figures["qty"], figures["first"], figures["last"]) == (7, "11", "1", "1")
    assert Decimal(figures["notional"]) == 3 + 4 * Decimal("1.5") * 2


def test_exact_figures_of_aggregates_go_by_their_ids_too():
    feed = Feed("binance-usdm", audit=True)
    feed.send(NOW, *(frames.agg_trade(number, START_MS, price, 1) for number, price in ((1, 10), (4, 40), (2, 20))))
    feed.adapter.on_http(NOW, AGGREGATES.format(3), frames.agg_trade_rows([(3, START_MS, "30.0", "1", 9, 9, True)]))
    figures = feed.adapter.figures()["binance-usdm:BTCUSDT"]
    assert (figures["trades"], figures["first"], figures["last"], figures["qty"]) == (4, "10", "40", "4")


def test_an_answer_says_which_ids_there_are_not():
    feed = Feed()
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.trade(6, START_MS, 1, 1))
    feed.adapter.on_http(NOW, HISTORICAL.format(2), trade_rows(3, 6))
    assert published(feed) == [1, 6, 3]
    assert feed.joins.statistics().left_out == 3
    assert feed.joins.statistics().missing == 0


def test_an_answer_that_was_not_asked_from_an_id_on_leaves_holes_open():
    feed = Feed()
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.trade(6, START_MS, 1, 1))
    feed.adapter.on_http(NOW, NEWEST, trade_rows(6))
    assert feed.joins.statistics().missing == 4


def test_a_later_page_says_nothing_of_what_is_before_it():
    feed = Feed()
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.trade(6, START_MS, 1, 1))
    feed.adapter.on_http(NOW, HISTORICAL.format(4), trade_rows(4, 5))
    assert published(feed) == [1, 6, 4, 5]
    assert feed.joins.statistics().missing == 2


def test_aggregates_keep_side_count_and_time():
    feed = Feed("binance-usdm")
    feed.adapter.on_http(NOW, AGGREGATES.format(6), frames.agg_trade_rows([(6, START_MS, "1", "1", 9, 9, True)]))
    body = frames.agg_trade_rows(
        [(7, START_MS, "1.5", "2", 10, 13, True), (8, START_MS + 1, "2.5", "1", 14, 14, False)]
    )
    feed.adapter.on_http(NOW, AGGREGATES.format(7), body)
    trades = [record for record in feed.tape.records if record.kind == Kind.TRADE]
    assert [(r.code, r.ts_event, r.ts_init, r[7:]) for r in trades] == [
        (Side.SELL, NOW, NOW, (1.5, 2.0, 7.0, 4.0)),
        (Side.BUY, NOW + 1_000_000, NOW, (2.5, 1.0, 8.0, 1.0)),
    ]


@pytest.mark.parametrize(
    ("venue", "newest", "body"),
    [
        ("binance", "/api/v3/trades?symbol=BTCUSDT&limit=1", trade_rows(7)),
        ("binance-usdm", "/fapi/v1/aggTrades?symbol=BTCUSDT&limit=1",
         frames.agg_trade_rows([(7, START_MS, "1", "1", 1, 1, True)])),
        ("binance-coinm", "/dapi/v1/aggTrades?symbol=BTCUSDT&limit=1",
         frames.agg_trade_rows([(7, START_MS, "1", "1", 1, 1, True)])),
    ],
)  # fmt: skip
def test_the_newest_trade_says_where_an_instrument_begins_whose_stream_is_silent(venue, newest, body):
    feed = Feed(venue)
    feed.adapter.on_http(NOW, newest, body)
    assert published(feed) == []
    assert feed.adapter.heard == {}
    assert feed.publisher.known("BTCUSDT").expected_id == 8


def test_trades_of_another_kind_than_the_stream_s_are_counted():
    feed = Feed("binance-usdm")
    feed.send(NOW, frames.trade(1, START_MS, 1, 1))
    feed.adapter.on_http(NOW, AGGREGATES.format(2), frames.agg_trade_rows([(2, START_MS, "1", "1", 1, 1, True)]))
    other = Feed("binance")
    other.adapter.on_http(NOW, "/api/v3/aggTrades?symbol=BTCUSDT", b"[]")
    assert (published(feed), published(other), other.board.instruments) == ([1], [], {})
    reason = "REST answers with trades of another kind than the stream's"
    assert feed.adapter.left_out() == {f"{reason} (binance-usdm)": 1}
    assert other.adapter.left_out() == {f"{reason} (binance)": 1}
    # The stream's own kind repairs it, whatever a live feed would have subscribed to.
    feed.adapter.on_http(NOW, "/fapi/v1/historicalTrades?symbol=BTCUSDT&fromId=2", trade_rows(2))
    assert published(feed) == [1, 2]


def test_trades_over_a_day_old_are_left_out_and_open_nothing():
    feed = Feed()
    feed.adapter.on_http(NOW, NEWEST, trade_rows(1, time_ms=START_MS - DAY_MS))
    assert feed.board.instruments == {}
    feed.send(NOW, frames.trade(5, START_MS, 1, 1), frames.trade(7, START_MS, 1, 1))
    feed.adapter.on_http(NOW, HISTORICAL.format(6), trade_rows(6, time_ms=START_MS - DAY_MS))
    assert published(feed) == [5, 7]
    assert feed.joins.statistics().missing == 0
    assert feed.adapter.left_out()["REST trades over a day old (binance)"] == 2


def test_an_answer_without_trades_is_no_news():
    feed = Feed()
    feed.adapter.on_http(NOW, HISTORICAL.format(1), b"[]")
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.trade(3, START_MS, 1, 1))
    feed.adapter.on_http(NOW, HISTORICAL.format(2), b"[]")
    assert feed.joins.statistics().missing == 1


def test_a_full_board_refuses_trades_of_another_instrument():
    feed = Feed(capacity=1)
    feed.send(NOW, frames.trade(1, START_MS, 1, 1))
    feed.adapter.on_http(NOW, "/api/v3/trades?symbol=ETHUSDT&limit=1", trade_rows(7))
    assert feed.adapter.refused() == ("ETHUSDT",)


def test_a_symbol_is_read_as_a_url_spells_it():
    feed = Feed()
    feed.adapter.on_http(NOW, "/api/v3/trades?symbol=%E5%B8%81USDT&limit=1", trade_rows(7))
    assert [each.symbol for each in feed.board.instruments.values()] == ["币USDT"]


@pytest.mark.parametrize(
    "ref", ["/api/v3/klines?symbol=BTCUSDT&interval=1m", "/api/v3/ticker/24hr?type=MINI", "", "//["]
)
def test_answers_of_no_use_are_counted_or_refused(ref):
    feed = Feed()
    try:
        feed.adapter.on_http(NOW, ref, b"[]")
    except FrameError:
        assert ref == "//["
    else:
        assert feed.adapter.left_out() == {"REST answers without use (binance)": 1}


ROW = {
    "id": 2,
    "price": "1.5",
    "qty": "2",
    "quoteQty": "3",
    "time": START_MS,
    "isBuyerMaker": True,
    "isBestMatch": True,
}
AGGREGATE = {"a": 2, "p": "1.5", "q": "2", "f": 5, "l": 6, "T": START_MS, "m": True}
BAD = [None, -1, "-1", "nan", "inf", "", [], {}, 2**53, "1e400", True, 1.5]


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans())
def test_a_body_with_one_wrong_row_is_refused_whole(data, spot):
    feed = Feed("binance" if spot else "binance-usdm")
    good = ROW if spot else AGGREGATE
    ref = (HISTORICAL if spot else AGGREGATES).format(2)
    needed = sorted(good.keys() - {"quoteQty", "isBestMatch"})
    bad = dict(good)
    name = data.draw(st.sampled_from(needed))
    if data.draw(st.booleans()):
        del bad[name]
    else:
        bad[name] = data.draw(st.sampled_from([each for each in BAD if each != good[name]]))
    rows = [good, bad] if data.draw(st.booleans()) else [bad, good]
    try:
        feed.adapter.on_http(NOW, ref, json.dumps(rows).encode())
    except FrameError:
        assert published(feed) == []
        assert feed.board.instruments == {}
    else:
        # A number where a number is meant, only another one.
        assert feed.joins.statistics().earlier


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"[null]", b"[[]]", b'{"code":-1121,"msg":"Invalid symbol."}', b"\xff"]
)
@pytest.mark.parametrize("ref", [HISTORICAL.format(2), AGGREGATES.format(2), NEWEST, "/api/v3/depth?symbol=BTCUSDT"])
def test_bodies_of_another_shape_are_refused(ref, body):
    feed = Feed()
    with pytest.raises(FrameError):
        feed.adapter.on_http(NOW, ref, body)
    assert feed.adapter.statistics().malformed == 1


@pytest.mark.parametrize("query", ["", "?symbol=", "?symbol=A%20B", "?symbol=BTCUSDT&fromId=x", "?fromId=1"])
def test_a_reference_that_does_not_say_what_was_asked_is_refused(query):
    with pytest.raises(FrameError):
        Feed().adapter.on_http(NOW, f"/api/v3/historicalTrades{query}", trade_rows(1))


def test_a_trade_time_that_cannot_be_is_refused_before_anything_is_published():
    feed = Feed()
    feed.send(NOW, frames.trade(1, START_MS, 1, 1))
    rows = [(2, START_MS, "1", "1", True), (3, START_MS + 7_200_000, "1", "1", True)]
    with pytest.raises(FrameError, match="ahead"):
        feed.adapter.on_http(NOW, HISTORICAL.format(2), frames.trade_rows(rows))
    assert published(feed) == [1]
