import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.contracts.quote_assets import is_quoted_in

QUOTED = [
    ("BTCUSDT", "USDT"), ("btcusdt", "usdt"), ("ETHBTC", "BTC"), ("XRPETH", "ETH"), ("BTCBUSD", "BUSD"),
    ("BTC/USD", "USD"), ("BTC-USD", "USD"), ("BTC_USDT", "USDT"), ("XBT/EUR", "EUR"), ("DOT-XYZ", "XYZ"),
    ("BTC-USDT-SWAP", "USDT"), ("AKRO-USDT-PERP", "USDT"), ("BTCUSD_PERP", "USD"), ("BNBUSD_PERP", "USD"),
    ("BTCUSDT_240927", "USDT"), ("BTCXYZ", "XYZ"), ("BUSDUSDT", "USDT"),
]  # fmt: skip


@pytest.mark.parametrize(("symbol", "asset"), QUOTED)
def test_the_quote_asset_of_a_symbol(symbol, asset):
    assert is_quoted_in(symbol, asset)
    assert not is_quoted_in(symbol, "TUSD")


@pytest.mark.parametrize(
    ("symbol", "asset"),
    [
        ("BTCUSDT", "USD"), ("BTCUSDT", "BTC"), ("BTCBUSD", "USD"), ("NKN-USDT", "USD"), ("USDT", "USDT"),
        ("BTC-PERPETUAL", "USD"), ("BTC/USD", "BTC"), ("XYZ", "XYZ"), ("BNBUSD_PERP", "BUSD"),
    ],
)  # fmt: skip
def test_what_is_not_its_quote_asset(symbol, asset):
    assert not is_quoted_in(symbol, asset)


@given(st.text(max_size=12), st.sampled_from(["USDT", "USD", "BTC", "XYZ"]))
def test_any_symbol_is_quoted_in_one_of_several_assets_at_most(symbol, asset):
    others = [each for each in ("USDT", "USDC", "USD", "EUR", "BTC", "ETH") if is_quoted_in(symbol, each)]
    assert len(others) <= 1
    is_quoted_in(symbol, asset)
