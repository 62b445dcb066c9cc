"""What Kraken is sent, and how its lists are read."""

import json

import pytest

from tests.feeds.venues.test_kraken_adapter import PAIRS, body
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, Dialect, Missing, StreamKey, Traded, by_route
from tickfloor.feeds.venues.kraken.dialect import KrakenDialect
from tickfloor.feeds.venues.kraken.names import checked_symbol, pair_of, symbol_of
from tickfloor.feeds.venues.kraken.replies import numbered, request_of

DIALECT: Dialect = KrakenDialect(VenueSettings(venue="kraken"))


def keys(channel: Channel, *symbols: str) -> list[StreamKey]:
    return [StreamKey(channel, symbol) for symbol in symbols]


@pytest.mark.parametrize(("channel", "parameters"), [
    (Channel.TRADES, {"channel": "trade", "snapshot": True}),
    (Channel.BOOK, {"channel": "book", "depth": 25, "snapshot": True}),
    (Channel.QUOTES, {"channel": "ticker", "event_trigger": "bbo", "snapshot": True}),
    (Channel.TICKERS, {"channel": "ticker", "event_trigger": "trades", "snapshot": True}),
    (Channel.BARS, {"channel": "ohlc", "interval": 1, "snapshot": False}),
])  # fmt: skip
def test_a_channel_is_asked_for_and_ended_with_the_same_parameters(channel, parameters):
    wanted = parameters | {"symbol": ["BTC/USD", "ETH/USD"]}
    asked = json.loads(DIALECT.subscribe(keys(channel, "BTC/USD", "ETH/USD"), 3))
    assert asked == {"method": "subscribe", "params": wanted, "req_id": numbered(3, channel)}
    ended = json.loads(DIALECT.unsubscribe(keys(channel, "BTC/USD", "ETH/USD"), 4))
    assert ended == {"method": "unsubscribe", "params": wanted, "req_id": numbered(4, channel)}


def test_every_channel_can_be_asked_for_and_its_number_says_which_it_is():
    assert DIALECT.channels() == frozenset(Channel)
    for channel in Channel:
        assert request_of(numbered(12345, channel)) == (12345, channel)
    assert request_of(None) == (None, None)
    assert request_of(7) == (0, None)


def test_one_message_is_about_one_channel():
    with pytest.raises(ValueError, match="unpack"):
        DIALECT.subscribe(keys(Channel.TRADES, "BTC/USD") + keys(Channel.BOOK, "BTC/USD"), 1)


def test_both_kinds_of_ticker_never_share_a_connection():
    routes = by_route(DIALECT, [key for channel in Channel for key in keys(channel, "BTC/USD")])
    assert [key.channel for key in routes["quotes"]] == [Channel.QUOTES]
    assert {key.channel for key in routes["market"]} == set(Channel) - {Channel.QUOTES}
    assert {DIALECT.stream_url(route) for route in routes} == {"wss://ws.kraken.com/v2"}


def test_addresses_of_the_settings_replace_the_hosts():
    settings = VenueSettings(venue="kraken", stream_url="ws://127.0.0.1:9001/", rest_url="http://127.0.0.1:9002/")
    dialect = KrakenDialect(settings)
    assert dialect.stream_url("market") == "ws://127.0.0.1:9001/v2"
    assert dialect.rest_url() == "http://127.0.0.1:9002"
    assert DIALECT.rest_url() == "https://api.kraken.com"


def test_the_venue_speaks_first_beats_by_itself_and_cannot_be_asked_what_it_believes():
    assert (list(DIALECT.opening()), DIALECT.ping(1), DIALECT.listing(1)) == ([], None, None)


def test_limits_stay_below_what_is_known_to_be_too_much():
    limits = DIALECT.limits
    assert limits.connections <= 120
    assert limits.connections_seconds == 600
    assert limits.messages_per_second <= 20
    assert limits.idle_seconds > 1
    assert limits.requests_per_second <= 1
    assert 0 < DIALECT.most_streams("market") <= 1000


def test_rest_requests():
    assert DIALECT.instruments() == ("/0/public/AssetPairs", 1)
    assert DIALECT.volumes() == ("/0/public/Ticker?assetVersion=1", 1)
    assert DIALECT.newest_trades("BTC/USD") == ("/0/public/Trades?pair=XBTUSD&count=1", 1)
    assert DIALECT.trades("BTC/USD", Missing(1, 2)) == ("/0/public/Trades?pair=XBTUSD&count=1000", 1)
    since = DIALECT.trades("BTC/USD", Missing(1, 2, 1_690_731_000_123_456_000, 1_690_731_001_000_000_000))
    assert since == ("/0/public/Trades?pair=XBTUSD&count=1000&since=1690731000122456000", 1)
    assert DIALECT.snapshot("BTC/USD") is None
    assert DIALECT.weight_allowed(body(PAIRS)) is None


def test_listed_are_those_that_trade_now_by_their_new_names():
    assert DIALECT.listed(body(PAIRS)) == [Traded("BTC/USD", "USD")]


def test_volumes_are_in_quote_currency_whatever_the_names():
    sums = {"v": ["0.78648221", "2.5"], "p": ["105960.64756", "100.0"], "t": [35, 3276], "o": "1"}
    names = ["XXBTZUSD", "ETH/EUR", "XBTUSDT", "XDGUSD", "DOTXBT", "???"]
    assert DIALECT.volumes_of(body(dict.fromkeys(names, sums))) == dict.fromkeys(
        ["BTC/USD", "ETH/EUR", "BTC/USDT", "DOGE/USD", "DOT/BTC"], 250.0
    )


@pytest.mark.parametrize(
    "payload", [b"", b"{", body({}, "EService:Unavailable"), body({"X": 1}), body({"X": {"v": 1}})]
)
def test_lists_that_are_wrong_or_errors_are_refused(payload):
    with pytest.raises(FrameError):
        DIALECT.listed(payload)
    with pytest.raises(FrameError):
        DIALECT.volumes_of(payload)


@pytest.mark.parametrize(("symbol", "pair"), [
    ("BTC/USD", "XBTUSD"), ("ETH/BTC", "ETHXBT"), ("DOGE/EUR", "XDGEUR"), ("SOL/USDT", "SOLUSDT"),
])  # fmt: skip
def test_rest_names_are_found_from_symbols_and_back(symbol, pair):
    assert pair_of(symbol) == pair
    assert symbol_of(pair) == symbol
    assert symbol_of(symbol) == symbol


@pytest.mark.parametrize("symbol", ["", "/", "BTC/", "/USD", "BTCUSD", "B C/USD", "B\x00/USD", "A" * 48 + "/USD"])
def test_what_is_no_symbol_is_refused(symbol):
    with pytest.raises(FrameError):
        checked_symbol(symbol)
