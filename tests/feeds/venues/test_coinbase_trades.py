import pytest

from tests.feeds.venues.coinbase_feed import START_NS, CoinbaseFeed, answer, frame, trade, trades
from tickfloor.board.row import Field
from tickfloor.contracts.records import Kind, Quality, Side
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, StreamKey

TICKER_URL = "https://api.coinbase.com/api/v3/brokerage/market/products/BTC-USD/ticker?limit=1000"


@pytest.mark.parametrize("audit", [False, True])
def test_trades_of_a_frame_are_published_from_the_oldest_to_the_newest(audit):
    feed = CoinbaseFeed(audit=audit)
    feed.send(trades(0, trade(7), trade(6), trade(5)))
    assert feed.trade_ids() == [5, 6, 7]
    assert feed.records(Kind.QUALITY)[-1].code == Quality.LIVE


def test_the_taker_s_side_is_the_other_one():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1, side="BUY")), trades(1, trade(2, side="SELL")), trades(2, trade(3, side="UNSAID")))
    assert [record.code for record in feed.records(Kind.TRADE)] == [Side.SELL, Side.BUY, Side.UNKNOWN]


def test_a_first_snapshot_only_says_which_trade_is_next():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(9), trade(8), kind="snapshot"))
    assert feed.trade_ids() == []
    feed.send(trades(1, trade(10)))
    assert feed.trade_ids() == [10]
    feed.send(trades(2, trade(12)))
    assert feed.asked.ranges == [("BTC-USD", 11, 11)]
    assert feed.adapter.left_out() == {"trades before the first (coinbase)": 2}


def test_trades_missed_between_the_first_snapshot_and_the_first_trade_are_missed():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(9), kind="snapshot"), trades(1, trade(12)))
    assert feed.asked.ranges == [("BTC-USD", 10, 11)]


def test_a_later_snapshot_brings_what_is_missing_and_nothing_twice():
    feed = CoinbaseFeed(audit=True)
    feed.send(trades(0, trade(1)), trades(1, trade(2)))
    feed.send(trades(2, *(trade(number) for number in range(6, 0, -1)), kind="snapshot"))
    assert feed.trade_ids() == [1, 2, 3, 4, 5, 6]
    assert feed.joins.behind("BTC-USD") == 0
    feed.send(trades(3, trade(6)), trades(4, trade(7)))
    assert feed.trade_ids() == [1, 2, 3, 4, 5, 6, 7]
    assert feed.adapter.figures()["coinbase:BTC-USD"]["trades"] == 7
    assert feed.adapter.left_out() == {"duplicate trades (coinbase)": 1}


def test_a_rest_answer_fills_a_hole_that_live_trades_have_passed():
    feed = CoinbaseFeed(audit=True)
    feed.send(trades(0, trade(1)), trades(1, trade(4)))
    assert feed.board.rows[0][Field.QUALITY] == Quality.GAP
    feed.adapter.on_http(feed.now, TICKER_URL, answer(trade(4), trade(3, price="0.1"), trade(2), trade(1)))
    assert sorted(feed.trade_ids()) == [1, 2, 3, 4]
    feed.send(trades(2, trade(5)))
    assert feed.board.rows[0][Field.QUALITY] == Quality.LIVE
    found = feed.adapter.figures()["coinbase:BTC-USD"]
    assert (found["trades"], found["min"], found["qty"]) == (5, "0.1", "1.25")


def test_ids_that_an_answer_leaves_out_are_not_asked_for_again():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)), trades(1, trade(4)))
    feed.adapter.on_http(feed.now, TICKER_URL, answer(trade(4), trade(2), trade(1)))
    assert (feed.joins.statistics().left_out, feed.joins.statistics().missing) == (1, 0)


def test_an_answer_that_does_not_reach_back_says_nothing_of_what_is_older():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)), trades(1, trade(9)))
    feed.adapter.on_http(feed.now, TICKER_URL, answer(trade(9), trade(8), trade(7)))
    assert feed.joins.statistics().missing == 5


def test_the_newest_trade_shows_that_a_stream_is_behind():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)))
    feed.adapter.on_http(feed.now, TICKER_URL, answer(trade(3)))
    assert feed.joins.behind("BTC-USD") == 2


def test_answers_of_another_product_are_refused_whole():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)))
    with pytest.raises(FrameError, match="in the answer for"):
        feed.adapter.on_http(feed.now, TICKER_URL, answer(trade(2), trade(3, product="ETH-USD")))
    assert feed.trade_ids() == [1]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"trades":[{}]}', b"\xff", answer({**trade(2), "size": "0"})])
def test_malformed_answers_are_refused(body):
    feed = CoinbaseFeed()
    with pytest.raises(FrameError):
        feed.adapter.on_http(feed.now, TICKER_URL, body)


def test_an_empty_answer_changes_nothing():
    feed = CoinbaseFeed()
    feed.adapter.on_http(feed.now, TICKER_URL, answer())
    assert feed.tape.records == []


def test_trades_of_several_products_in_a_frame_go_to_each():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(3), trade(900, product="ETH-USD"), trade(2)))
    found = [(feed.board.instruments[r.instrument].symbol, int(r.c)) for r in feed.records(Kind.TRADE)]
    assert found == [("BTC-USD", 2), ("BTC-USD", 3), ("ETH-USD", 900)]


def test_one_refused_trade_does_not_hold_up_the_others_of_its_frame():
    feed = CoinbaseFeed()
    far = START_NS + 7 * 86_400 * 1_000_000_000
    feed.send(trades(0, trade(1)), trades(1, trade(4), trade(3, time_ns=far), trade(2)))
    assert feed.trade_ids() == [1, 2, 4]
    assert feed.adapter.left_out() == {"trades refused by their time or id (coinbase)": 1}


def test_a_frame_whose_only_trade_is_refused_is_refused():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)))
    assert feed.refused(trades(1, trade(2, time_ns=START_NS + 7 * 86_400 * 1_000_000_000)))
    assert feed.trade_ids() == [1]


@pytest.mark.parametrize(
    "change",
    [
        {"price": "0"}, {"price": "-1"}, {"price": "nan"}, {"price": ""}, {"price": None}, {"size": "0"},
        {"size": "1e400"}, {"trade_id": "x"}, {"trade_id": "-1"}, {"trade_id": str(2**60)}, {"time": "yesterday"},
        {"time": 5}, {"product_id": ""}, {"product_id": "B T"}, {"product_id": "x" * 99}, {"side": 1},
    ],
)  # fmt: skip
def test_a_frame_with_a_malformed_trade_is_refused_whole(change):
    feed = CoinbaseFeed(audit=True)
    assert feed.refused(trades(0, trade(1), {**trade(2), **change}))
    assert feed.tape.records == []


def test_exact_figures_need_the_digits_so_numbers_that_are_no_strings_are_refused_then():
    item = {**trade(1), "price": 100.5}
    assert CoinbaseFeed(audit=True).refused(trades(0, item))
    assert not CoinbaseFeed().refused(trades(0, item))


def test_products_without_a_board_row_are_named_and_counted():
    feed = CoinbaseFeed(capacity=1)
    feed.send(trades(0, trade(1)), trades(1, trade(1, product="ETH-USD")))
    feed.send(trades(2, trade(2, product="ETH-USD"), kind="snapshot"))
    assert feed.adapter.refused() == ("ETH-USD",)
    assert feed.adapter.left_out() == {"items of instruments without a board row (coinbase)": 2}
    assert StreamKey(Channel.TRADES, "ETH-USD") in feed.adapter.heard


def test_a_frame_without_trades_is_no_trade():
    feed = CoinbaseFeed(audit=True)
    feed.send(trades(0), trades(1, kind="snapshot"), frame("market_trades", 2))
    assert feed.tape.records == []
