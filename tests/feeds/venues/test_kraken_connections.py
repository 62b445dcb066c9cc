"""Of two connections one may have ended, or have had a wrong clock: what is shown as live is what the venue has."""

import contextlib
import zlib

import pytest

from tests.feeds.venues.kraken_feed import START_NS, KrakenFeed, answer, book, rfc3339, ticker, trade, trades
from tickfloor.board.row import Field
from tickfloor.contracts.records import Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venues.kraken.connection_life import SILENT_NS

SECOND = 1_000_000_000
OLD = ([("100.0", "1.0")], [("101.0", "1.0")])
NEW = ([("50.0", "3.0")], [("51.0", "1.0")])
HEARTBEAT = b'{"channel":"heartbeat"}'
FIRST, SECOND_ONE = "market-1#1", "market-1#2"


def checksum(bids, asks) -> int:
    digits = [number.replace(".", "").lstrip("0") for level in (*asks, *bids) for number in level]
    return zlib.crc32("".join(digits).encode())


def whole(levels, ns: int | None) -> bytes:
    return book("snapshot", *levels, checksum(*levels), ns)


def quote(bid: float, ns: int) -> bytes:
    return ticker(bid=bid, ask=bid + 1.0, timestamp=rfc3339(ns))


def shown(feed: KrakenFeed):
    _, bids, asks = feed.board.books[0]
    return bids, asks


def bid(feed: KrakenFeed) -> float:
    return feed.publisher.known("BTC/USD").row[Field.BID]


def quality(feed: KrakenFeed) -> Quality:
    return feed.publisher.known("BTC/USD").quality


def test_a_snapshot_without_time_takes_the_place_of_a_book_whose_connection_is_lost():
    feed = KrakenFeed()
    feed.send(START_NS, whole(OLD, None), by=FIRST)
    more = [("100.0", "2.0")]
    feed.send(START_NS + SECOND, book("update", more, [], checksum(more, OLD[1]), START_NS + SECOND), by=FIRST)
    feed.send(START_NS + 12 * SECOND, whole(NEW, None), by=SECOND_ONE)
    assert shown(feed) == ([(50.0, 3.0)], [(51.0, 1.0)])


def test_a_snapshot_that_came_too_soon_to_know_that_the_other_connection_was_lost_is_shown_soon():
    feed = KrakenFeed()
    feed.send(START_NS, whole(OLD, START_NS), by=FIRST)
    feed.send(START_NS + SECOND, whole(NEW, None), by=SECOND_ONE)
    assert shown(feed)[0] == [(100.0, 1.0)]
    for seconds in (2, 3):
        feed.send(START_NS + seconds * SECOND, HEARTBEAT, by=SECOND_ONE)
    assert shown(feed)[0] == [(50.0, 3.0)]


def test_a_book_is_not_turned_back_as_long_as_the_connection_that_is_further_on_lives():
    feed = KrakenFeed()
    feed.send(START_NS, whole(OLD, START_NS), by=FIRST)
    feed.send(START_NS, whole(NEW, START_NS - SECOND), by=SECOND_ONE)
    for seconds in range(1, 20):
        feed.send(START_NS + seconds * SECOND, HEARTBEAT, by=FIRST)
        feed.send(START_NS + seconds * SECOND, HEARTBEAT, by=SECOND_ONE)
    assert shown(feed)[0] == [(100.0, 1.0)]


def test_a_new_connection_s_book_is_shown_though_the_venue_s_clock_went_back():
    feed = KrakenFeed()
    feed.send(START_NS, whole(OLD, START_NS), by=FIRST)
    back = START_NS - 600 * SECOND
    feed.send(START_NS + 12 * SECOND, whole(NEW, back), by=SECOND_ONE)
    for seconds in range(13, 60):
        bids = [("50.0", f"{seconds}.0")]
        message = book("update", bids, [], checksum(bids, NEW[1]), back + seconds * SECOND)
        feed.send(START_NS + seconds * SECOND, message, by=SECOND_ONE)
        assert shown(feed)[0] == [(50.0, float(seconds))]


def test_a_book_that_was_unsubscribed_on_one_connection_does_not_hold_up_the_other_s():
    feed = KrakenFeed()
    feed.send(START_NS, whole(OLD, START_NS), by=FIRST)
    ended = answer("unsubscribe", success=True, result={"channel": "book", "symbol": "BTC/USD", "depth": 10})
    feed.send(START_NS + 1, ended, by=FIRST)
    feed.send(START_NS + 2, whole(NEW, None), by=SECOND_ONE)
    assert shown(feed)[0] == [(50.0, 3.0)]


def test_messages_that_no_snapshot_came_before_are_a_gap_once_the_connection_of_the_book_is_lost():
    feed = KrakenFeed()
    feed.send(START_NS, whole(OLD, START_NS), by=FIRST)
    later = START_NS + SILENT_NS
    feed.send(later, book("update", [("99.0", "1.0")], [], 5, later), by=SECOND_ONE)
    assert quality(feed) is Quality.LIVE
    feed.send(later + 1, book("update", [("99.0", "1.0")], [], 5, later + 1), by=SECOND_ONE)
    assert quality(feed) is Quality.GAP


def test_an_instrument_whose_book_has_not_come_yet_is_not_live():
    feed = KrakenFeed()
    feed.send(START_NS, trades(trade(1, START_NS, "100", "1")))
    assert quality(feed) is Quality.LIVE
    for seconds in range(30):
        ns = START_NS + seconds * SECOND
        feed.send(ns, book("update", [("1.0", "1.0")], [], 5, ns))
        assert quality(feed) is Quality.GAP


def test_best_prices_follow_when_one_ticker_was_nearly_a_minute_ahead():
    feed = KrakenFeed()
    feed.send(START_NS, quote(40.0, START_NS))
    feed.send(START_NS + SECOND, quote(41.0, START_NS + 55 * SECOND))
    for seconds in range(2, 30):
        feed.send(START_NS + seconds * SECOND, quote(50.0 + seconds, START_NS + seconds * SECOND))
        assert bid(feed) == 50.0 + seconds


def test_best_prices_follow_when_a_clock_that_was_an_hour_ahead_is_set_right():
    feed = KrakenFeed()
    feed.send(START_NS, quote(40.0, START_NS))
    for seconds in range(1, 5):
        with contextlib.suppress(FrameError):
            feed.send(START_NS + seconds * SECOND, quote(41.0, START_NS + (3_600 + seconds) * SECOND))
    for seconds in range(5, 600):
        feed.send(START_NS + seconds * SECOND, quote(50.0 + seconds, START_NS + seconds * SECOND))
        assert bid(feed) == 50.0 + seconds


@pytest.mark.parametrize(("silent_ns", "shown_bid"), [(SILENT_NS, 40.0), (SILENT_NS + 1, 50.0)])
def test_older_best_prices_of_another_connection_wait_until_the_newer_one_s_is_lost(silent_ns, shown_bid):
    feed = KrakenFeed()
    feed.send(START_NS, quote(40.0, START_NS + 30 * SECOND), by=FIRST)
    feed.send(START_NS + silent_ns, quote(50.0, START_NS + silent_ns), by=SECOND_ONE)
    assert bid(feed) == shown_bid


def test_a_connection_that_is_further_on_leads_though_the_other_one_s_time_was_once_nearly_a_minute_ahead():
    feed = KrakenFeed()
    asks = OLD[1]
    feed.send(START_NS, whole(OLD, START_NS), by=FIRST)
    feed.send(START_NS, whole(OLD, START_NS), by=SECOND_ONE)
    for qty, ns, by in (("2.0", 55_000_000, FIRST), ("3.0", 1, FIRST), ("2.0", 0, SECOND_ONE), ("4.0", 2, SECOND_ONE)):
        bids = [("100.0", qty)]
        feed.send(START_NS + SECOND, book("update", bids, [], checksum(bids, asks), START_NS + ns * 1_000), by=by)
    assert shown(feed)[0] == [(100.0, 4.0)]
