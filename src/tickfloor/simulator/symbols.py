"""What is traded: plausible prices, most traded first."""

from itertools import zip_longest
from typing import Final, NamedTuple

BASES: Final = {
    "BTC": 61_800.0, "ETH": 2_680.0, "BNB": 505.0, "SOL": 155.0, "XRP": 0.612, "DOGE": 0.1057, "ADA": 0.3441,
    "AVAX": 22.4, "LINK": 10.32, "DOT": 4.71, "LTC": 61.2, "BCH": 348.0, "UNI": 6.04, "ATOM": 4.88, "NEAR": 4.02,
    "APT": 5.71, "ARB": 0.573, "OP": 1.402, "INJ": 18.9, "FIL": 3.61, "ETC": 19.4, "XLM": 0.1003, "ALGO": 0.1239,
    "AAVE": 104.6, "SUI": 0.871, "SEI": 0.286, "TIA": 5.43, "RUNE": 3.47, "GRT": 0.1431, "SAND": 0.2532,
    "MANA": 0.2663, "AXS": 4.77, "EGLD": 26.8, "FTM": 0.3372, "THETA": 1.163, "KAVA": 0.317, "CRV": 0.2637,
    "SNX": 1.297, "COMP": 44.1, "DYDX": 0.957, "ENJ": 0.1434, "CHZ": 0.0543, "ZEC": 33.7, "DASH": 22.9,
    "XTZ": 0.661, "NEO": 9.17, "IOTA": 0.1227, "QTUM": 2.117, "ZIL": 0.01375, "BAT": 0.1576,
}  # fmt: skip
"""Bases with a plausible price in USDT."""
EUR_IN_USDT: Final = 1.092


class Symbol(NamedTuple):
    """One instrument: price in its quote currency, and the worth of one unit of its base in USDT."""

    base: str
    quote: str
    price: float
    worth: float


def _pairs() -> tuple[Symbol, ...]:
    dollars = [Symbol(base, "USDT", worth, worth) for base, worth in BASES.items()]
    # Prices in BTC of small coins would have too few ticks in eight decimals.
    bitcoins = [
        Symbol(base, "BTC", worth / BASES["BTC"], worth)
        for base, worth in BASES.items()
        if base != "BTC" and worth > 0.5
    ]
    euros = [Symbol(base, "EUR", worth / EUR_IN_USDT, worth) for base, worth in BASES.items()]
    others = [pair for pairs in zip_longest(euros, bitcoins) for pair in pairs if pair is not None]
    return (*dollars, *others)


SPOT: Final = _pairs()
PERPETUALS: Final = tuple(
    Symbol(base, quote, worth, worth) for quote in ("USDT", "USDC") for base, worth in BASES.items()
)
