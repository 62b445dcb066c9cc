"""Reads ccxt's unified structures, which hold whatever an exchange has said: every number is looked at."""

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from tickfloor.contracts.records import Side
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.live.ccxt_venue.exchange import Structure
from tickfloor.market.book import Level

NS_PER_MS: Final = 1_000_000
LAST_MS: Final = 1 << 43
MOST: Final = 1e24
DEPTH: Final = 20
"""Levels of a book that are read: as many as the board shows."""

_SIDES: Final = {"buy": int(Side.BUY), "sell": int(Side.SELL)}


class Trade(NamedTuple):
    """A trade.

    Attributes:
        ts_event: ns UTC, whole milliseconds.
        id: as the venue writes it; empty where it has none.
    """

    ts_event: int
    price: float
    qty: float
    side: int
    id: str
    price_text: str
    qty_text: str


class Quote(NamedTuple):
    """Best prices with their sizes; NaN for what is not there."""

    bid: float
    bid_size: float
    ask: float
    ask_size: float


class Statistics(NamedTuple):
    """24 h statistics, as an instrument's writer takes them; NaN for what is not there."""

    prices: tuple[float, float, float, float]
    volumes: tuple[float, float, float]


def trade_of(trade: Structure) -> Trade:
    """Read a trade.

    Raises:
        FrameError: it has no time, price or quantity that can be.
    """
    time_ms = trade.get("timestamp")
    if not isinstance(time_ms, int) or not 0 < time_ms < LAST_MS:
        raise FrameError(f"a trade's timestamp is {time_ms!r:.32}")
    price, qty = _number(trade, "price"), _number(trade, "amount")
    if not (price > 0.0 and qty > 0.0):
        raise FrameError(f"a trade of {qty} at {price} cannot be")
    side = _SIDES.get(str(trade.get("side")), int(Side.UNKNOWN))
    number = trade.get("id")
    return Trade(
        time_ms * NS_PER_MS, price, qty, side, "" if number is None else str(number),
        str(trade["price"]), str(trade["amount"]),
    )  # fmt: skip


def quote_of(ticker: Structure) -> Quote | None:
    """Read a ticker's best prices, or return None where it has none.

    Raises:
        FrameError: one cannot be.
    """
    bid, ask = _positive(ticker, "bid"), _positive(ticker, "ask")
    if math.isnan(bid) and math.isnan(ask):
        return None
    return Quote(bid, _positive(ticker, "bidVolume"), ask, _positive(ticker, "askVolume"))


def statistics_of(ticker: Structure) -> Statistics | None:
    """Read a ticker's statistics, or return None where it has none.

    Raises:
        FrameError: one cannot be.
    """
    opened, high, low = (_positive(ticker, name) for name in ("open", "high", "low"))
    prices = (opened, high, low, _number(ticker, "percentage"))
    volumes = (_number(ticker, "baseVolume"), _number(ticker, "quoteVolume"), math.nan)
    return None if all(map(math.isnan, (*prices, *volumes))) else Statistics(prices, volumes)


def levels_of(levels: Iterable[object]) -> list[Level]:
    """Read the best levels of a side, best first. Orders at one price are added up.

    Raises:
        FrameError: one cannot be.
    """
    found: dict[float, float] = {}
    for level in levels:
        try:
            price, size = float(level[0]), float(level[1])  # type: ignore[index]
        except (TypeError, ValueError, IndexError) as error:
            raise FrameError(f"{level!r:.48} is no level of a book") from error
        if not (0.0 < price < MOST and 0.0 <= size < MOST):
            raise FrameError(f"a level of {size} at {price} cannot be")
        if price not in found and len(found) == DEPTH:
            break
        found[price] = found.get(price, 0.0) + size
    return list(found.items())


def _positive(structure: Structure, name: str) -> float:
    """Return a price or a size; NaN where there is none, which may be written as 0."""
    value = _number(structure, name)
    if value < 0.0:
        raise FrameError(f"{name} is {value}")
    return value or math.nan


def _number(structure: Structure, name: str) -> float:
    """Return a number; NaN where there is none."""
    value = structure.get(name)
    if value is None:
        return math.nan
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise FrameError(f"{name} is {value!r:.32}") from error
    if not -MOST < number < MOST:
        raise FrameError(f"{name} is {number}")
    return number
