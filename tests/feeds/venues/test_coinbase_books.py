import pytest

from tests.feeds.venues.coinbase_feed import (
    SECOND_NS,
    START_NS,
    CoinbaseFeed,
    book,
    frame,
    heartbeat,
    level,
    subscriptions,
    trade,
    trades,
)
from tickfloor.board.row import Field
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.venue import Channel, Resubscribe, StreamKey

BOOK = StreamKey(Channel.BOOK, "BTC-USD")


def snapshot(number, *, product="BTC-USD"):
    return book(
        number, level("bid", "99", "1"), level("bid", "98", "2"), level("offer", "101", "3"),
        level("offer", "102", "4"), kind="snapshot", product=product,
    )  # fmt: skip


def top(feed):
    return feed.board.books[0][1:]


def test_a_snapshot_and_its_changes_make_a_book():
    feed = CoinbaseFeed()
    feed.send(snapshot(0))
    assert top(feed) == ([(99.0, 1.0), (98.0, 2.0)], [(101.0, 3.0), (102.0, 4.0)])
    feed.send(book(1, level("bid", "99", "0"), level("offer", "100.5", "7"), level("bid", "97", "0")))
    assert top(feed) == ([(98.0, 2.0)], [(100.5, 7.0), (101.0, 3.0), (102.0, 4.0)])
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE


def test_a_later_snapshot_replaces_the_book():
    feed = CoinbaseFeed()
    feed.send(snapshot(0), book(1, level("bid", "50", "1"), kind="snapshot"))
    assert top(feed) == ([(50.0, 1.0)], [])


def test_books_make_the_best_prices_until_a_ticker_brings_them():
    feed = CoinbaseFeed()
    feed.send(snapshot(0))
    assert feed.board.rows[0][Field.BID : Field.ASK_SIZE + 1] == [99.0, 1.0, 101.0, 3.0]


def test_decimals_are_learnt_from_the_levels_near_the_price():
    feed = CoinbaseFeed()
    feed.send(book(0, level("bid", "99.125", "0.5"), level("offer", "101", "0.0625"), kind="snapshot"))
    assert (feed.board.rows[0][Field.PRICE_DECIMALS], feed.board.rows[0][Field.QTY_DECIMALS]) == (3, 4)


def test_a_book_has_the_time_of_its_change():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)))
    feed.send(book(1, level("bid", "99", "1", time_ns=START_NS + 5_000_000), kind="snapshot"))
    assert feed.records(Kind.BOOK)[-1].ts_event == START_NS + 5_000_000


def test_a_snapshot_of_1970_has_no_time():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)))
    feed.send(book(1, level("bid", "99", "1", time_ns=SECOND_NS), kind="snapshot"))
    assert feed.records(Kind.BOOK)[-1].ts_event == START_NS + 1_000_000


def test_changes_without_a_snapshot_are_left_out_and_one_is_asked_for():
    feed = CoinbaseFeed()
    change = level("bid", "99", "1")
    assert feed.send(book(0, change)) == Resubscribe((BOOK,), "there is no snapshot")
    assert feed.send(book(1, change)) is None
    assert feed.records(Kind.BOOK) == []
    feed.now += 10 * SECOND_NS
    assert feed.send(book(2, change)) == Resubscribe((BOOK,), "there is no snapshot")
    assert feed.adapter.left_out() == {"book changes without the snapshot that they belong to (coinbase)": 3}


def test_the_connection_with_the_newest_snapshot_keeps_the_book():
    feed = CoinbaseFeed()
    old, new = feed.read, feed.adapter.reader("book-2")
    feed.send(snapshot(0))
    new(feed.now, book(0, level("bid", "90", "1"), kind="snapshot"))
    feed.send(book(1, level("bid", "95", "1")))
    assert top(feed) == ([(90.0, 1.0)], [])
    new(feed.now, book(1, level("bid", "91", "1")))
    feed.send()
    assert top(feed) == ([(91.0, 1.0), (90.0, 1.0)], [])
    old(feed.now, snapshot(2))
    feed.send()
    assert top(feed)[0] == [(99.0, 1.0), (98.0, 2.0)]


def test_what_a_connection_loses_is_no_harm_to_a_book_that_another_keeps():
    feed = CoinbaseFeed()
    new = feed.adapter.reader("book-2")
    feed.send(snapshot(0))
    new(feed.now, snapshot(0))
    feed.send(heartbeat(7, 1))
    assert feed.adapter.book("BTC-USD").trusted
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE


def test_a_book_whose_keeper_has_fallen_silent_is_asked_for_where_changes_come():
    feed = CoinbaseFeed()
    feed.send(snapshot(0))
    other = feed.adapter.reader("book-2")
    change = level("bid", "99", "9")
    assert other(feed.now + 9 * SECOND_NS, book(5, change)) is None
    feed.send()
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE
    assert other(feed.now + 11 * SECOND_NS, book(6, change)) == Resubscribe((BOOK,), "there is no snapshot")
    feed.send()
    assert feed.board.rows[0][Field.QUALITY] == Quality.GAP


def test_an_empty_book_is_a_book_and_an_empty_change_is_none():
    feed = CoinbaseFeed()
    feed.send(book(0, kind="snapshot"), book(1))
    assert top(feed) == ([], [])
    assert feed.adapter.book("BTC-USD").trusted


def test_a_frame_with_several_books_is_applied_whole_or_not_at_all():
    feed = CoinbaseFeed()
    feed.send(snapshot(0), snapshot(1, product="ETH-USD"))
    good = {"type": "update", "product_id": "BTC-USD", "updates": [level("bid", "99", "5")]}
    far = level("bid", "99", "6", time_ns=START_NS + 7 * 86_400 * SECOND_NS)
    bad = {"type": "update", "product_id": "ETH-USD", "updates": [far]}
    before = len(feed.records(Kind.BOOK))
    assert feed.refused(frame("l2_data", 2, good, bad))
    assert len(feed.records(Kind.BOOK)) == before


@pytest.mark.parametrize(
    "change",
    [
        {"side": "ask"}, {"side": None}, {"price_level": "0"}, {"price_level": "x"}, {"new_quantity": "-1"},
        {"new_quantity": "nan"}, {"new_quantity": None}, {"event_time": "now"},
    ],
)  # fmt: skip
def test_a_book_of_which_a_change_cannot_be_read_is_asked_for_and_no_other(change):
    feed = CoinbaseFeed()
    feed.send(snapshot(0), snapshot(1, product="ETH-USD"))
    assert feed.refused(book(2, level("offer", "101", "1"), {**level("bid", "99", "5"), **change}))
    assert (feed.adapter.book("BTC-USD").trusted, feed.adapter.book("ETH-USD").trusted) == (False, True)
    assert feed.board.rows[0][Field.QUALITY] == Quality.GAP
    assert feed.send(heartbeat(3, 1)) == Resubscribe((BOOK,), "changes of a book cannot be read")
    assert feed.send(snapshot(4)) is None
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE


def test_an_instrument_whose_book_has_not_come_yet_is_not_live():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)))
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE
    for number in range(1, 30):
        feed.send(book(number, level("bid", "100", "1")))
        assert feed.board.rows[0][Field.QUALITY] == Quality.GAP
    feed.send(snapshot(30))
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE


BAD = level("bid", "-50", "1")


@pytest.mark.parametrize("name", ["BTC-USD", 7])
def test_a_snapshot_that_is_refused_on_a_new_connection_is_asked_for_anew(name):
    feed = CoinbaseFeed()
    feed.send(subscriptions(0, level2=["BTC-USD"]), snapshot(1), snapshot(2, product="ETH-USD"))
    feed.read = feed.adapter.reader("book-1#2")
    feed.send(subscriptions(0, level2=["BTC-USD"]))
    assert feed.refused(book(1, BAD, kind="snapshot", product=name))
    assert feed.send(heartbeat(2, 1)) == Resubscribe((BOOK,), "changes of a book cannot be read")
    assert [feed.board.rows[row][Field.QUALITY] for row in (0, 1)] == [Quality.GAP, Quality.LIVE]
    feed.send(snapshot(3))
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE


def test_a_snapshot_that_a_new_connection_may_have_lost_is_asked_for_anew():
    feed = CoinbaseFeed()
    feed.send(snapshot(0))
    feed.read = feed.adapter.reader("book-1#2")
    feed.send(subscriptions(0, level2=["BTC-USD"]))
    assert feed.send(heartbeat(2, 1)) == Resubscribe((BOOK,), "frames are missing")
    assert feed.board.rows[0][Field.QUALITY] == Quality.GAP


def test_what_is_refused_on_the_connection_that_has_handed_a_book_over_is_no_harm():
    feed = CoinbaseFeed()
    feed.send(snapshot(0))
    feed.adapter.reader("book-1#2")(feed.now, snapshot(0))
    assert feed.refused(book(1, BAD))
    assert feed.send(heartbeat(2, 1)) is None
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE


def test_products_without_a_board_row_are_counted():
    feed = CoinbaseFeed(capacity=0)
    assert feed.send(snapshot(0)) is None
    assert feed.send(book(1, level("bid", "99", "1"))) is None
    assert feed.adapter.left_out() == {"items of instruments without a board row (coinbase)": 2}
