"""A venue's clock that is wrong for a moment harms for a moment only."""

import pytest

from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS, agg_trade, book_ticker, trade
from tests.feeds.venues import kraken_feed
from tickfloor.board.row import Field
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.errors import FrameError

MS = 1_000_000
DAY_MS = 86_400_000
MONTHS_AHEAD_MS = START_MS + 90 * DAY_MS


def refused(feed: Feed, ms: int, number: int, time_ms: int, price: float = 40.0) -> bool:
    try:
        feed.send((START_MS + ms) * MS, trade(number, time_ms, price, 1.0))
    except FrameError:
        return True
    return False


def test_wrong_times_with_right_ones_between_them_are_never_believed():
    feed = Feed()
    number = 1
    for ms in range(100):
        wrong = ms in (20, 50, 80)
        came = not refused(feed, ms, number, MONTHS_AHEAD_MS if wrong else START_MS + ms)
        assert came is not wrong, f"after {ms} ms"
        number += came


def test_trades_are_taken_again_when_a_clock_that_was_days_ahead_is_set_right():
    feed = Feed()
    feed.send(START_MS * MS, trade(1, START_MS, 40.0, 1.0))
    number = 2
    for ms in range(100, 1_000, 100):
        number += not refused(feed, ms, number, START_MS + 2 * DAY_MS + ms)
    lost = 0
    for ms in range(1_000, 60_000, 100):
        came = not refused(feed, ms, number, START_MS + ms)
        lost += not came
        number += 1
    assert lost < 10


def test_the_last_price_follows_when_a_clock_that_was_half_an_hour_ahead_is_set_right():
    feed = Feed()
    feed.send(START_MS * MS, trade(1, START_MS, 40.0, 1.0))
    number = 2
    for ms in range(100, 1_000, 100):
        number += not refused(feed, ms, number, START_MS + DAY_MS // 48 + ms, 41.0)
    for ms in range(1_000, 60_000, 100):
        refused(feed, ms, number, START_MS + ms, 50.0)
        number += 1
    writer = feed.publisher.known("BTCUSDT")
    assert writer.row[Field.LAST] == 50.0 or writer.quality is not Quality.LIVE


def test_a_clock_that_was_a_minute_and_a_half_ahead_is_followed_back_and_the_time_until_then_is_a_gap():
    feed = Feed()
    number, ahead_ms = 1, 90_000
    for ms in range(0, 20_000, 100):
        skew = ahead_ms if 5_000 <= ms < 10_000 else 0
        number += not refused(feed, ms, number, START_MS + ms + skew)
    writer = feed.publisher.known("BTCUSDT")
    assert writer.quality is Quality.GAP
    for ms in range(20_000, 300_000, 100):
        feed.publisher.tick((START_MS + ms) * MS)
        number += not refused(feed, ms, number, START_MS + ms)
        if ms == 130_000:
            late, records = writer.late_trades, feed.tape.sequence
    assert writer.quality is Quality.LIVE
    assert writer.late_trades == late
    closed = [
        record for record in feed.tape.records[records:] if record.kind == Kind.BAR_CLOSE and record.code == Interval.M1
    ]
    # The right bars close when the venue's clock says so, and none before.
    assert [record.ts_event // MS for record in closed] == [START_MS + ms for ms in (180_000, 240_000)]
    assert all(record.ts_init >= record.ts_event for record in closed)


def test_a_time_that_no_record_can_hold_is_refused_however_often_it_comes():
    feed = Feed()
    feed.send(START_MS * MS, trade(1, START_MS, 40.0, 1.0))
    for ms in range(1, 6):
        with pytest.raises(FrameError):
            feed.send((START_MS + ms) * MS, trade(2, 99_000_000_000_000, 40.0, 1.0))


def test_a_year_that_no_record_can_hold_is_refused_however_often_it_comes():
    feed, start = kraken_feed.KrakenFeed(), kraken_feed.START_NS
    feed.send(start, kraken_feed.trades(kraken_feed.trade(1, start, "100", "1")))
    wrong = kraken_feed.trades(kraken_feed.trade(2, start, "100", "1")).replace(b"2023-", b"9999-")
    for ms in range(1, 6):
        with pytest.raises(FrameError):
            feed.send(start + ms * MS, wrong)


def test_best_prices_of_1970_are_refused():
    feed = Feed("binance-usdm")
    feed.send(START_MS * MS, agg_trade(1, START_MS, 40.0, 1.0))
    with pytest.raises(FrameError):
        feed.send(START_MS * MS + 1, book_ticker(1, "40", "41", time_ms=2))
    assert Kind.QUOTE not in feed.kinds()
