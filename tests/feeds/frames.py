"""Writes Binance frames for tests."""

import json

MINUTE_NS = 60_000_000_000
MINUTE_MS = 60_000
START_MS = 1_723_161_060_000
"""2024-08-08 23:51 UTC: nine minutes before a day ends, four before five minutes do."""


def combined(stream: str, data: object) -> bytes:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()


def trade(number: int, time_ms: int, price: float, qty: float, *, bought=True, symbol: str = "BTCUSDT") -> bytes:
    return combined(f"{symbol.lower()}@trade", {
        "e": "trade", "E": time_ms + 1, "s": symbol, "t": number, "p": f"{price:.8f}", "q": f"{qty:.8f}",
        "T": time_ms, "m": not bought, "M": True,
    })  # fmt: skip


def agg_trade(number: int, time_ms: int, price: float, qty: float, *, bought=True, symbol: str = "BTCUSDT") -> bytes:
    return combined(f"{symbol.lower()}@aggTrade", {
        "e": "aggTrade", "E": time_ms + 1, "s": symbol, "a": number, "p": f"{price:.8f}", "q": f"{qty:.8f}",
        "f": number, "l": number, "T": time_ms, "m": not bought,
    })  # fmt: skip


def book_ticker(update: int, bid: str, ask: str, *, symbol: str = "BTCUSDT", time_ms: int | None = None) -> bytes:
    data = {"u": update, "s": symbol, "b": bid, "B": "1.5", "a": ask, "A": "2.5"}
    if time_ms is not None:
        data |= {"e": "bookTicker", "E": time_ms, "T": time_ms - 1}
    return combined(f"{symbol.lower()}@bookTicker", data)


def depth(first: int, last: int, time_ms: int, bids=(), asks=(), *, previous: int | None = None,
          symbol: str = "BTCUSDT") -> bytes:  # fmt: skip
    data = {"e": "depthUpdate", "E": time_ms, "s": symbol, "U": first, "u": last, "b": list(bids), "a": list(asks)}
    if previous is not None:
        data |= {"pu": previous, "T": time_ms - 1}
    return combined(f"{symbol.lower()}@depth@100ms", data)


def snapshot(update: int, bids=(), asks=()) -> bytes:
    return json.dumps({"lastUpdateId": update, "bids": list(bids), "asks": list(asks)}).encode()


def ticker(time_ms: int, *, symbol: str = "BTCUSDT", **more) -> dict:
    return {
        "e": "24hrTicker", "E": time_ms, "s": symbol, "p": "1", "P": "2.5", "w": "1", "c": "41", "Q": "1", "o": "40",
        "h": "42", "l": "39", "v": "1000", "q": "40000", "O": 1, "C": 2, "F": 1, "L": 3, "n": 77, **more,
    }  # fmt: skip


def mini_ticker(time_ms: int, *, symbol: str = "BTCUSDT", **more) -> dict:
    return {
        "e": "24hrMiniTicker", "E": time_ms, "s": symbol, "c": "41", "o": "40", "h": "42", "l": "39", "v": "1000",
        "q": "40000", **more,
    }  # fmt: skip


def trade_rows(rows) -> bytes:
    """Write a ``trades`` body of (id, time, price, quantity, buyer was the maker)."""
    return json.dumps([
        {"id": number, "price": price, "qty": qty, "quoteQty": "0", "time": time_ms, "isBuyerMaker": maker,
         "isBestMatch": True}
        for number, time_ms, price, qty, maker in rows
    ]).encode()  # fmt: skip


def agg_trade_rows(rows) -> bytes:
    """Write an ``aggTrades`` body of (id, time, price, quantity, first and last trade, buyer was the maker)."""
    return json.dumps([
        {"a": number, "p": price, "q": qty, "f": first, "l": last, "T": time_ms, "m": maker, "M": True}
        for number, time_ms, price, qty, first, last, maker in rows
    ]).encode()  # fmt: skip
