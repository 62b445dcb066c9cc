"""Asks a ccxt exchange what it trades, and says which of it a configuration wants."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec

from tickfloor.contracts.ports import LogPort
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.live.backoff import Backoff
from tickfloor.feeds.live.ccxt_venue.exchange import Exchange, in_words
from tickfloor.feeds.live.ccxt_venue.markets import Market, Metadata, markets_of, volumes_of
from tickfloor.feeds.live.choosing.universe import check, chosen

Found = TypeVar("Found")


class Choice:
    """One exchange's instruments, however often it has to be asked for them."""

    def __init__(
        self,
        settings: VenueSettings,
        *,
        exchange: Exchange,
        describe: Callable[[Mapping[str, Metadata]], None],
        log: LogPort,
    ) -> None:
        """Ask nothing yet; ``describe`` is given the metadata of every instrument with each answer."""
        self._settings = settings
        self._exchange = exchange
        self._describe = describe
        self._log = log
        self._markets: dict[str, Market] = {}

    async def first(self) -> tuple[Market, ...]:
        """Return what to subscribe to.

        Raises:
            ConfigError: the exchange has nothing of what is asked for.
        """
        await self._look(again=False)
        check(self._settings, [market.traded for market in self._markets.values()])
        return await self._choose(())

    async def again(self, kept: tuple[Market, ...]) -> tuple[Market, ...]:
        """Return what to be subscribed to from now on; ``kept`` is what is."""
        await self._look(again=True)
        return await self._choose(kept)

    async def _look(self, *, again: bool) -> None:
        markets = await self._answered("markets", lambda: self._exchange.load_markets(again))
        self._markets = markets_of(markets.values(), self._exchange.precisionMode)
        self._describe({symbol: market.metadata for symbol, market in self._markets.items() if market.metadata})

    async def _choose(self, kept: tuple[Market, ...]) -> tuple[Market, ...]:
        settings, listed = self._settings, [market.traded for market in self._markets.values()]
        volumes: Mapping[str, float] = {}
        if settings.top:
            every = msgspec.structs.replace(settings, top=0)
            matching = [self._markets[symbol] for symbol in chosen(every, listed, {})]
            volumes = await self._answered("volumes", lambda: volumes_of(self._exchange, matching))
        symbols = chosen(settings, listed, volumes, [market.traded.symbol for market in kept])
        self._log.info("streams chosen", venue=settings.venue, instruments=len(symbols))
        return tuple(self._markets[symbol] for symbol in symbols)

    async def _answered(self, what: str, ask: Callable[[], Awaitable[Found]]) -> Found:
        backoff = Backoff()
        while True:
            try:
                return await ask()
            except Exception as error:  # noqa: BLE001 - ccxt raises whatever an exchange's answer leads it to
                reason = in_words(error)
            seconds = backoff.seconds(0.0)
            self._log.warning(
                "no answer", venue=self._settings.venue, asked=what, reason=reason,
                then=f"asked again in {seconds:.1f} s",
            )  # fmt: skip
            await asyncio.sleep(seconds)
