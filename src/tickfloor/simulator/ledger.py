"""What a seeded market did, exactly, in the shape of a replay's report."""

from decimal import Context, Decimal
from typing import Any

from tickfloor.simulator.errors import SimulatorError
from tickfloor.simulator.instrument import SimulatedInstrument
from tickfloor.simulator.market import Market
from tickfloor.simulator.stream import Streams

BOOK_LEVELS = 10
EXACT = Context(prec=100)


def ledger_of(market: Market, streams: Streams, symbol: str | None) -> dict[str, Any]:
    """Return what each instrument has traded and how its book stands, by symbol.

    Raises:
        SimulatorError: there is no such symbol.
    """
    if symbol is not None and symbol not in market.by_symbol:
        raise SimulatorError(f"there is no symbol {symbol!r}")
    chosen = market.instruments if symbol is None else [market.by_symbol[symbol]]
    sent = frames_sent(streams)
    return {each.symbol: instrument_ledger(each) | {"frames": sent.get(each.symbol, {})} for each in chosen}


def frames_sent(streams: Streams) -> dict[str, dict[str, dict[str, int]]]:
    """Return frames by symbol and stream: as undisturbed subscribers would have had them, and as they were written."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for stream in streams:
        if stream.published:
            symbol = stream.name.partition("@")[0].upper()
            found.setdefault(symbol, {})[stream.name] = {"published": stream.published, "sent": stream.sent}
    return found


def instrument_ledger(each: SimulatedInstrument) -> dict[str, Any]:
    """Return one instrument's sums, minute bars and best levels."""
    tally = each.tally

    def price(ticks: int) -> str:
        return exact(ticks, each.price_decimals)

    def qty(lots: int) -> str:
        return exact(lots, each.qty_decimals)

    traded = tally.trades > 0
    return {
        "trades": tally.trades,
        "qty": qty(tally.lots),
        "notional": exact(tally.notional, each.price_decimals + each.qty_decimals),
        "first": price(tally.first_ticks) if traded else None,
        "last": price(tally.last_ticks) if traded else None,
        "min": price(tally.low) if traded else None,
        "max": price(tally.high) if traded else None,
        "first_id": tally.first_id,
        "last_id": tally.last_id,
        "agg_trades": tally.orders,
        "first_agg_id": tally.first_order,
        "last_agg_id": tally.last_order,
        "bars_1m": [
            {
                "start_ms": minute.start_ms,
                "open": price(minute.open),
                "high": price(minute.high),
                "low": price(minute.low),
                "close": price(minute.close),
                "volume": qty(minute.lots),
                "trades": minute.trades,
            }
            for minute in sorted(tally.minutes.values(), key=lambda minute: minute.start_ms)
        ],
        "book": {
            "update_id": each.book.update_id,
            "bids": [[price(ticks), qty(lots)] for ticks, lots in each.book.top_bids(BOOK_LEVELS)],
            "asks": [[price(ticks), qty(lots)] for ticks, lots in each.book.top_asks(BOOK_LEVELS)],
        },
    }


def exact(units: int, decimals: int) -> str:
    """Return a number of ticks or lots as a plain decimal without trailing zeros."""
    text = format(Decimal(units).scaleb(-decimals, EXACT), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
