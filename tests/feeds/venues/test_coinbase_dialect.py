import json
import math

import pytest

from tests.feeds.venues.coinbase_feed import CoinbaseFeed, ticker
from tickfloor.board.row import Field
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, Dialect, Missing, Request, StreamKey, Traded, by_route
from tickfloor.feeds.venues.coinbase.adapter import CoinbaseAdapter
from tickfloor.feeds.venues.coinbase.dialect import CoinbaseDialect


def dialect(**settings) -> Dialect:
    return CoinbaseDialect(VenueSettings(venue="coinbase", **settings))


def keys(channel, *symbols):
    return [StreamKey(channel, symbol) for symbol in symbols]


def product(symbol="BTC-USD", **more) -> dict:
    return {
        "product_id": symbol, "price": "65086.18", "base_increment": "0.00000001", "quote_increment": "0.01",
        "price_increment": "0.01", "is_disabled": False, "status": "online", "cancel_only": False,
        "trading_disabled": False, "product_type": "SPOT", "quote_currency_id": "USD", "view_only": False,
        "fcm_trading_session_details": None, "alias": "", "alias_to": [],
        "approximate_quote_24h_volume": "186637571.25", **more,
    }  # fmt: skip


def listing(*products) -> bytes:
    return json.dumps({"products": products, "num_products": len(products)}).encode()


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        (Channel.TRADES, "market_trades"), (Channel.QUOTES, "ticker"), (Channel.TICKERS, "ticker"),
        (Channel.BOOK, "level2"),
    ],
)  # fmt: skip
def test_a_channel_is_asked_for_by_its_own_name(channel, name):
    found = dialect().subscribe(keys(channel, "BTC-USD", "ETH-USD"), 1)
    assert found == b'{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"%b"}' % name.encode()


def test_streams_are_ended_the_same_way():
    found = dialect().unsubscribe(keys(Channel.BOOK, "BTC-USD"), 2)
    assert found == b'{"type":"unsubscribe","product_ids":["BTC-USD"],"channel":"level2"}'


def test_a_message_is_about_one_channel():
    mixed = [*keys(Channel.BOOK, "BTC-USD"), *keys(Channel.TRADES, "BTC-USD")]
    with pytest.raises(ValueError, match="book, trades"):
        dialect().subscribe(mixed, 1)


def test_the_venue_s_own_bars_are_not_asked_for():
    assert Channel.BARS not in dialect(streams=("bars", "trades")).channels()
    with pytest.raises(ValueError, match="of bars"):
        dialect().subscribe(keys(Channel.BARS, "BTC-USD"), 1)


def test_quotes_and_tickers_are_one_stream_that_is_asked_for_once():
    assert dialect().channels() == {Channel.TRADES, Channel.QUOTES, Channel.BOOK}
    assert (dialect().along(), dialect(streams=("tickers",)).along()) == ({Channel.TICKERS}, {Channel.QUOTES})
    assert dialect(streams=("tickers",)).channels() == {Channel.TRADES, Channel.TICKERS, Channel.BOOK}


def test_heartbeats_are_asked_for_first_and_at_once():
    assert dialect().opening() == (b'{"type":"subscribe","channel":"heartbeats"}',)


def test_books_have_connections_of_their_own_with_few_products_each():
    found = by_route(dialect(), [*keys(Channel.BOOK, "A", "B"), *keys(Channel.TRADES, "A"), *keys(Channel.QUOTES, "A")])
    assert found == {
        "book": keys(Channel.BOOK, "A", "B"),
        "market": [*keys(Channel.TRADES, "A"), *keys(Channel.QUOTES, "A")],
    }
    assert (dialect().most_streams("book"), dialect().most_streams("market")) == (15, 150)


def test_a_book_of_ten_megabytes_fits_into_a_frame():
    assert dialect().limits.frame_bytes > 10_000_000


def test_connections_are_opened_so_slowly_that_their_messages_keep_the_limit_of_all():
    limits = dialect().limits
    messages = len(dialect().opening()) + 4
    assert limits.connections / limits.connections_seconds * messages <= 8
    assert limits.messages_per_second <= 8


def test_nothing_need_be_sent_to_a_quiet_connection_and_no_list_can_be_asked_for():
    assert (dialect().ping(1), dialect().listing(1), dialect().snapshot("BTC-USD")) == (None, None, None)


def test_addresses_are_the_venue_s_or_those_of_the_settings():
    assert (dialect().stream_url("book"), dialect().rest_url()) == (
        "wss://advanced-trade-ws.coinbase.com", "https://api.coinbase.com",
    )  # fmt: skip
    other = dialect(stream_url="ws://127.0.0.1:1", rest_url="http://127.0.0.1:2")
    assert (other.stream_url("market"), other.rest_url()) == ("ws://127.0.0.1:1", "http://127.0.0.1:2")


def test_requests_cost_one_of_ten_a_second():
    products = Request("/api/v3/brokerage/market/products", 1)
    assert (dialect().instruments(), dialect().volumes()) == (products, products)
    path = "/api/v3/brokerage/market/products/BTC-USD/ticker"
    assert dialect().trades("BTC-USD", Missing(5, 9)) == Request(f"{path}?limit=1000", 1)
    times = Missing(5, 9, 1_786_309_548_999_999_999, 1_786_309_550_000_000_000)
    assert dialect().trades("BTC-USD", times) == Request(f"{path}?limit=1000&start=1786309548&end=1786309551", 1)
    assert dialect().newest_trades("BTC-USD") == Request(f"{path}?limit=1", 1)
    assert (dialect().limits.weight_per_minute, dialect().limits.requests_per_second) == (600, 10.0)
    assert dialect().weight_allowed(listing()) is None


def test_a_symbol_cannot_change_a_request_s_path():
    assert dialect().newest_trades("../x?y").path == "/api/v3/brokerage/market/products/..%2Fx%3Fy/ticker?limit=1"


def test_listed_are_the_products_that_are_traded_now():
    body = listing(
        product(), product("ETH-EUR", quote_currency_id="EUR"), product("OLD-USD", status="delisted"),
        product("OFF-USD", is_disabled=True), product("STOP-USD", trading_disabled=True),
        product("LOOK-USD", view_only=True), product("END-USD", cancel_only=True),
        product("BIT-27JUN25-CDE", product_type="FUTURE"),
    )  # fmt: skip
    assert dialect().listed(body) == (Traded("BTC-USD", "USD"), Traded("ETH-EUR", "EUR"))


def test_a_market_with_two_names_is_listed_once_by_the_name_that_frames_bear():
    body = listing(product(alias_to=["BTC-USDC"]), product("BTC-USDC", alias="BTC-USD", quote_currency_id="USDC"))
    assert dialect().listed(body) == (Traded("BTC-USD", "USD"),)


def test_volumes_are_in_quote_currency_where_they_are_said():
    unsaid = product("ETH-USD", approximate_quote_24h_volume=""), product("X-USD", approximate_quote_24h_volume="nan")
    body = listing(product(), *unsaid)
    assert dialect().volumes_of(body) == {"BTC-USD": 186637571.25}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"products":[{}]}', b'{"products":7}', b"\xff"])
def test_malformed_listings_are_refused(body):
    with pytest.raises(FrameError):
        dialect().listed(body)
    with pytest.raises(FrameError):
        dialect().volumes_of(body)
    with pytest.raises(FrameError):
        CoinbaseFeed().adapter.on_http(1, "/api/v3/brokerage/market/products", body)


@pytest.mark.parametrize("first", ["listing", "frame"])
def test_metadata_comes_with_the_listing_before_or_after_the_first_frame(first):
    feed = CoinbaseFeed()
    if first == "frame":
        feed.send(ticker(0))
    feed.adapter.on_http(1, "https://api.coinbase.com/api/v3/brokerage/market/products?x=1", listing(
        product(price_increment="0.5", base_increment="0.001")))  # fmt: skip
    feed.send(ticker(1))
    row = feed.board.rows[0]
    described = row[Field.PRICE_DECIMALS], row[Field.QTY_DECIMALS], row[Field.TICK_SIZE], row[Field.LOT_SIZE]
    assert described == (1.0, 3.0, 0.5, 0.001)


@pytest.mark.parametrize("increment", ["", "0", "-1", "x", "NaN", "Infinity", "1e-400000000000000000000"])
def test_increments_that_are_none_describe_nothing(increment):
    feed = CoinbaseFeed()
    feed.adapter.on_http(1, "/api/v3/brokerage/market/products", listing(product(price_increment=increment)))
    feed.send(ticker(0))
    assert math.isnan(feed.board.rows[0][Field.TICK_SIZE])


def test_other_answers_are_counted():
    feed = CoinbaseFeed()
    feed.adapter.on_http(1, "/api/v3/brokerage/market/products/BTC-USD/candles?limit=5", b"{}")
    feed.adapter.on_http(1, "/api/v3/brokerage/time", b"{}")
    assert feed.adapter.left_out() == {"http (coinbase)": 2}


def test_the_adapter_is_of_this_venue_only():
    feed = CoinbaseFeed()
    with pytest.raises(ValueError, match="kraken"):
        CoinbaseAdapter("kraken", feed.publisher, joins=feed.joins, repairs=feed.asked)
    with pytest.raises(ValueError, match="Audit"):
        feed.adapter.figures()


def test_an_answer_from_what_is_no_address_is_refused():
    with pytest.raises(FrameError, match="no address"):
        CoinbaseFeed().adapter.on_http(1, "https://[/api/v3/brokerage/market/products", b"{}")
