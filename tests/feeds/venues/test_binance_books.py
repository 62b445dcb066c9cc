"""What a Binance feed shows as a live book is the venue's."""

import math

import pytest

from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS, depth, snapshot, trade
from tickfloor.board.row import Field
from tickfloor.contracts.records import Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venues.binance.book_sync import ENOUGH_LEVELS

MS = 1_000_000
REF = "/api/v3/depth?symbol=BTCUSDT&limit=1000"
BID, ASK = ["40", "1"], ["41", "1"]
FALLING = [[str(price), "1"] for price in range(1000, 0, -1)]
"""A thousand bids: as many as a snapshot can have, so there may be more."""


def at(ms: int) -> int:
    return (START_MS + ms) * MS


def with_book(bids=(BID,), asks=(ASK,), *, venue: str = "binance") -> Feed:
    """A feed that has a book after the event of id 12."""
    feed = Feed(venue)
    feed.send(at(1), depth(10, 11, START_MS + 1, [BID], [ASK], previous=9))
    feed.adapter.on_http(at(2), REF, snapshot(11, bids, asks))
    feed.send(at(3), depth(12, 12, START_MS + 3, previous=11))
    feed.asked.books.clear()
    return feed


def without(prices) -> list[list[str]]:
    return [[str(price), "0"] for price in prices]


def quality(feed: Feed) -> Quality:
    return feed.publisher.known("BTCUSDT").quality


def test_an_instrument_whose_book_has_not_come_yet_is_not_live():
    feed = Feed()
    feed.send(at(0), trade(1, START_MS, 40.0, 1.0))
    assert quality(feed) is Quality.LIVE
    for ms in range(100):
        feed.send(at(ms), depth(10 + ms, 10 + ms, START_MS + ms, [BID]))
        assert quality(feed) is Quality.GAP
    feed.adapter.on_http(at(100), REF, snapshot(60, [BID], [ASK]))
    assert quality(feed) is Quality.LIVE


def test_a_hole_in_a_book_is_repaired_though_the_event_that_shows_it_has_a_time_of_1970():
    feed = with_book()
    with pytest.raises(FrameError, match="over a day behind"):
        feed.send(at(4), depth(20, 21, 1, [BID]))
    assert feed.adapter.book("BTCUSDT").update_id == 12
    for ms in range(5, 35):
        feed.send(at(ms), depth(17 + ms, 17 + ms, START_MS + ms, [BID]))
    assert feed.asked.books == ["BTCUSDT"]
    assert quality(feed) is Quality.GAP


def test_a_snapshot_with_a_time_of_1970_begins_no_book():
    feed = with_book(venue="binance-usdm")
    feed.send(at(4), depth(20, 21, START_MS + 4, [BID], previous=19))
    with pytest.raises(FrameError, match="over a day behind"):
        feed.adapter.on_http(at(5), REF, snapshot(21, [BID], [ASK])[:-1] + b',"E":1}')
    assert not feed.adapter.book("BTCUSDT").trusted
    assert quality(feed) is Quality.GAP


def test_a_book_that_comes_near_the_end_of_its_snapshot_is_fetched_anew_and_stays_live_meanwhile():
    feed = with_book(FALLING, [["1001", "1"]])
    left = ENOUGH_LEVELS - 1
    feed.send(at(4), depth(13, 14, START_MS + 4, without(range(1000, left, -1))))
    assert feed.asked.books == ["BTCUSDT"]
    assert quality(feed) is Quality.LIVE
    feed.send(at(5), depth(15, 15, START_MS + 5, [["98.5", "7"]]))
    # The answer is older than the newest event, which was kept.
    feed.adapter.on_http(at(6), REF, snapshot(14, [[str(price / 2), "1"] for price in range(2 * left, 0, -1)], []))
    sync = feed.adapter.book("BTCUSDT")
    assert sync.book.top(3)[0] == [(99.0, 1.0), (98.5, 7.0), (98.0, 1.0)]
    assert (sync.update_id, sync.waiting) == (15, 0)
    feed.asked.books.clear()
    feed.send(at(7), depth(16, 16, START_MS + 7, without([99, 98])))
    assert feed.asked.books == []
    assert quality(feed) is Quality.LIVE


def test_a_book_whose_best_prices_have_left_the_snapshot_is_no_live_one_until_another_came():
    feed = with_book(FALLING, [["1001", "1"]])
    # What rests below the levels that the snapshot told was never told.
    feed.send(at(4), depth(13, 14, START_MS + 4, [*without(range(1000, 10, -1)), ["0.5", "1"]]))
    assert feed.asked.books == ["BTCUSDT"]
    assert quality(feed) is Quality.GAP
    feed.adapter.on_http(at(5), REF, snapshot(14, [["10", "1"], ["0.7", "2"], ["0.5", "1"]], [["1001", "1"]]))
    assert quality(feed) is Quality.LIVE
    feed.send(at(6))
    assert feed.board.books[0][1] == [(10.0, 1.0), (0.7, 2.0), (0.5, 1.0)]


@pytest.mark.parametrize(("levels", "in_the_end"), [(20, Quality.LIVE), (19, Quality.GAP)])
def test_where_no_snapshot_can_be_had_levels_around_the_price_are_believed_once_they_have_had_time(levels, in_the_end):
    feed = with_book(FALLING, [["1001", "1"]])
    below = [[f"0.{place}", "1"] for place in range(10, 10 + levels)]
    feed.send(at(4), depth(13, 14, START_MS + 4, [*without(range(1000, 0, -1)), *below]))
    for number, (ms, expected) in enumerate([(5, Quality.GAP), (15_003, Quality.GAP), (15_004, in_the_end)], 15):
        feed.send(at(ms), depth(number, number, START_MS + ms))
        assert quality(feed) is expected
    assert len(feed.asked.books) == 4


def test_a_side_that_a_snapshot_told_whole_may_become_empty():
    feed = with_book(FALLING[-999:], [["1001", "1"]])
    feed.send(at(4), depth(13, 14, START_MS + 4, without(range(999, 0, -1))))
    assert feed.asked.books == []
    assert quality(feed) is Quality.LIVE


@pytest.mark.parametrize("bid", ["41", "45"])
def test_a_crossed_book_is_given_up_until_a_snapshot(bid):
    feed = with_book()
    feed.send(at(4), depth(13, 14, START_MS + 4, [[bid, "1"]]))
    assert feed.asked.books == ["BTCUSDT"]
    feed.send(at(5), depth(15, 15, START_MS + 5))
    assert quality(feed) is Quality.GAP
    assert feed.adapter.statistics().books["BTCUSDT"].crossings == 1
    feed.adapter.on_http(at(6), REF, snapshot(14, [[bid, "1"]], [["46", "1"]]))
    assert quality(feed) is Quality.LIVE


def test_a_crossed_snapshot_is_no_book_and_another_is_asked_for():
    feed = with_book()
    feed.adapter.on_http(at(4), REF, snapshot(13, [["42", "1"]], [ASK]))
    assert feed.asked.books == ["BTCUSDT"]
    assert quality(feed) is Quality.GAP
    assert feed.adapter.book("BTCUSDT").book.top(1) == ([], [])


def test_a_gap_of_the_book_leaves_no_best_price_of_it():
    feed = with_book()
    assert feed.publisher.known("BTCUSDT").row[Field.BID] == 40.0
    feed.send(at(4), depth(13, 14, START_MS + 4, [["45", "1"]]))
    bid = feed.publisher.known("BTCUSDT").row[Field.BID]
    assert math.isnan(bid)
