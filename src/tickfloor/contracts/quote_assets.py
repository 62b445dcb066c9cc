"""In what an instrument is quoted, as far as its symbol says."""

import re
from functools import lru_cache

_KNOWN = (
    "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "USD", "DAI", "EUR", "GBP", "TRY", "BRL", "JPY", "AUD", "IDR",
    "UAH", "ZAR", "PLN", "RON", "ARS", "MXN", "CZK", "COP", "KRW", "CHF", "CAD", "BTC", "ETH", "BNB", "XRP", "TRX",
    "DOGE", "SOL",
)  # fmt: skip
_BY_LENGTH = tuple(sorted(_KNOWN, key=len, reverse=True))
_OF_CONTRACTS = ("USDT", "USDC", "USD")
"""Futures whose symbol goes on with their kind, such as ``BNBUSD_PERP``, are quoted in one of these."""


def is_quoted_in(symbol: str, asset: str) -> bool:
    """Return whether the quote asset of a symbol, such as ``BTCUSDT``, ``BTC/USDT`` or ``BTC-USDT-SWAP``, is this one.

    Upper and lower case are the same. Where nothing stands between the assets, the longest known quote asset at the
    end of the symbol counts, so ``BTCBUSD`` is not quoted in USD.
    """
    first, second, known = _parts_of(symbol.upper())
    asset = asset.upper()
    if asset == second or asset in _KNOWN:
        return asset in (second, known)
    return not second and first.endswith(asset) and first != asset


@lru_cache(maxsize=65_536)
def _parts_of(symbol: str) -> tuple[str, str, str]:
    """Return the first and second part of a symbol, and its quote asset as far as that is a known one."""
    first, second, *_ = (*re.split(r"[-/_:]", symbol), "")
    if second in _KNOWN:
        return first, second, second
    among = _OF_CONTRACTS if second else _BY_LENGTH
    return first, second, next((each for each in among if first.endswith(each) and first != each), "")
