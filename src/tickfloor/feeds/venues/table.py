"""Which venues there are."""

from collections.abc import Callable
from typing import Final

from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.settings import CCXT, VenueSettings
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Adapter, Dialect, Repairs
from tickfloor.feeds.venues.binance.adapter import BinanceAdapter
from tickfloor.feeds.venues.binance.dialect import BinanceDialect
from tickfloor.feeds.venues.coinbase.adapter import CoinbaseAdapter
from tickfloor.feeds.venues.coinbase.dialect import CoinbaseDialect
from tickfloor.feeds.venues.kraken.adapter import KrakenAdapter
from tickfloor.feeds.venues.kraken.dialect import KrakenDialect

_VENUES: Final[dict[str, tuple[Callable[..., Adapter], Callable[[VenueSettings], Dialect]]]] = {
    "binance": (BinanceAdapter, BinanceDialect),
    "binance-usdm": (BinanceAdapter, BinanceDialect),
    "binance-coinm": (BinanceAdapter, BinanceDialect),
    "kraken": (KrakenAdapter, KrakenDialect),
    "coinbase": (CoinbaseAdapter, CoinbaseDialect),
}


class UnknownVenueError(TickfloorError):
    """There is no adapter for a venue."""

    def __init__(self, venue: str) -> None:
        super().__init__(
            f"there is no venue {venue!r}; there are {', '.join(_VENUES)}, and live, never replayed, {CCXT}NAME"
        )


def adapter_of(
    venue: str, publisher: MarketPublisher, *, joins: TradeJoins, repairs: Repairs, audit: Audit | None
) -> Adapter:
    """Return what reads a venue's frames.

    Raises:
        UnknownVenueError: there is none.
    """
    if venue not in _VENUES:
        raise UnknownVenueError(venue)
    return _VENUES[venue][0](venue, publisher, joins=joins, repairs=repairs, audit=audit)


def dialect_of(settings: VenueSettings) -> Dialect:
    """Return how a venue is spoken to.

    Raises:
        UnknownVenueError: there is no such venue.
    """
    if settings.venue not in _VENUES:
        raise UnknownVenueError(settings.venue)
    return _VENUES[settings.venue][1](settings)
