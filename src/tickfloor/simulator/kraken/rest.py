"""Kraken's REST, from what was recorded and played (``wire-facts.md`` §4.4)."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Raw

from tickfloor.simulator.kraken.frames import TRADE, TickerItem
from tickfloor.simulator.played_trades import PlayedTrade
from tickfloor.simulator.rfc3339_text import rfc3339

PATH: Final = "/0/public/"
MOST_TRADES: Final = 1000
NS_PER_SECOND: Final = 1_000_000_000
_OLD: Final = {"BTC": "XBT", "DOGE": "XDG"}
_SIDES: Final = {"buy": "b", "sell": "s"}

Row = tuple[str, str, Any, Literal["b", "s"], Literal["l", "m"], str, int]


class _Answer(msgspec.Struct, frozen=True):
    """A recorded answer."""

    error: list[str] = []
    result: dict[str, Raw] = {}


class _Pair(msgspec.Struct, frozen=True):
    """What is needed of a recorded pair to know whose it is."""

    wsname: str = ""


_ANSWERS: Final = msgspec.json.Decoder(_Answer)
_ROWS: Final = msgspec.json.Decoder(list[Row], float_hook=str)
_PAIRS: Final = msgspec.json.Decoder(_Pair)


def old_name(symbol: str) -> str:
    """Return a symbol as v1 and REST write it: ``XBT/USD`` for ``BTC/USD``."""
    return "/".join(_OLD.get(asset, asset) for asset in symbol.split("/"))


def pair_of(symbol: str) -> str:
    """Return REST's name of a symbol: ``XBTUSD`` for ``BTC/USD``."""
    return old_name(symbol).replace("/", "")


def asset_pair(symbol: str, price_decimals: int, qty_decimals: int) -> dict[str, Any]:
    """Return what the list of pairs says of a symbol."""
    base, _, quote = old_name(symbol).partition("/")
    tick = f"0.{'0' * (price_decimals - 1)}1" if price_decimals else "1"
    return {
        "altname": base + quote, "wsname": f"{base}/{quote}", "base": base, "quote": quote, "status": "online",
        "pair_decimals": price_decimals, "lot_decimals": qty_decimals, "tick_size": tick,
    }  # fmt: skip


def recorded_pairs(body: bytes, symbols: list[str]) -> dict[str, Raw]:
    """Return those pairs of a recorded list that frames were recorded of.

    Raises:
        MsgspecError: it is malformed.
    """
    names = {old_name(symbol) for symbol in symbols} | set(symbols)
    found = _ANSWERS.decode(body).result
    return {name: raw for name, raw in found.items() if _PAIRS.decode(raw).wsname in names}


def ticker(item: TickerItem) -> dict[str, Any]:
    """Return what REST says of a ticker; today's figures are those of 24 h."""
    said = {name: str(getattr(item, name)) for name in item.__struct_fields__}
    return {
        "a": [said["ask"], "0", said["ask_qty"]], "b": [said["bid"], "0", said["bid_qty"]], "c": [said["last"], "0"],
        "v": [said["volume"]] * 2, "p": [said["vwap"]] * 2, "t": [0, 0], "l": [said["low"]] * 2,
        "h": [said["high"]] * 2, "o": said["last"],
    }  # fmt: skip


def trade_rows(trades: list[PlayedTrade]) -> tuple[list[Raw], str]:
    """Return rows of trades, and where to go on."""
    last = str(trades[-1].time_ns) if trades else "0"
    return [Raw(_row(trade)) for trade in trades], last


def recorded_trades(body: bytes, symbol: str) -> list[PlayedTrade]:
    """Return the trades of a recorded answer.

    Raises:
        MsgspecError: it is malformed.
        ValueError: a time is none.
    """
    found = _ANSWERS.decode(body).result
    rows = [row for name, raw in found.items() if name != "last" for row in _ROWS.decode(raw)]
    return [_trade(row, symbol) for row in rows]


def _row(trade: PlayedTrade) -> bytes:
    item = TRADE.decode(trade.item)
    seconds, ns = divmod(trade.time_ns, NS_PER_SECOND)
    side, kind = _SIDES[item.side], item.ord_type[:1]
    return f'["{item.price}","{item.qty}",{seconds}.{ns:09d},"{side}","{kind}","",{item.trade_id}]'.encode()


def _trade(row: Row, symbol: str) -> PlayedTrade:
    price, qty, time, side, kind, _, trade_id = row
    seconds, _, fraction = str(time).partition(".")
    stamp_ns = int(seconds) * NS_PER_SECOND + int(fraction.ljust(9, "0"))
    item = {
        "symbol": symbol, "side": "buy" if side == "b" else "sell", "price": Raw(price.encode()),
        "qty": Raw(qty.encode()), "ord_type": "market" if kind == "m" else "limit", "trade_id": trade_id,
        "timestamp": rfc3339(stamp_ns, 9),
    }  # fmt: skip
    return PlayedTrade(trade_id, stamp_ns, price, qty, msgspec.json.encode(item))


def answer(result: Mapping[str, Any]) -> bytes:
    """Return an answer."""
    return msgspec.json.encode({"error": [], "result": result})


def error(reason: str) -> bytes:
    """Return an answer that says what is wrong; its status is 200 as well."""
    return msgspec.json.encode({"error": [reason]})
