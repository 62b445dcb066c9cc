"""What Binance is sent, byte by byte, and how its lists are read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venue import Channel, Dialect, Listed, Missing, Request, StreamKey, Traded, by_route
from tickfloor.feeds.venues.binance.dialect import BinanceDialect

NOW = START_MS * 1_000_000
SPOT, USD_M, COIN_M = (BinanceDialect(VenueSettings(venue=venue)) for venue in
                       ("binance", "binance-usdm", "binance-coinm"))  # fmt: skip
ALL = [SPOT, USD_M, COIN_M]


def keys(symbol: str = "BTCUSDT") -> list[StreamKey]:
    return [StreamKey(channel, symbol) for channel in Channel]


def test_it_is_a_dialect_of_each_venue():
    dialects: list[Dialect] = [*ALL]
    assert [each.venue for each in dialects] == ["binance", "binance-usdm", "binance-coinm"]
    assert all(each.channels() == frozenset(Channel) for each in dialects)
    assert all(list(each.opening()) == [] for each in dialects)
    with pytest.raises(ValueError, match="kraken"):
        BinanceDialect(VenueSettings(venue="kraken"))


def test_spot_subscribes_to_single_trades_and_futures_to_aggregates():
    assert SPOT.subscribe(keys(), 7) == (
        b'{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker","btcusdt@depth@100ms",'
        b'"btcusdt@kline_1m","btcusdt@ticker"],"id":7}'
    )
    assert USD_M.subscribe(keys()[:1], 1) == b'{"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}'
    assert COIN_M.unsubscribe([StreamKey(Channel.TRADES, "BTCUSD_PERP")], 2) == (
        b'{"method":"UNSUBSCRIBE","params":["btcusd_perp@aggTrade"],"id":2}'
    )


def test_questions_about_a_connection():
    for dialect in ALL:
        assert dialect.listing(3) == b'{"method":"LIST_SUBSCRIPTIONS","id":3}'
        assert dialect.ping(4) == b'{"method":"GET_PROPERTY","params":["combined"],"id":4}'


def test_usd_m_sends_books_and_best_prices_over_another_socket_than_the_rest():
    assert {route: [key.channel for key in its] for route, its in by_route(USD_M, keys()).items()} == {
        "market": [Channel.TRADES, Channel.BARS, Channel.TICKERS], "public": [Channel.QUOTES, Channel.BOOK],
    }  # fmt: skip
    assert USD_M.stream_url("market") == "wss://fstream.binance.com/market/stream"
    assert USD_M.stream_url("public") == "wss://fstream.binance.com/public/stream"
    for dialect, url in ((SPOT, "wss://stream.binance.com:9443/stream"), (COIN_M, "wss://dstream.binance.com/stream")):
        [route] = by_route(dialect, keys())
        assert dialect.stream_url(route) == url
    assert [each.rest_url() for each in ALL] == [
        "https://api.binance.com", "https://fapi.binance.com", "https://dapi.binance.com",
    ]  # fmt: skip


@pytest.mark.parametrize("slash", ["", "/"])
def test_settings_replace_hosts_and_keep_routes(slash):
    settings = VenueSettings(
        venue="binance-usdm", stream_url=f"ws://127.0.0.1:9{slash}", rest_url=f"http://127.0.0.1:8{slash}"
    )
    dialect = BinanceDialect(settings)
    assert dialect.stream_url("public") == "ws://127.0.0.1:9/public/stream"
    assert dialect.rest_url() + dialect.instruments().path == "http://127.0.0.1:8/fapi/v1/exchangeInfo"


def test_limits_leave_room_for_pongs_and_stay_below_what_is_allowed():
    for dialect, messages, streams, weight in ((SPOT, 5, 1024, 6000), (USD_M, 10, 200, 2400), (COIN_M, 10, 200, 2400)):
        limits = dialect.limits
        assert limits.messages_per_second <= messages - 1
        assert dialect.most_streams(dialect.route(StreamKey(Channel.TRADES, "X"))) == streams
        assert limits.weight_per_minute == weight
        assert (limits.connections, limits.connections_seconds) == (300, 300)
        assert limits.life_seconds < 24 * 3600


def test_the_longest_subscription_stays_below_the_length_at_which_the_server_goes_silent():
    longest = StreamKey(Channel.BOOK, "1000000BABYDOGEUSDT_261225_X")
    for dialect in ALL:
        message = dialect.subscribe([longest] * dialect.limits.streams_per_message, 2**31)
        assert len(message) <= 4088


@given(
    st.sampled_from(ALL),
    st.sets(st.tuples(st.sampled_from(Channel), st.from_regex(r"[A-Z0-9_]{1,20}", fullmatch=True)), max_size=20),
)
def test_what_is_subscribed_to_is_what_a_list_of_it_says(dialect, wanted):
    wanted = {StreamKey(*key) for key in wanted}
    names = json.loads(dialect.subscribe(sorted(wanted), 1))["params"]
    feed = Feed(dialect.venue)
    feed.send(NOW, json.dumps({"result": names, "id": 2}).encode())
    assert feed.controls == [Listed(frozenset(wanted))]


def test_rest_requests_and_their_weights():
    assert SPOT.instruments() == Request("/api/v3/exchangeInfo?showPermissionSets=false", 20)
    assert SPOT.volumes() == Request("/api/v3/ticker/24hr?type=MINI", 80)
    assert SPOT.trades("BTCUSDT", Missing(10, 5000)) == Request(
        "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=10&limit=1000", 25
    )
    assert SPOT.trades("BTCUSDT", Missing(10, 10)) == Request(
        "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=10&limit=1", 25
    )
    assert SPOT.newest_trades("BTCUSDT") == Request("/api/v3/trades?symbol=BTCUSDT&limit=1", 25)
    assert SPOT.snapshot("BTCUSDT") == Request("/api/v3/depth?symbol=BTCUSDT&limit=1000", 50)
    for dialect, root in ((USD_M, "/fapi/v1"), (COIN_M, "/dapi/v1")):
        assert dialect.instruments() == Request(f"{root}/exchangeInfo", 1)
        assert dialect.volumes() == Request(f"{root}/ticker/24hr", 40)
        assert dialect.trades("X", Missing(1, 1000)) == Request(f"{root}/aggTrades?symbol=X&fromId=1&limit=1000", 20)
        assert dialect.newest_trades("X") == Request(f"{root}/aggTrades?symbol=X&limit=1", 20)
        assert dialect.snapshot("X") == Request(f"{root}/depth?symbol=X&limit=1000", 20)


@pytest.mark.parametrize("dialect", ALL)
def test_the_adapter_understands_the_answers_to_these_requests(dialect):
    feed = Feed(dialect.venue)
    book = b'{"lastUpdateId":5,"bids":[["1","1"]],"asks":[["2","1"]]}'
    feed.adapter.on_http(NOW, dialect.snapshot("币USDT").path, book)
    feed.adapter.on_http(NOW, dialect.instruments().path, b'{"symbols":[]}')
    for request in (dialect.trades("币USDT", Missing(5, 9)), dialect.newest_trades("币USDT")):
        feed.adapter.on_http(NOW, request.path, b"[]")
    assert [each.symbol for each in feed.board.instruments.values()] == ["币USDT"]
    assert feed.adapter.left_out() == {}


@pytest.mark.parametrize(("limits", "weight"), [
    ([{"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 100},
      {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1200}], 1200),
    ([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 5, "limit": 1200}], None),
    ([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 0}], None),
    ([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 10**12}], None),
    ([{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 1}], None),
    ([{"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000}], None),
    ([], None),
])  # fmt: skip
def test_exchange_info_says_what_requests_may_weigh_in_a_minute(limits, weight):
    for dialect in ALL:
        assert dialect.weight_allowed(json.dumps({"rateLimits": limits, "symbols": []}).encode()) == weight
    assert SPOT.weight_allowed(b'{"symbols":[]}') is None
    with pytest.raises(FrameError):
        SPOT.weight_allowed(b'{"symbols":[],"rateLimits":[1]}')


def test_only_what_is_traded_now_is_listed():
    symbols = [
        {"symbol": "BTCUSDT", "status": "TRADING", "quoteAsset": "USDT"},
        {"symbol": "OLDUSDT", "status": "BREAK", "quoteAsset": "USDT"},
        {"symbol": "BTCUSD_PERP", "contractStatus": "TRADING", "quoteAsset": "USD"},
        {"symbol": "BTCUSD_200925", "contractStatus": "PENDING_TRADING", "quoteAsset": "USD"},
        {"symbol": "WHATUSDT", "quoteAsset": "USDT"},
        *({"symbol": wrong, "status": "TRADING", "quoteAsset": "USDT"} for wrong in ("", "A B", "A\nB", "A" * 100)),
    ]
    for dialect in ALL:
        assert dialect.listed(json.dumps({"symbols": symbols}).encode()) == [
            Traded("BTCUSDT", "USDT"), Traded("BTCUSD_PERP", "USD"),
        ]  # fmt: skip


def test_volumes_are_in_quote_currency_on_every_venue():
    spot = [{"symbol": "BTCUSDT", "volume": "2", "quoteVolume": "120000.5"}, {"symbol": "X"}]
    assert SPOT.volumes_of(json.dumps(spot).encode()) == {"BTCUSDT": 120000.5, "X": 0.0}
    coin = [{"symbol": "BTCUSD_PERP", "volume": "9", "baseVolume": "2", "weightedAvgPrice": "60000"}]
    assert COIN_M.volumes_of(json.dumps(coin).encode()) == {"BTCUSD_PERP": 120000.0}


@pytest.mark.parametrize("body", [b"", b"{", b"null", b'{"symbols":5}', b'[{"symbol":1}]', b'[{"quoteVolume":"1"}]',
                                  b'[{"symbol":"X","quoteVolume":"nan"}]', b'{"code":-1003,"msg":"Too many"}',
                                  b"[" * 5000, b"\xff"])  # fmt: skip
def test_lists_that_are_none_are_refused(body):
    with pytest.raises(FrameError):
        SPOT.listed(body)
    with pytest.raises(FrameError):
        SPOT.volumes_of(body)
