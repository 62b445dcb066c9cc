import pytest

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.traders import TraderSpec

KEYS = ["binance:BTCUSDT", "binance:BTCUPUSDT", "binance:ETHBTC", "coinbase:BTC-USD", "binance-usdm:BTCUSDT"]


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [
        ({}, KEYS),
        ({"symbols": ("BTC*",)}, [KEYS[0], KEYS[1], KEYS[3], KEYS[4]]),
        ({"symbols": ("binance:*", "coinbase:btc*")}, KEYS[:4]),
        ({"exclude": ("*UP*",)}, [KEYS[0], KEYS[2], KEYS[3], KEYS[4]]),
        ({"exclude": ("binance:*",)}, KEYS[3:]),
        ({"exclude": ("*",)}, []),
        ({"quote": "USDT"}, [KEYS[0], KEYS[1], KEYS[4]]),
        ({"quote": "usd"}, [KEYS[3]]),
        ({"symbols": ("*BTC*",), "exclude": ("*-usdm:*", "*up*"), "quote": "USDT"}, [KEYS[0]]),
    ],
)
def test_a_trader_applies_to_what_its_filters_choose_together(filters, chosen):
    spec = TraderSpec(name="t", rule="last > 1", **filters)
    assert [key for key in KEYS if spec.applies_to(Instrument(0, *key.split(":")))] == chosen
