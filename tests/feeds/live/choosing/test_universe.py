"""Which instruments and streams a configuration asks for."""

import pytest

from tests.feeds.live.venue import FakeDialect, keys
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.live.choosing.universe import (
    UnknownChannelsError,
    UnknownSymbolsError,
    channels,
    check,
    chosen,
    keys_of,
)
from tickfloor.feeds.venue import Channel, Traded

LISTED = [
    Traded("BTCUSDT", "USDT"), Traded("ETHUSDT", "USDT"), Traded("SOLUSDT", "USDT"), Traded("ETHBTC", "BTC"),
    Traded("BTCEUR", "EUR"),
]  # fmt: skip
VOLUMES = {"BTCUSDT": 900.0, "ETHUSDT": 500.0, "SOLUSDT": 700.0, "ETHBTC": 20.0}


def wants(**settings) -> VenueSettings:
    return VenueSettings(venue="fake", **settings)


@pytest.mark.parametrize(
    ("settings", "symbols"),
    [
        ({}, {"BTCUSDT", "ETHUSDT", "SOLUSDT", "ETHBTC", "BTCEUR"}),
        ({"symbols": ("BTCUSDT",)}, {"BTCUSDT"}),
        ({"symbols": ("ETH*", "SOL????")}, {"ETHUSDT", "ETHBTC", "SOLUSDT"}),
        ({"quotes": ("BTC", "EUR")}, {"ETHBTC", "BTCEUR"}),
        ({"symbols": ("ETH*",), "quotes": ("USDT",)}, {"ETHUSDT"}),
        ({"symbols": ("btc*",)}, set()),
    ],
)
def test_symbols_are_chosen_by_pattern_and_quote(settings, symbols):
    assert set(chosen(wants(**settings), LISTED, VOLUMES)) == symbols


def test_the_most_traded_come_first_and_only_so_many():
    assert chosen(wants(top=2), LISTED, VOLUMES) == ("BTCUSDT", "SOLUSDT")
    assert chosen(wants(top=4), LISTED, VOLUMES) == ("BTCUSDT", "SOLUSDT", "ETHUSDT", "ETHBTC")


def test_a_change_of_rank_replaces_nothing_but_a_delisted_instrument_is_replaced():
    kept = ("ETHUSDT", "ETHBTC")
    assert set(chosen(wants(top=2), LISTED, VOLUMES, kept)) == set(kept)
    without = [each for each in LISTED if each.symbol != "ETHBTC"]
    assert set(chosen(wants(top=2), without, VOLUMES, kept)) == {"ETHUSDT", "BTCUSDT"}


@pytest.mark.parametrize(
    ("settings", "asked", "near"),
    [
        ({"symbols": ("BTCUSDT", "BTCUSD")}, "BTCUSD", "BTCUSDT"),
        ({"symbols": ("btcusdt",)}, "btcusdt", "BTCUSDT"),
        ({"symbols": ("SOL*",), "quotes": ("BTC",)}, "SOL*", None),
        ({"quotes": ("USD",)}, "USD", "USDT"),
        ({"symbols": ("*EURO",)}, "*EURO", "BTCEUR"),
    ],
)
def test_what_no_instrument_has_is_an_error_that_names_it_and_what_is_near(settings, asked, near):
    with pytest.raises(UnknownSymbolsError) as caught:
        check(wants(**settings), LISTED)
    assert caught.value.asked == asked
    assert repr(asked) in str(caught.value)
    if near is None:
        assert "nothing comes near" in str(caught.value) or caught.value.near
    else:
        assert near in caught.value.near


def test_what_is_there_is_no_error():
    check(wants(symbols=("ETH*", "BTCEUR"), quotes=("BTC", "EUR")), LISTED)


def test_streams_that_the_venue_lacks_are_left_out_unless_it_lacks_them_all():
    dialect = FakeDialect()
    assert channels(wants(), dialect) == (Channel.TRADES, Channel.QUOTES)
    with pytest.raises(UnknownChannelsError, match="it has book, quotes, trades"):
        channels(wants(streams=("bars", "tickers")), dialect)


def test_every_symbol_has_every_stream():
    wanted = keys_of("AB", [Channel.TRADES, Channel.BOOK])
    assert wanted == keys("trades A", "book A", "trades B", "book B")
