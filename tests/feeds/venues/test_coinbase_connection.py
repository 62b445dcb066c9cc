"""What a connection loses, and what the venue says on it about itself."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.venues.coinbase_feed import (
    SECOND_NS,
    CoinbaseFeed,
    book,
    frame,
    heartbeat,
    level,
    subscriptions,
    ticker,
    trade,
    trades,
)
from tickfloor.board.row import Field
from tickfloor.contracts.records import Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, GoingAway, Listed, Refused, Resubscribe, StreamKey
from tickfloor.feeds.venues.coinbase.sequence import Sequence, Step

PRODUCT = ["BTC-USD"]


def keys(*channels: Channel, product: str = "BTC-USD") -> tuple[StreamKey, ...]:
    return tuple(sorted(StreamKey(channel, product) for channel in channels))


def opened() -> CoinbaseFeed:
    """A feed after frames 0 to 4: a book, a trade, and the list of four streams."""
    feed = CoinbaseFeed()
    feed.send(
        trades(0, trade(1)), book(1, level("bid", "99", "1"), kind="snapshot"), ticker(2), heartbeat(3, 41),
        subscriptions(4, level2=PRODUCT, market_trades=PRODUCT, ticker=PRODUCT, heartbeats=["heartbeats"]),
    )  # fmt: skip
    return feed


ALL = keys(Channel.BOOK, Channel.TRADES, Channel.QUOTES, Channel.TICKERS)


def test_a_jump_of_the_sequence_makes_books_gaps_and_asks_for_every_stream():
    feed = opened()
    assert feed.send(ticker(6)) == Resubscribe(ALL, "frames are missing")
    assert feed.board.rows[0][Field.QUALITY] == Quality.GAP
    assert feed.adapter.book("BTC-USD").gaps == 1
    assert feed.send(ticker(7)) is None


def test_a_book_is_live_again_after_its_next_snapshot_and_not_before():
    feed = opened()
    feed.send(ticker(6), book(7, level("bid", "98", "1")))
    assert feed.board.rows[0][Field.QUALITY] == Quality.GAP
    feed.send(book(8, level("bid", "97", "1"), kind="snapshot"))
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE
    assert feed.board.books[0][1:] == ([(97.0, 1.0)], [])


def test_the_frame_that_shows_a_loss_is_used():
    feed = opened()
    feed.send(trades(6, trade(2)))
    assert feed.trade_ids() == [1, 2]


def test_only_the_connection_that_lost_something_asks():
    feed = opened()
    other = feed.adapter.reader("market-2")
    assert other(feed.now, ticker(0)) is None
    assert other(feed.now, ticker(5)) is None
    assert feed.send(ticker(5)) is None


def test_a_connection_may_be_joined_at_any_number():
    feed = CoinbaseFeed()
    assert feed.send(book(77, level("bid", "99", "1"), kind="snapshot"), book(78, level("bid", "98", "1"))) is None
    assert feed.adapter.book("BTC-USD").updates == 2


def test_old_frames_change_no_book_and_no_quote_but_their_trades_count():
    feed = opened()
    feed.send(book(5, level("bid", "99", "5")), book(1, level("bid", "99", "1")))
    feed.send(ticker(6, best_bid="50"), ticker(2, best_bid="1"))
    feed.send(ticker(7, best_bid="50"), trades(0, trade(2)))
    assert feed.board.books[0][1:] == ([(99.0, 5.0)], [])
    assert feed.board.rows[0][Field.BID] == 50.0
    assert feed.trade_ids() == [1, 2]
    assert feed.adapter.left_out() == {"frames that newer ones have overtaken (coinbase)": 2}


def test_a_frame_that_came_twice_is_no_loss():
    feed = opened()
    assert feed.send(ticker(5), ticker(5)) is None
    assert feed.send(ticker(6)) is None
    assert feed.adapter.book("BTC-USD").trusted


def test_old_frames_between_new_ones_are_no_numbering_begun_anew():
    feed = opened()
    for number in (5, 2, 6, 3, 7, 4, 8):
        assert feed.send(ticker(number)) is None


def test_an_old_frame_that_is_refused_changes_nothing():
    feed = opened()
    assert feed.refused(ticker(2).replace(b'"product_id":"BTC-USD"', b'"product_id":7'))
    assert feed.send(ticker(5)) is None


def test_a_list_that_shows_a_loss_is_told_and_the_loss_with_the_next_frame():
    feed = opened()
    eth = StreamKey(Channel.BOOK, "ETH-USD")
    listed = feed.send(subscriptions(6, level2=["BTC-USD", "ETH-USD"], market_trades=PRODUCT, ticker=PRODUCT))
    assert listed == Listed(frozenset({*ALL, eth}))
    assert feed.board.rows[0][Field.QUALITY] == Quality.GAP
    assert feed.send(ticker(7)) == Resubscribe(tuple(sorted({*ALL, eth})), "frames are missing")
    assert feed.send(ticker(8)) is None


def test_a_numbering_that_begins_anew_is_a_loss_and_then_goes_on():
    feed = opened()
    assert feed.send(ticker(0)) is None
    assert feed.send(ticker(1)) == Resubscribe(ALL, "frames are missing")
    assert feed.send(ticker(2), ticker(3)) is None


def test_a_missing_heartbeat_is_a_loss():
    feed = opened()
    assert feed.send(heartbeat(5, 42)) is None
    assert feed.send(heartbeat(6, 44)) == Resubscribe(ALL, "heartbeats are missing")
    assert feed.board.rows[0][Field.QUALITY] == Quality.GAP
    assert feed.send(heartbeat(7, 45)) is None


def test_a_heartbeat_counts_once_as_missing_when_the_sequence_has_shown_it():
    feed = opened()
    assert feed.send(ticker(6)) is not None
    assert feed.send(heartbeat(7, 43)) is None


def test_heartbeats_may_be_counted_in_strings():
    feed = opened()
    assert feed.send(heartbeat(5, "42"), heartbeat(6, "43")) is None


def test_a_connection_whose_heartbeats_stop_is_to_be_replaced_which_is_said_once():
    feed = opened()
    feed.now += 14 * SECOND_NS
    assert feed.send(ticker(5)) is None
    feed.now += SECOND_NS
    assert feed.send(ticker(6)) == GoingAway()
    assert feed.send(ticker(7)) is None


def test_a_connection_without_heartbeats_is_not_blamed_for_it():
    feed = CoinbaseFeed()
    feed.send(ticker(0))
    feed.now += 3600 * SECOND_NS
    assert feed.send(ticker(1)) is None


def test_the_list_is_everything_that_is_subscribed_to():
    feed = CoinbaseFeed()
    found = feed.send(
        subscriptions(0, level2=PRODUCT, ticker=["ETH-USD"], candles=PRODUCT, heartbeats=["heartbeats"], future=["X"])
    )
    assert found == Listed(frozenset(keys(Channel.BOOK) + keys(Channel.QUOTES, Channel.TICKERS, product="ETH-USD")))
    assert feed.send(subscriptions(1)) == Listed(frozenset())
    assert feed.send(frame("subscriptions", 2)) == Listed(frozenset())


def test_a_refusal_names_no_streams():
    feed = CoinbaseFeed()
    reason = "too many L2 streams requested in a single session"
    assert feed.send(json.dumps({"type": "error", "message": reason}).encode()) == Refused(None, None, reason)
    assert feed.send(b'{"type":"error"}') == Refused(None, None, "an error without message")


def test_channels_that_are_not_used_are_counted_and_number_their_frames():
    feed = opened()
    feed.send(frame("candles", 5, {"type": "update"}), frame("status", 6), frame("brand_new", 7), b'{"type":"hello"}')
    assert feed.send(ticker(8)) is None
    assert feed.adapter.left_out() == {
        "frames of candles (coinbase)": 1, "frames of status (coinbase)": 1, "frames of other (coinbase)": 2,
    }  # fmt: skip


def test_a_refused_frame_that_is_not_about_a_book_costs_nothing_else():
    feed = opened()
    assert feed.refused(trades(5, {**trade(2), "size": "0"}))
    assert feed.refused(ticker(6, best_bid="x"))
    assert feed.send(ticker(7)) is None
    assert feed.adapter.book("BTC-USD").trusted
    feed.send(trades(8, trade(3)))
    assert feed.asked.ranges == [("BTC-USD", 2, 2)]


def test_a_frame_of_which_nothing_can_be_read_is_missing():
    feed = opened()
    assert feed.refused(ticker(5)[:-9])
    assert feed.adapter.book("BTC-USD").trusted, "not even that it was the next one is known yet"
    assert feed.send(ticker(6)) == Resubscribe(ALL, "frames are missing")


def test_a_loss_is_not_forgotten_over_a_refused_frame():
    feed = opened()
    assert feed.refused(ticker(7, best_bid="x"))
    assert feed.send(ticker(8)) == Resubscribe(ALL, "frames are missing")


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b'{"channel":"ticker"}', b'{"channel":7}',
        b'{"channel":"ticker","sequence_num":-1,"events":[]}', b'{"channel":"ticker","sequence_num":"x","events":[]}',
        b'{"channel":"heartbeats","sequence_num":0,"events":[{"heartbeat_counter":"x"}]}',
        b'{"channel":"subscriptions","sequence_num":0,"events":[{"subscriptions":[]}]}',
        b'{"channel":"l2_data","sequence_num":0,"events":[{"type":"other","product_id":"X","updates":[]}]}',
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_malformed_frames_are_refused(payload):
    feed = CoinbaseFeed()
    assert feed.refused(payload)
    assert feed.tape.records == []


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(payload):
    feed = CoinbaseFeed()
    try:
        feed.read(feed.now, payload)
    except FrameError:
        assert feed.tape.records == []


@given(st.lists(st.integers(0, 12), max_size=40))
def test_every_number_is_judged_and_a_long_run_is_always_believed(numbers):
    sequence = Sequence()
    for number in numbers:
        sequence.accept(number, sequence.judge(number))
    start = 5
    for number in range(start, start + 3):
        sequence.accept(number, sequence.judge(number))
    assert [sequence.judge(start + 3)] == [Step.NEXT]


@given(st.sets(st.integers(1, 30), max_size=10))
def test_each_stretch_of_missing_frames_is_one_loss(missing):
    sequence = Sequence()
    losses = 0
    kept = [number for number in range(40) if number not in missing]
    for number in kept:
        step = sequence.judge(number)
        losses += step is Step.LOST
        sequence.accept(number, step)
    assert losses == sum(after - before > 1 for before, after in pairwise(kept))
