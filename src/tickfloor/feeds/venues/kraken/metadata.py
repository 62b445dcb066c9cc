"""Decimals, tick and lot size of a market, from the instrument channel or REST."""

from tickfloor.feeds.venues.kraken.frames import AssetPair, Pair
from tickfloor.feeds.venues.metadata import Metadata, step


def metadata_of_pair(pair: Pair) -> Metadata | None:
    """Return what the instrument channel says, or None where it says too little."""
    tick, lot = step(_text(pair.price_increment)), step(_text(pair.qty_increment))
    if tick is None or lot is None or pair.price_precision is None or pair.qty_precision is None:
        return None
    return Metadata(pair.price_precision, pair.qty_precision, float(tick), float(lot))


def metadata_of_asset_pair(pair: AssetPair) -> Metadata | None:
    """Return what REST says, or None where the tick size is none; a lot is a unit of the last decimal."""
    tick = step(pair.tick_size)
    if tick is None:
        return None
    return Metadata(pair.pair_decimals, pair.lot_decimals, float(tick), float(f"1e-{pair.lot_decimals}"))


def _text(number: object) -> str | None:
    return None if number is None else str(number)
