"""The names of Binance's streams of a seeded market."""

from collections.abc import Iterable, Iterator

from tickfloor.simulator.binance.intervals import INTERVALS
from tickfloor.simulator.binance.rules import BinanceRules

_ALL_MARKET = ("!miniTicker@arr",)
_ALL_MARKET_FUTURES = (*_ALL_MARKET, "!ticker@arr", "!bookTicker")


def stream_names(rules: BinanceRules, symbols: Iterable[str]) -> list[str]:
    """Return every name that brings frames; what is accepted and stays silent is not among them."""
    kinds = list(_kinds(rules))
    of_symbols = [f"{symbol.lower()}@{kind}" for symbol in symbols for kind in kinds]
    return [*of_symbols, *(_ALL_MARKET_FUTURES if rules.futures else _ALL_MARKET)]


def _kinds(rules: BinanceRules) -> Iterator[str]:
    if not rules.futures:
        yield "trade"
    yield from ("aggTrade", "bookTicker", "ticker", "miniTicker")
    for levels in ("", "5", "10", "20"):
        yield f"depth{levels}"
        yield from (f"depth{levels}@{period_ms}ms" for period_ms in rules.depth_ms)
    yield from (f"kline_{interval}" for interval in INTERVALS)
