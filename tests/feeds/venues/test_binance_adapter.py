"""What the adapter does with each kind of frame, and with frames that are none."""

import json
import math

import pytest

from tests.feeds import frames
from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS
from tickfloor.board.row import Field
from tickfloor.contracts.records import Flag, Kind, Quality, Side
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, StreamKey
from tickfloor.feeds.venues.binance.handlers import RENUMBERED_NS

NS = 1_000_000
NOW = START_MS * NS


def test_the_first_event_makes_an_instrument_live():
    feed = Feed()
    live, trade = feed.send(NOW, frames.trade(7, START_MS, 10.5, 2, bought=False))
    assert (live.kind, live.code, live.flags) == (Kind.QUALITY, Quality.LIVE, Flag.MORE)
    assert (trade.kind, trade.code, trade.flags) == (Kind.TRADE, Side.SELL, 0)
    assert (trade.ts_event, trade.ts_init) == (START_MS * NS, NOW)
    assert trade[7:] == (10.5, 2.0, 7.0, 1.0)


def test_an_aggregate_says_how_many_trades_it_holds():
    feed = Feed()
    data = {"e": "aggTrade", "E": START_MS, "s": "BTCUSDT", "a": 5, "p": "1", "q": "1", "f": 10, "l": 12,
            "T": START_MS, "m": True}  # fmt: skip
    assert feed.send(NOW, frames.combined("btcusdt@aggTrade", data))[-1][7:] == (1.0, 1.0, 5.0, 3.0)


def test_one_trade_stream_feeds_an_instrument_and_the_other_is_counted():
    feed = Feed()
    data = {"e": "aggTrade", "E": START_MS, "s": "BTCUSDT", "a": 5, "p": "1", "q": "1", "f": 1, "l": 1,
            "T": START_MS, "m": True}  # fmt: skip
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.combined("btcusdt@aggTrade", data),
              frames.combined("btcusdt@aggTrade", data))  # fmt: skip
    assert feed.kinds().count(Kind.TRADE) == 1
    assert feed.adapter.statistics().ignored == {"aggTrade": 2}


def test_a_gap_in_trade_ids_is_marked_until_the_next_contiguous_trade():
    feed = Feed()
    feed.send(NOW, frames.trade(1, START_MS, 1, 1))
    gap = feed.send(NOW, frames.trade(5, START_MS, 1, 1))
    assert [(r.kind, r.code, r.flags) for r in gap] == [(Kind.QUALITY, Quality.GAP, Flag.MORE), (Kind.TRADE, 1, 0)]
    back = feed.send(NOW, frames.trade(6, START_MS, 1, 1))
    assert [(r.kind, r.code, r.flags) for r in back] == [(Kind.QUALITY, Quality.LIVE, Flag.MORE), (Kind.TRADE, 1, 0)]
    writer = feed.publisher.known("BTCUSDT")
    assert (writer.id_gaps, writer.missed_trades, writer.duplicates) == (1, 3, 0)


def test_repeated_trades_are_dropped_and_counted():
    feed = Feed(audit=True)
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.trade(2, START_MS, 1, 1))
    assert feed.send(NOW, frames.trade(2, START_MS, 1, 1), frames.trade(1, START_MS, 1, 1)) == []
    assert feed.publisher.known("BTCUSDT").duplicates == 2
    assert feed.adapter.figures()["binance:BTCUSDT"]["trades"] == 2


def test_a_quote_without_venue_time_carries_the_newest_known():
    feed = Feed()
    assert feed.send(NOW, frames.book_ticker(1, "10", "11"))[-1].ts_event == NOW
    assert (feed.publisher.clock.ahead_ns, feed.publisher.venue_ns) == (None, 0)
    feed.send(NOW, frames.trade(1, START_MS + 40, 1, 1))
    quote = feed.send(NOW + 99, frames.book_ticker(2, "10", "11"))[-1]
    assert (quote.kind, quote.ts_event, quote.ts_init) == (Kind.QUOTE, (START_MS + 40) * NS, NOW + 99)
    assert quote[7:] == (10.0, 1.5, 11.0, 2.5)


def test_older_quotes_are_dropped_and_empty_sides_unknown():
    feed = Feed()
    feed.send(NOW, frames.book_ticker(5, "10", "0.00000000"))
    assert feed.send(NOW, frames.book_ticker(4, "9", "11")) == []
    row = feed.board.rows[0]
    assert row[Field.BID] == 10.0
    assert math.isnan(row[Field.ASK])
    assert math.isnan(row[Field.ASK_SIZE])
    assert feed.adapter.left_out() == {"outdated best prices (binance)": 1}


def test_best_prices_do_not_go_back_when_another_connection_is_opened():
    feed = Feed()
    newer, later = feed.read, feed.adapter.reader("ws2")
    newer(NOW, frames.book_ticker(97, "40", "41"))
    newer(NOW, frames.book_ticker(100, "50", "51"))
    feed.adapter.reader("ws3")
    later(NOW, frames.book_ticker(97, "40", "41"))
    assert feed.publisher.known("BTCUSDT").row[Field.BID] == 50.0


def test_quotes_that_are_numbered_anew_are_believed_when_nothing_newer_comes():
    feed = Feed()
    feed.send(NOW, frames.book_ticker(500, "10", "11"))
    assert feed.send(NOW + RENUMBERED_NS, frames.book_ticker(1, "9", "11")) == []
    assert len(feed.send(NOW + RENUMBERED_NS + 1, frames.book_ticker(2, "9", "11"))) == 1
    assert len(feed.send(NOW + RENUMBERED_NS + 2, frames.book_ticker(3, "9", "12"))) == 1


def test_a_quote_sent_again_is_no_new_one_however_late():
    feed = Feed()
    feed.send(NOW, frames.book_ticker(500, "10", "11"))
    assert feed.send(NOW + 2 * RENUMBERED_NS, frames.book_ticker(500, "10", "11")) == []


def test_a_book_makes_quotes_until_best_prices_come_by_themselves():
    feed = Feed()
    feed.adapter.on_http(NOW, "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000",
                         frames.snapshot(10, [["1", "5"]], [["2", "6"]]))  # fmt: skip
    first = feed.send(NOW, frames.depth(11, 11, START_MS, [["1", "7"]]))
    assert [(r.kind, r.flags) for r in first] == [(Kind.BOOK, Flag.MORE), (Kind.QUOTE, 0)]
    same = feed.send(NOW, frames.depth(12, 12, START_MS, [["0.5", "7"]]))
    assert [(r.kind, r.flags) for r in same] == [(Kind.BOOK, 0)]
    feed.send(NOW, frames.book_ticker(1, "1.1", "1.9"))
    after = feed.send(NOW, frames.depth(13, 13, START_MS, [["1.2", "7"]]))
    assert [(r.kind, r[7:]) for r in after] == [(Kind.BOOK, (1.2, 7.0, 2.0, 6.0))]
    assert feed.board.rows[0][Field.BID] == 1.1
    assert feed.board.books[0] == (13, [(1.2, 7.0), (1.0, 7.0), (0.5, 7.0)], [(2.0, 6.0)])


def test_a_book_gap_is_marked_until_a_snapshot_and_shows_no_book():
    feed = Feed("binance-usdm")
    feed.adapter.on_http(NOW, "REST-depth:BTCUSDT", frames.snapshot(10, [["1", "5"]], [["2", "6"]]))
    feed.send(NOW, frames.depth(9, 12, START_MS, previous=8))
    gap = feed.send(NOW, frames.depth(20, 22, START_MS + 3, previous=19))
    at = (START_MS + 3) * NS
    # The best prices go with the book that they were of.
    assert [(r.kind, r.code, r.ts_event) for r in gap] == [(Kind.QUOTE, 0, at), (Kind.QUALITY, Quality.GAP, at)]
    assert feed.asked.books == ["BTCUSDT"]
    assert feed.board.books[0][1:] == ([], [])
    before = feed.tape.sequence
    feed.adapter.on_http(NOW, "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT",
                         frames.snapshot(21, [["1", "5"]], [["2", "6"]]))  # fmt: skip
    back = feed.tape.records[before:]
    assert [(r.kind, r.code, r.flags) for r in back] == [
        (Kind.QUALITY, Quality.LIVE, Flag.MORE), (Kind.BOOK, 0, Flag.MORE), (Kind.QUOTE, 0, 0),
    ]  # fmt: skip
    assert feed.adapter.statistics().books["BTCUSDT"].sequence_gaps == 1


def test_a_book_without_a_snapshot_asks_for_one_once():
    feed = Feed()
    feed.send(NOW, frames.depth(11, 12, START_MS), frames.depth(13, 14, START_MS), frames.depth(15, 15, START_MS))
    assert feed.asked.books == ["BTCUSDT"]


def test_a_snapshot_that_is_too_old_is_asked_for_again():
    feed = Feed()
    feed.send(NOW, frames.depth(11, 12, START_MS))
    feed.adapter.on_http(NOW, "/api/v3/depth?symbol=BTCUSDT&limit=1000", frames.snapshot(9))
    assert feed.asked.books == ["BTCUSDT", "BTCUSDT"]
    feed.adapter.on_http(NOW, "/api/v3/depth?symbol=BTCUSDT&limit=1000", frames.snapshot(10))
    assert feed.asked.books == ["BTCUSDT", "BTCUSDT"]
    assert feed.adapter.book("BTCUSDT").update_id == 12


def test_a_hole_in_the_events_that_wait_asks_for_a_newer_snapshot():
    feed = Feed()
    feed.send(NOW, frames.depth(11, 12, START_MS), frames.depth(14, 14, START_MS))
    assert feed.asked.books == ["BTCUSDT", "BTCUSDT"]


def test_every_stream_is_heard_of_when_its_frame_was_used():
    feed = Feed()
    kline = {"e": "kline", "E": START_MS, "s": "BTCUSDT", "k": {
        "t": 1, "T": 2, "i": "1m", "o": "1", "c": "1", "h": "1", "l": "1", "v": "1", "n": 2, "x": False, "q": "1",
        "V": "1"}}  # fmt: skip
    each = [frames.trade(1, START_MS, 1, 1), frames.book_ticker(1, "1", "2"), frames.depth(1, 2, START_MS),
            frames.combined("btcusdt@kline_1m", kline), frames.combined("btcusdt@ticker", frames.ticker(START_MS)),
            frames.combined("!miniTicker@arr", [frames.mini_ticker(START_MS)])]  # fmt: skip
    for seconds, payload in enumerate(each):
        feed.send(NOW + seconds, payload)
    expected = {
        StreamKey(channel, "BTCUSDT"): NOW + seconds
        for seconds, channel in enumerate((Channel.TRADES, Channel.QUOTES, Channel.BOOK, Channel.BARS, Channel.TICKERS))
    } | {StreamKey(Channel.TICKERS, ""): NOW + 5}
    assert feed.adapter.heard == expected
    feed.send(NOW + 9, frames.trade(2, START_MS, 1, 1))
    assert feed.adapter.heard[Channel.TRADES, "BTCUSDT"] == NOW + 9
    with pytest.raises(FrameError):
        feed.send(NOW + 10, frames.trade(3, START_MS, -1, 1))
    assert feed.adapter.heard[Channel.TRADES, "BTCUSDT"] == NOW + 9
    # A duplicate is a sign of life.
    feed.send(NOW + 11, frames.trade(2, START_MS, 1, 1))
    assert feed.adapter.heard[Channel.TRADES, "BTCUSDT"] == NOW + 11


def test_statistics_of_a_day_come_in_two_records():
    feed = Feed()
    records = feed.send(NOW, frames.combined("btcusdt@ticker", frames.ticker(START_MS)))
    assert [(r.kind, r.code, r.flags, r[7:]) for r in records[1:]] == [
        (Kind.STATS, 0, Flag.MORE, (40.0, 42.0, 39.0, 2.5)),
        (Kind.STATS, 1, 0, (1000.0, 40000.0, 77.0, 0.0)),
    ]
    mini = feed.send(NOW, frames.combined("btcusdt@miniTicker", frames.mini_ticker(START_MS)))
    assert mini[0].d == 2.5
    assert math.isnan(mini[1].c)


def test_all_market_streams_serve_only_open_instruments_of_the_venue():
    feed = Feed("binance-usdm")
    items = [frames.mini_ticker(START_MS), frames.mini_ticker(START_MS, symbol="ETHUSDT", st=1)]
    feed.send(NOW, frames.combined("!miniTicker@arr", items))
    assert feed.tape.records == []
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), frames.trade(1, START_MS, 1, 1, symbol="BTCUSD_PERP"))
    other = frames.ticker(START_MS, symbol="BTCUSD_PERP", st=2)
    records = feed.send(NOW, frames.combined("!ticker@arr", [frames.ticker(START_MS, st=1), other]))
    assert [record.instrument for record in records] == [0, 0]
    assert feed.send(NOW, json.dumps([frames.ticker(START_MS, st=1)]).encode())[0].kind == Kind.STATS
    assert feed.send(NOW, frames.combined("!bookTicker", json.loads(frames.book_ticker(1, "1", "2"))["data"]))


def test_raw_frames_mean_the_same_as_combined_ones():
    combined, raw = Feed(), Feed()
    payloads = [frames.trade(1, START_MS, 1.5, 2), frames.book_ticker(1, "1", "2"),
                frames.combined("btcusdt@ticker", frames.ticker(START_MS)),
                frames.depth(1, 2, START_MS, [["1", "1"]])]  # fmt: skip
    combined.send(NOW, *payloads)
    raw.send(NOW, *(json.dumps(json.loads(payload)["data"]).encode() for payload in payloads))
    assert raw.tape.records == combined.tape.records
    assert raw.adapter.statistics().ignored == {}


def test_frames_spelled_otherwise_mean_the_same():
    feed = Feed()
    data = json.loads(frames.trade(1, START_MS, 1, 1))["data"]
    spelled = json.dumps({"data": data | {"t": 2}, "stream": "btcusdt@trade"}, indent=2).encode()
    escaped = frames.trade(3, START_MS, 1, 1).replace(b'"btcusdt@trade"', b'"\\u0062tcusdt@trade"')
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), spelled, escaped, escaped.replace(b'"t":3', b'"t":4'))
    assert [r.c for r in feed.tape.records if r.kind == Kind.TRADE] == [1.0, 2.0, 3.0, 4.0]


def test_microseconds_are_understood():
    feed = Feed()
    payload = frames.trade(1, START_MS, 1, 1).replace(str(START_MS).encode(), str(START_MS * 1000 + 7).encode())
    assert feed.send(NOW, payload)[-1].ts_event == START_MS * NS + 7_000


def test_exchange_info_describes_instruments_before_and_after_they_open():
    feed = Feed()
    rules = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {"filterType": "LOT_SIZE", "stepSize": "0.00010000"},
    ]
    symbols = [{"symbol": symbol, "filters": rules} for symbol in ("BTCUSDT", "ETHUSDT")]
    body = json.dumps({"symbols": [*symbols, {"symbol": "X", "filters": []}]}).encode()
    feed.send(NOW, frames.trade(1, START_MS, 1.123, 1))
    feed.adapter.on_http(NOW, "https://api.binance.com/api/v3/exchangeInfo", body)
    feed.send(NOW, frames.trade(1, START_MS, 1, 1, symbol="ETHUSDT"))
    for number in (0, 1):
        assert feed.board.rows[number][Field.PRICE_DECIMALS : Field.LOT_SIZE + 1] == [2, 4, 0.01, 0.0001]


def test_without_exchange_info_decimals_are_learnt():
    feed = Feed()
    feed.send(NOW, frames.trade(1, START_MS, 1.5, 1), frames.trade(2, START_MS, 1.25, 0.001))
    assert feed.board.rows[0][Field.PRICE_DECIMALS : Field.QTY_DECIMALS + 1] == [2, 3]


def test_what_is_not_used_is_counted_by_kind():
    feed = Feed()
    feed.send(
        NOW,
        frames.combined("btcusdt@depth20@100ms", {"lastUpdateId": 1, "bids": [], "asks": []}),
        frames.combined("btcusdt@markPrice@1s", {"e": "markPriceUpdate"}),
        frames.combined("btcusdt@ticker_1h", {"e": "1hTicker"}),
        frames.combined("btcusdt@somethingNew", {}),
        b'{"e":"brandNew","x":[1,2]}', b'{"e":"forceOrder","E":1,"o":{}}', b"{}", b"[]", b'[{"e":"markPriceUpdate"}]',
    )  # fmt: skip
    feed.adapter.on_http(NOW, "https://api.binance.com/api/v3/time", b"{}")
    assert feed.adapter.statistics().ignored == {
        "partial_depth": 1, "markPrice": 1, "rollingTicker": 1, "other": 5, "forceOrder": 1, "unused_answer": 1,
    }  # fmt: skip
    assert feed.tape.records == []


def test_a_full_board_refuses_instruments_and_serves_the_others():
    feed = Feed(capacity=1)
    other = [frames.trade(number, START_MS, 1, 1, symbol="ETHUSDT") for number in (1, 2)]
    feed.send(NOW, frames.trade(1, START_MS, 1, 1), *other, frames.trade(2, START_MS, 1, 1))
    feed.adapter.on_http(NOW, "REST-depth:XRPUSDT", frames.snapshot(1))
    assert feed.kinds().count(Kind.TRADE) == 2
    assert feed.adapter.statistics().ignored == {"refused": 3}
    assert feed.adapter.refused() == ("ETHUSDT", "XRPUSDT")


def test_venues_that_are_not_binance_s_are_refused():
    with pytest.raises(ValueError, match="kraken"):
        Feed("kraken")
