"""One frame that cannot be true must not silence what comes after it."""

import json
import math

import pytest

from tests.feeds import frames
from tests.feeds.feed import Feed
from tickfloor.board.row import Field
from tickfloor.contracts.records import Flag, Kind, Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.jumps import JumpGuard

NS = 1_000_000
START_MS = 1_700_000_040_000
MINUTE_MS = 60_000


def test_a_trade_id_from_nowhere_is_refused_and_the_next_trades_are_not():
    feed = Feed()
    feed.send(START_MS * NS, frames.trade(1, START_MS, 10, 1))
    with pytest.raises(FrameError, match="goes on from there"):
        feed.send(START_MS * NS, frames.trade((1 << 53) - 1, START_MS, 10, 1))
    feed.send(START_MS * NS, frames.trade(2, START_MS, 11, 1))
    [writer] = feed.publisher.writers
    assert (writer.trades, writer.id_gaps, writer.duplicates) == (2, 0, 0)


def test_a_venue_that_numbers_its_trades_anew_is_believed_at_the_second_trade():
    feed = Feed()
    feed.send(START_MS * NS, frames.trade((1 << 53) - 1, START_MS, 10, 1))
    for number in (1, 2, 3):
        feed.send(START_MS * NS, frames.trade(number, START_MS, 10 + number, 1))
    [writer] = feed.publisher.writers
    assert (writer.trades, writer.duplicates) == (3, 1)


def test_best_prices_with_an_update_id_from_nowhere_do_not_make_the_next_ones_stale():
    feed = Feed()
    feed.send(START_MS * NS, frames.book_ticker(5, "10", "11"))
    feed.send(START_MS * NS, frames.book_ticker((1 << 53) - 1, "99", "100"))
    feed.send(START_MS * NS, frames.book_ticker(6, "12", "13"))
    row = feed.publisher.writers[0].row
    assert (row[Field.BID], row[Field.ASK]) == (12.0, 13.0)


def test_a_venue_time_minutes_ahead_is_refused_until_three_agree_for_a_second():
    feed = Feed()
    feed.send(START_MS * NS, frames.trade(1, START_MS, 10, 1))
    ahead = START_MS + 30 * MINUTE_MS
    for number, recv_ms in ((2, 1), (3, 2)):
        with pytest.raises(FrameError, match="ahead of the venue's clock"):
            feed.send((START_MS + recv_ms) * NS, frames.trade(number, ahead + recv_ms, 10, 1))
    feed.send((START_MS + 3) * NS, frames.trade(2, START_MS + 3, 10, 1))
    assert feed.publisher.minute_start_ns == START_MS * NS
    for recv_ms in (4, 5, 6):
        with pytest.raises(FrameError, match="ahead"):
            feed.send((START_MS + recv_ms) * NS, frames.trade(3, ahead + recv_ms - 10 * MINUTE_MS, 10, 1))
    feed.send((START_MS + 1004) * NS, frames.trade(3, ahead + 1004 - 10 * MINUTE_MS, 10, 1))
    assert feed.publisher.venue_ns == (ahead + 1004 - 10 * MINUTE_MS) * NS


def test_a_tick_size_that_no_decimal_holds_is_left_aside():
    feed = Feed()
    rule = {"filterType": "PRICE_FILTER", "tickSize": "1E+1000000"}
    lot = {"filterType": "LOT_SIZE", "stepSize": "1E-1000000"}
    body = json.dumps({"symbols": [{"symbol": "BTCUSDT", "filters": [rule, lot]}]}).encode()
    feed.adapter.on_http(START_MS * NS, "https://api/v3/exchangeInfo", body)
    feed.send(START_MS * NS, frames.trade(1, START_MS, 10.5, 1))
    assert feed.publisher.writers[0].row[Field.PRICE_DECIMALS] == 1


def test_bars_that_end_at_different_times_are_different_events():
    feed = Feed()
    start = START_MS - START_MS % (15 * MINUTE_MS)
    feed.send(start * NS, frames.trade(1, start, 10, 1))
    later = start + 6 * MINUTE_MS
    records = feed.send(later * NS, frames.trade(2, later, 11, 1))
    closes = [record for record in records if record.kind == Kind.BAR_CLOSE]
    assert len(closes) == 2
    assert [bool(record.flags & Flag.MORE) for record in closes] == [False, False]


def test_best_prices_of_a_book_end_with_its_continuity():
    feed = Feed()
    feed.adapter.on_http(START_MS * NS, "REST-depth:BTCUSDT", frames.snapshot(10, [["10", "1"]], [["11", "1"]]))
    feed.send(START_MS * NS, frames.depth(11, 11, START_MS, [["10", "2"]]))
    records = feed.send(START_MS * NS, frames.depth(20, 21, START_MS, [["10", "3"]]))
    assert [Kind(record.kind) for record in records] == [Kind.QUOTE, Kind.QUALITY]
    assert math.isnan(records[0].a)
    assert records[1].code == Quality.GAP
    assert math.isnan(feed.publisher.writers[0].row[Field.ASK])


def test_a_number_where_the_wire_has_text_is_refused_whole_when_figures_must_be_exact():
    feed = Feed(audit=True)
    feed.send(START_MS * NS, frames.trade(1, START_MS, 10, 1))
    before = len(feed.tape.records)
    with pytest.raises(FrameError):
        feed.send(START_MS * NS, frames.trade(2, START_MS, 10, 1).replace(b'"p":"10.00000000"', b'"p":10'))
    assert len(feed.tape.records) == before


def test_a_time_long_past_is_refused():
    feed = Feed()
    feed.send(START_MS * NS, frames.trade(1, START_MS, 10, 1))
    with pytest.raises(FrameError, match="over a day behind"):
        feed.send(START_MS * NS, frames.combined("btcusdt@ticker", frames.ticker(1_000)))


def test_a_jump_is_ordinary_up_to_the_most_and_believed_when_it_goes_on():
    guard = JumpGuard(10)
    assert guard.believes(100, 110)
    assert not guard.believes(100, 111)
    assert guard.believes(100, 112)
    assert not guard.believes(100, 5)
    assert not guard.believes(100, 500)
