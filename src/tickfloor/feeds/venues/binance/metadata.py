"""Decimals, tick and lot size of a symbol from exchangeInfo."""

from tickfloor.feeds.venues.binance.frames import SymbolInfo
from tickfloor.feeds.venues.metadata import Metadata, metadata_of


def metadata_of_symbol(info: SymbolInfo) -> Metadata | None:
    """Return a symbol's metadata, or None where its filters do not give a tick and a lot size."""
    tick = lot = None
    for rule in info.filters:
        if rule.filterType == "PRICE_FILTER":
            tick = rule.tickSize
        elif rule.filterType == "LOT_SIZE":
            lot = rule.stepSize
    return metadata_of(tick, lot)
