"""An exchange object of ccxt: what is used of it, and how it is made. ccxt is imported only when one is wanted."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from tickfloor.contracts.settings import CCXT, VenueSettings
from tickfloor.feeds.live.ccxt_venue.errors import CcxtMissingError, UnknownExchangeError

LONGEST_REASON: Final = 300

Structure = Mapping[str, Any]
"""One of ccxt's unified structures: a trade, a ticker, a book, a market."""


class Client(Protocol):
    """One of ccxt's WebSocket connections."""

    error: Exception | None

    async def close(self) -> object:
        """Close it; whoever waits for something of it is cancelled."""


class Exchange(Protocol):
    """What is used of a ``ccxt.pro`` exchange, besides the ``watch_…`` methods, which are called by name.

    Attributes:
        has: what it can do, by ccxt's name of it.
        precisionMode: how ``precision`` of its markets is meant.
        clients: its connections, by URL.
        trades, orderbooks, tickers, bidsasks: the newest of what was received, by unified symbol.
    """

    has: Mapping[str, object]
    precisionMode: int  # noqa: N815 - ccxt's name
    clients: dict[str, Client]
    trades: Mapping[str, Sequence[Structure]]
    orderbooks: Mapping[str, Structure]
    tickers: Mapping[str, Structure]
    bidsasks: Mapping[str, Structure]

    async def load_markets(self, reload: bool = False, /) -> Mapping[str, Structure]:
        """Return its markets by unified symbol."""

    def set_markets(self, markets: Mapping[str, Structure], /) -> object:
        """Go by these markets from now on."""

    async def fetch_tickers(self, symbols: list[str], /) -> Mapping[str, Structure]:
        """Return tickers by unified symbol."""

    async def fetch_trades(self, symbol: str, /) -> Sequence[Structure]:
        """Return an instrument's newest trades."""

    async def close(self) -> object:
        """Close everything."""


class Made(NamedTuple):
    """An exchange, and the errors by which it says that asking again is no use."""

    exchange: Exchange
    refusals: tuple[type[Exception], ...]


def made(settings: VenueSettings) -> Made:
    """Return the exchange of a venue such as ``ccxt-okx``; it connects to nothing yet.

    Raises:
        CcxtMissingError: ccxt is not installed.
        UnknownExchangeError: ccxt streams no such exchange.
    """
    try:
        ccxt = import_module("ccxt.pro")
    except ImportError as error:
        raise CcxtMissingError(settings.venue) from error
    name = settings.venue.removeprefix(CCXT)
    if name not in ccxt.exchanges:
        raise UnknownExchangeError(settings.venue, name, ccxt.exchanges)
    config: dict[str, object] = {"enableRateLimit": True, "aiohttp_trust_env": True}
    if settings.proxy:
        config |= {"httpsProxy": settings.proxy, "wssProxy": settings.proxy}
    exchange = getattr(ccxt, name)(config)
    exchange.urls["api"] = redirected(exchange.urls["api"], settings.stream_url, settings.rest_url)
    return Made(exchange, (ccxt.NotSupported, ccxt.AuthenticationError))


def redirected(urls: object, stream_url: str, rest_url: str) -> object:
    """Return addresses as ccxt nests them, with the same paths below others; an empty one changes nothing."""
    if isinstance(urls, Mapping):
        return {name: redirected(url, stream_url, rest_url) for name, url in urls.items()}
    if not isinstance(urls, str):
        return urls
    to = stream_url if urls.startswith("ws") else rest_url
    return to.rstrip("/") + urlsplit(urls).path if to else urls


def in_words(error: Exception) -> str:
    """Return an error of ccxt's, which may hold a whole answer."""
    return f"{type(error).__name__}: {error}"[:LONGEST_REASON]


async def drop_connections(exchange: Exchange, reason: Exception) -> None:
    """Close an exchange's WebSockets; what waits for them is cancelled, and asking again opens new ones."""
    clients = list(exchange.clients.values())
    # Forgotten first, or whoever asks at once is given one that is closing.
    exchange.clients.clear()
    for client in clients:
        # Without an error ccxt would take its end for that of the successor with the same URL.
        client.error = reason
    await asyncio.gather(*(client.close() for client in clients), return_exceptions=True)
