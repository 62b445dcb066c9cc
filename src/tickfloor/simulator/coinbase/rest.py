"""Coinbase's REST, from what was recorded and played (``wire-facts.md`` §5.4)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Raw

from tickfloor.feeds.publishing.decimals import plain
from tickfloor.simulator.coinbase.frames import TickerItem
from tickfloor.simulator.played_trades import PlayedTrade

PATH: Final = "/api/v3/brokerage/market/products"
MOST_TRADES: Final = 1000
NS_PER_SECOND: Final = 1_000_000_000


class _Named(msgspec.Struct, frozen=True):
    """What is needed of a recorded product to know which it is."""

    product_id: str


class _Products(msgspec.Struct, frozen=True):
    """A recorded list."""

    products: list[Raw]


_LISTS: Final = msgspec.json.Decoder(_Products)
_NAMES: Final = msgspec.json.Decoder(_Named)


def recorded_products(body: bytes) -> dict[str, Raw]:
    """Return the products of a recorded list.

    Raises:
        MsgspecError: it is malformed.
    """
    return {_NAMES.decode(raw).product_id: raw for raw in _LISTS.decode(body).products}


def product(name: str, price_decimals: int, qty_decimals: int, ticker: TickerItem | None) -> dict[str, Any]:
    """Return a product as frames tell of it."""
    base, _, quote = name.partition("-")
    price, volume = (ticker.price, ticker.volume_24_h) if ticker is not None else ("0", "0")
    step, lot = _step(price_decimals), _step(qty_decimals)
    return {
        "product_id": name, "price": price, "volume_24h": volume, "price_increment": step, "quote_increment": step,
        "base_increment": lot, "base_currency_id": base, "quote_currency_id": quote, "status": "online",
        "product_type": "SPOT", "alias": "", "is_disabled": False, "trading_disabled": False, "cancel_only": False,
        "view_only": False, "approximate_quote_24h_volume": plain(Decimal(price or 0) * Decimal(volume or 0)),
    }  # fmt: skip


def products_answer(products: Sequence[object]) -> bytes:
    """Return the list of products."""
    return msgspec.json.encode({"products": products, "num_products": len(products)})


def trades_answer(trades: list[PlayedTrade], ticker: TickerItem | None) -> bytes:
    """Return trades, the newest first."""
    bid, ask = ("", "") if ticker is None else (ticker.best_bid, ticker.best_ask)
    rows = [Raw(trade.item) for trade in reversed(trades)]
    return msgspec.json.encode({"trades": rows, "best_bid": bid, "best_ask": ask})


def error(name: str, message: str) -> bytes:
    """Return an answer that says what is wrong."""
    return msgspec.json.encode({"error": name, "error_details": message, "message": message})


def _step(decimals: int) -> str:
    return f"0.{'0' * (decimals - 1)}1" if decimals else "1"
