"""The markets of a ccxt exchange: what is traded, how much of it, and with which precision."""

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from tickfloor.feeds.live.ccxt_venue.exchange import Exchange, Structure
from tickfloor.feeds.publishing.decimals import decimals_of
from tickfloor.feeds.venue import Traded

DECIMAL_PLACES: Final = 2
TICK_SIZE: Final = 4
"""ccxt's numbers for what a market's precision means."""


class Metadata(NamedTuple):
    """In the order that ``InstrumentWriter.describe`` takes."""

    price_decimals: int
    qty_decimals: int
    tick_size: float
    lot_size: float


class Market(NamedTuple):
    """An instrument that can be traded.

    Attributes:
        traded: its unified symbol, such as ``BTC/USDT`` or ``BTC/USDT:USDT``, and its quote asset.
        kind: markets of different kinds are never asked for together.
        metadata: None where the exchange says too little.
    """

    traded: Traded
    kind: tuple[str, ...]
    metadata: Metadata | None


def markets_of(markets: Iterable[Structure], precision_mode: int) -> dict[str, Market]:
    """Return those that are traded now, by unified symbol."""
    found = {}
    for market in markets:
        symbol = market.get("symbol")
        if not symbol or market.get("active") is False:
            continue
        kind = (str(market.get("type")), *(each for each in ("linear", "inverse") if market.get(each)))
        traded = Traded(symbol, str(market.get("quote") or ""))
        found[symbol] = Market(traded, kind, _metadata(market.get("precision") or {}, precision_mode))
    return found


async def volumes_of(exchange: Exchange, markets: Iterable[Market]) -> dict[str, float]:
    """Return 24 h volume in quote currency by unified symbol; those that the exchange says nothing of are left out."""
    by_kind: dict[tuple[str, ...], list[str]] = {}
    for market in markets:
        by_kind.setdefault(market.kind, []).append(market.traded.symbol)
    found = {}
    for symbols in by_kind.values():
        for symbol, ticker in (await exchange.fetch_tickers(symbols)).items():
            volume = _volume(ticker)
            if volume is not None:
                found[symbol] = volume
    return found


def _volume(ticker: Structure) -> float | None:
    quoted, volume, last = (ticker.get(name) for name in ("quoteVolume", "baseVolume", "last"))
    if quoted is not None:
        return float(quoted)
    return None if volume is None or last is None else float(volume) * float(last)


def _metadata(precision: Mapping[str, object], mode: int) -> Metadata | None:
    tick, lot = _step(precision.get("price"), mode), _step(precision.get("amount"), mode)
    if tick is None or lot is None:
        return None
    return Metadata(decimals_of(tick), decimals_of(lot), tick, lot)


def _step(number: object, mode: int) -> float | None:
    """Return a step that can be one."""
    if not isinstance(number, int | float) or isinstance(number, bool):
        return None
    if mode == DECIMAL_PLACES:
        # As text, because a power of ten is not as exact.
        step = float(f"1e{-int(number)}")
    elif mode == TICK_SIZE:
        step = float(number)
    else:
        return None
    return step if math.isfinite(step) and step > 0.0 else None
