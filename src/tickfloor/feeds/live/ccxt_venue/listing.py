"""Asks a ccxt exchange what it trades, and says which streams that makes."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TypeVar

import msgspec

from tickfloor.contracts.ports import LogPort
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.live.backoff import Backoff
from tickfloor.feeds.live.ccxt_venue.exchange import Exchange, Structure, in_words
from tickfloor.feeds.live.ccxt_venue.markets import Market, Metadata, markets_of, volumes_of
from tickfloor.feeds.live.choosing.doubts import Doubts
from tickfloor.feeds.live.choosing.listing import Choice
from tickfloor.feeds.live.choosing.universe import UnknownSymbolsError, check, chosen, keys_of
from tickfloor.feeds.venue import Channel

Found = TypeVar("Found")


class MarketListing:
    """One exchange's instruments, however often it has to be asked for them."""

    def __init__(
        self,
        settings: VenueSettings,
        *,
        exchange: Exchange,
        channels: Collection[Channel],
        describe: Callable[[Mapping[str, Metadata]], None],
        log: LogPort,
    ) -> None:
        """Ask nothing yet.

        Args:
            channels: streams of each instrument.
            describe: given the metadata of every instrument with each list that is believed.
        """
        self._settings = settings
        self._exchange = exchange
        self._channels = channels
        self._describe = describe
        self._log = log
        self._listed: Mapping[str, Structure] = {}
        self._markets: dict[str, Market] = {}
        self._doubts = Doubts()

    async def first(self, known: Collection[str]) -> Choice:
        """Return what to subscribe to.

        Args:
            known: symbols that a predecessor had. Where there are some, what is asked for was there once: what is not
                traded now is only said.

        Raises:
            ConfigError: the exchange has nothing of what is asked for.
        """
        await self._look()
        try:
            check(self._settings, [market.traded for market in self._markets.values()])
        except UnknownSymbolsError as error:
            if not known:
                raise
            then = "the others are subscribed to, and it is looked for again"
            self._log.warning("not traded now", venue=self._settings.venue, reason=str(error), then=then)
        return await self._choose(known)

    async def again(self, kept: Collection[str]) -> Choice:
        """Return what to be subscribed to from now on; ``kept`` are the symbols that are."""
        await self._look()
        return await self._choose(kept)

    def kind(self, symbol: str) -> tuple[str, ...]:
        """Return which kind of market a symbol is that is chosen."""
        return self._markets[symbol].kind

    async def _look(self) -> None:
        self._markets = await self._answered("markets", self._believed)
        self._describe({symbol: market.metadata for symbol, market in self._markets.items() if market.metadata})

    async def _believed(self) -> dict[str, Market]:
        """Return what is traded.

        Raises:
            FrameError: most of what was listed before is missing.
        """
        listed = await self._exchange.load_markets(True)
        markets = markets_of(listed.values(), self._exchange.precisionMode)
        try:
            self._doubts.check(len(markets))
        except FrameError:
            if self._listed:
                # Or ccxt refuses the streams of what is missing.
                self._exchange.set_markets(self._listed)
            raise
        self._listed = listed
        return markets

    async def _choose(self, kept: Collection[str]) -> Choice:
        settings, listed = self._settings, [market.traded for market in self._markets.values()]
        volumes: Mapping[str, float] = {}
        if settings.top:
            every = msgspec.structs.replace(settings, top=0)
            matching = [self._markets[symbol] for symbol in chosen(every, listed, {})]
            volumes = await self._answered("volumes", lambda: volumes_of(self._exchange, matching))
        symbols = chosen(settings, listed, volumes, kept)
        keys = keys_of(symbols, self._channels)
        self._log.info("streams chosen", venue=settings.venue, instruments=len(symbols), streams=len(keys))
        return Choice(symbols, keys)

    async def _answered(self, what: str, ask: Callable[[], Awaitable[Found]]) -> Found:
        backoff = Backoff()
        while True:
            try:
                return await ask()
            except FrameError as error:
                reason = error.reason
            except Exception as error:  # noqa: BLE001 - ccxt raises whatever an exchange's answer leads it to
                reason = in_words(error)
            seconds = backoff.seconds(0.0)
            self._log.warning(
                "the venue has not said what it trades", venue=self._settings.venue, asked=what, reason=reason,
                then=f"asked for again in {seconds:.1f} s",
            )  # fmt: skip
            await asyncio.sleep(seconds)
