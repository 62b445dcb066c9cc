"""Decimals, tick and lot size of a symbol from exchangeInfo."""

from decimal import Decimal
from typing import NamedTuple

from tickfloor.feeds.binance.frames import SymbolInfo


class Metadata(NamedTuple):
    """What the venue says of a symbol; in the order that ``InstrumentWriter.describe`` takes."""

    price_decimals: int
    qty_decimals: int
    tick_size: float
    lot_size: float


def metadata_of(info: SymbolInfo) -> Metadata | None:
    """Return a symbol's metadata, or None where its filters do not give a tick and a lot size."""
    tick = lot = None
    for rule in info.filters:
        if rule.filterType == "PRICE_FILTER":
            tick = _step(rule.tickSize)
        elif rule.filterType == "LOT_SIZE":
            lot = _step(rule.stepSize)
    if tick is None or lot is None:
        return None
    return Metadata(_decimals(tick), _decimals(lot), float(tick), float(lot))


def _step(text: str | None) -> Decimal | None:
    try:
        step = Decimal(text or "0").normalize()
    except ArithmeticError:
        # Not a number, or one whose exponent no decimal has.
        return None
    return step if step.is_finite() and 0 < step < 10**15 and step > Decimal("1e-15") else None


def _decimals(step: Decimal) -> int:
    exponent = step.as_tuple().exponent
    return max(0, -int(exponent))
