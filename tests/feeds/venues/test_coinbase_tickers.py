import math

import pytest

from tests.feeds.venues.coinbase_feed import SECOND_NS, CoinbaseFeed, ticker, trade, trades
from tickfloor.board.row import Field
from tickfloor.contracts.records import Kind
from tickfloor.feeds.venue import Channel, StreamKey


def test_a_ticker_is_a_quote_and_statistics():
    feed = CoinbaseFeed()
    feed.send(ticker(0))
    row = feed.board.rows[0]
    assert row[Field.BID : Field.ASK_SIZE + 1] == [109.5, 1.5, 110.5, 2.5]
    assert row[Field.OPEN_24H : Field.CHANGE_24H + 1] == [100.0, 120.0, 95.25, 10.0]
    assert row[Field.VOLUME_24H] == 12.5
    assert math.isnan(row[Field.QUOTE_VOLUME_24H])
    assert math.isnan(row[Field.TRADES_24H])


def test_statistics_are_published_when_they_change_and_quotes_always():
    feed = CoinbaseFeed()
    feed.send(ticker(0), ticker(1), ticker(2, best_bid="109.6"))
    assert (len(feed.records(Kind.QUOTE)), len(feed.records(Kind.STATS))) == (3, 2)
    feed.send(ticker(3, volume_24_h="12.6"))
    assert (len(feed.records(Kind.QUOTE)), len(feed.records(Kind.STATS))) == (4, 4)


@pytest.mark.parametrize("nothing", ["", "0", "0.00"])
def test_a_side_without_orders_is_empty(nothing):
    feed = CoinbaseFeed()
    feed.send(ticker(0, best_bid=nothing, best_bid_quantity=nothing))
    row = feed.board.rows[0]
    assert math.isnan(row[Field.BID])
    assert math.isnan(row[Field.BID_SIZE])
    assert (row[Field.ASK], row[Field.ASK_SIZE]) == (110.5, 2.5)


def test_numbers_that_the_venue_does_not_know_are_unknown():
    feed = CoinbaseFeed()
    feed.send(ticker(0, price="", high_24_h="", low_24_h="", price_percent_chg_24_h="", volume_24_h=""))
    assert all(math.isnan(value) for value in feed.board.rows[0][Field.OPEN_24H : Field.TRADES_24H + 1])


def test_the_computed_opening_price_has_the_venue_s_decimals():
    feed = CoinbaseFeed()
    feed.send(ticker(0, price="65083.67", high_24_h="65252.99", low_24_h="64675.22",
                     price_percent_chg_24_h="0.09215094484708"))  # fmt: skip
    assert feed.board.rows[0][Field.OPEN_24H] == 65023.75
    assert feed.board.rows[0][Field.PRICE_DECIMALS] == 2


def test_a_ticker_does_not_close_the_minute_of_trades_that_are_on_their_way():
    feed = CoinbaseFeed()
    feed.send(trades(0, trade(1)))
    feed.now += 60 * SECOND_NS
    feed.send(ticker(1), trades(2, trade(2)))
    assert feed.records(Kind.BAR_CLOSE) == []
    assert feed.board.rows[0][Field.LATE_TRADES] == 0
    assert feed.records(Kind.QUOTE)[0].ts_event == feed.records(Kind.TRADE)[0].ts_event


@pytest.mark.parametrize(
    "change",
    [
        {"best_bid": "x"}, {"best_ask": "-1"}, {"best_bid_quantity": "nan"}, {"volume_24_h": "1e30"},
        {"price_percent_chg_24_h": "inf"}, {"high_24_h": "-1"}, {"product": ""},
    ],
)  # fmt: skip
def test_malformed_tickers_are_refused_whole(change):
    feed = CoinbaseFeed()
    assert feed.refused(ticker(0, **change))
    assert feed.tape.records == []


def test_a_ticker_is_heard_as_both_streams():
    feed = CoinbaseFeed()
    feed.send(ticker(0))
    assert feed.adapter.heard == {
        StreamKey(Channel.QUOTES, "BTC-USD"): feed.now,
        StreamKey(Channel.TICKERS, "BTC-USD"): feed.now,
    }


def test_products_without_a_board_row_are_counted():
    feed = CoinbaseFeed(capacity=0)
    feed.send(ticker(0))
    assert feed.adapter.left_out() == {"items of instruments without a board row (coinbase)": 1}
