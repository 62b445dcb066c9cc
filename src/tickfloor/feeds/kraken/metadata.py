"""Decimals, tick and lot size of a market, from the instrument channel or REST."""

from decimal import Decimal
from typing import NamedTuple

from tickfloor.feeds.kraken.frames import AssetPair, Pair


class Metadata(NamedTuple):
    """What the venue says of a market; in the order that ``InstrumentWriter.describe`` takes."""

    price_decimals: int
    qty_decimals: int
    tick_size: float
    lot_size: float


def metadata_of_pair(pair: Pair) -> Metadata | None:
    """Return what the instrument channel says, or None where it says too little."""
    tick, lot = _step(pair.price_increment), _step(pair.qty_increment)
    if tick is None or lot is None or pair.price_precision is None or pair.qty_precision is None:
        return None
    return Metadata(pair.price_precision, pair.qty_precision, tick, lot)


def metadata_of_asset_pair(pair: AssetPair) -> Metadata | None:
    """Return what REST says, or None where the tick size is none; a lot is a unit of the last decimal."""
    tick = _step(pair.tick_size)
    if tick is None:
        return None
    return Metadata(pair.pair_decimals, pair.lot_decimals, tick, float(f"1e-{pair.lot_decimals}"))


def _step(number: object) -> float | None:
    """Return a step that can be one."""
    try:
        step = Decimal(str(number))
    except ArithmeticError:
        return None
    return float(step) if step.is_finite() and Decimal("1e-20") <= step < 10**15 else None
