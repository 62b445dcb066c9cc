"""One of ccxt's exchanges, live: its instruments are chosen, its streams waited for, watched and asked for anew."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tickfloor.contracts.feeds import RepairReport, VenueReport
from tickfloor.contracts.ports import LogPort
from tickfloor.contracts.settings import CCXT, VenueSettings
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.carriage import Carriage
from tickfloor.feeds.live.ccxt_venue.adapter import CcxtAdapter
from tickfloor.feeds.live.ccxt_venue.errors import NotRecordableError
from tickfloor.feeds.live.ccxt_venue.exchange import Exchange, drop_connections, made
from tickfloor.feeds.live.ccxt_venue.listing import MarketListing
from tickfloor.feeds.live.ccxt_venue.silence import Patience, Silence
from tickfloor.feeds.live.ccxt_venue.streams import Group, ways
from tickfloor.feeds.live.ccxt_venue.watch import Take, Watch
from tickfloor.feeds.live.ccxt_venue.watches import Watches
from tickfloor.feeds.live.choosing.listing import Choice
from tickfloor.feeds.live.connecting.lines import UnknownConnectionError
from tickfloor.feeds.live.connecting.wire import Turn
from tickfloor.feeds.live.feed_task import FeedTask
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.live.route_out import check_proxy
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.live.venue_report import venue_report
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Channel, NoRepairs

TICK_SECONDS: Final = 0.05
REFRESH_SECONDS: Final = 3600.0


class DroppedError(ConnectionError):
    """A connection of ccxt's was closed by us."""


class CcxtFeed:
    """Runs one ccxt exchange on the event loop that it is started in.

    Slower than a venue of our own: ccxt decodes every message into dictionaries, and what is known of a stream begins
    where ccxt returns it. Nothing is repaired by REST. Whether trades were lost is seen where their ids are numbers
    that follow each other (:mod:`~tickfloor.feeds.live.ccxt_venue.trades`); otherwise trades of the time in which a
    stream was down are missing without a mark, and only ``stale`` has said so.

    Instruments are called as ccxt calls them, ``BTC/USDT`` or ``BTC/USDT:USDT``.

    Attributes:
        adapter: publishes what ccxt returns.
    """

    def __init__(
        self,
        settings: VenueSettings,
        *,
        exchange: Exchange,
        publisher: MarketPublisher,
        clock: ReceiveClock,
        on_flush: Callable[[], None],
        log: LogPort,
        audit: Audit | None = None,
        refusals: tuple[type[Exception], ...] = (),
        patience: Patience | None = None,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            on_flush: shows what was published; called at the end of each turn of the loop that brought something.
            refusals: errors of the exchange after which asking again is no use.
            patience: how long streams may be silent; None: as long as usual.
            refresh_seconds: from one look at what is traded to the next.
        """
        self._settings = settings
        self._exchange = exchange
        self._publisher = publisher
        self._clock = clock
        self._on_flush = on_flush
        self._log = log
        self._refusals = refusals
        self._patience = (patience or Patience()).scaled(settings.patience)
        self._refresh_seconds = refresh_seconds
        self._joins = TradeJoins(NoRepairs(), hold_ns=0, audit=audit)
        self.adapter = CcxtAdapter(settings.venue, publisher, joins=self._joins, audit=audit)
        self._takes: Mapping[Channel, Take] = {
            Channel.TRADES: self.adapter.trades,
            Channel.QUOTES: self.adapter.quote,
            Channel.BOOK: self.adapter.book,
            Channel.TICKERS: self.adapter.statistics,
        }
        self._staleness = Staleness(publisher.known)
        self._watches: Watches | None = None
        self._turn: Turn | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._task = FeedTask(settings.venue)

    @classmethod
    def of(
        cls,
        settings: VenueSettings,
        *,
        publisher: MarketPublisher,
        audit: Audit | None,
        clock: ReceiveClock,
        record: Path | None,
        on_flush: Callable[[], None],
        log: LogPort,
    ) -> "CcxtFeed":
        """Return the feed of a venue such as ``ccxt-okx``.

        Raises:
            NotRecordableError: ``record`` names a folder.
            SocksProxyError: a SOCKS proxy is set.
            CcxtMissingError: ccxt is not installed.
            UnknownExchangeError: ccxt streams no such exchange.
        """
        if record is not None:
            raise NotRecordableError(settings.venue)
        check_proxy(settings.venue, [url for url in (settings.stream_url, settings.rest_url) if url], settings.proxy)
        exchange, refusals = made(settings)
        return cls(
            settings, exchange=exchange, publisher=publisher, clock=clock, on_flush=on_flush, log=log, audit=audit,
            refusals=refusals,
        )  # fmt: skip

    @property
    def frames(self) -> int:
        """Calls of ccxt that have returned something so far."""
        return 0 if self._watches is None else self._watches.frames

    @property
    def malformed(self) -> int:
        """Trades, quotes, books and tickers that could not be used."""
        return self.adapter.malformed

    async def run(self) -> None:
        """Live, until :meth:`close` or until cancelled.

        Raises:
            ConfigError: the exchange has nothing of what is asked for.
            Exception: something failed that is a fault of ours; a group of them if several did.
        """
        await self._task.run(self._run())

    async def close(self) -> None:
        """Close the connections."""
        if self._task.ended:
            return
        await self._task.end()
        await self._exchange.close()

    def reconnect(self, connection: str = "") -> tuple[str, ...]:
        """Make all connections anew and return the names of what they carry.

        ccxt decides which streams share a connection, so none can be replaced alone; and the old ones are closed
        first: meanwhile the instruments are stale.

        Raises:
            UnknownConnectionError: there is none of that name.
        """
        names = tuple(watch.group.name for watch in self._all())
        if connection and connection not in names:
            known = f"; there are {', '.join(names)}" if names else ""
            raise UnknownConnectionError(f"there is no connection {connection!r}{known}")
        if names and self._tasks is not None:
            self._tasks.create_task(self._drop("asked to reconnect"), name="reconnecting")
        return names

    def report(self) -> VenueReport:
        """Return how the venue stands; its route says that it is a slower one."""
        name = self._settings.venue.removeprefix(CCXT)
        return venue_report(
            self._settings.venue,
            publisher=self._publisher,
            joins=self._joins,
            repairs=_NO_REPAIRS,
            connections=tuple(watch.report(name) for watch in self._all()),
            left_out=self.adapter.left_out(),
            staleness=self._staleness,
            now=self._clock.now(),
        )

    def problems(self) -> tuple[str, ...]:
        """Return what could not be had or read, in words."""
        found = [f"{watch.group.name} refused: {watch.refused}" for watch in self._all() if watch.refused]
        if self.malformed:
            found.append(f"items that could not be used: {self.malformed:,}, the newest: {self.adapter.newest_problem}")
        return tuple(found)

    def _all(self) -> tuple[Watch, ...]:
        return () if self._watches is None else self._watches.all

    async def _run(self) -> None:
        ways_of = ways(self._settings, self._exchange.has)
        lacking = [stream for stream in self._settings.streams if Channel(stream) not in ways_of]
        if lacking:
            self._log.warning(
                "the venue lacks streams", venue=self._settings.venue, streams=", ".join(lacking),
                then="the others are subscribed to",
            )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            turn = self._turn = Turn(self._on_flush)
            tasks.create_task(turn.failure(), name="publishing")
            listing = MarketListing(
                self._settings, exchange=self._exchange, channels=tuple(ways_of), describe=self.adapter.describe,
                log=self._log,
            )  # fmt: skip
            watches = self._watches = Watches(ways_of, tasks, kind=listing.kind, watch=self._watch, drop=self._drop)
            known = [writer.instrument.symbol for writer in self._publisher.writers]
            carriage = Carriage(
                watches, self._staleness, known, forget=self.adapter.forget, now=self._clock.now,
                venue=self._settings.venue, log=self._log, refresh_seconds=self._refresh_seconds,
            )  # fmt: skip
            # Before the exchange has said what it trades, which may take as long as it likes.
            tasks.create_task(self._tick_for_ever(turn), name="ticks")
            await self._carry(await listing.first(known), carriage, watches)
            tasks.create_task(self._silence(watches).run(), name="silence")
            while True:
                await asyncio.sleep(carriage.seconds_until_refresh())
                await self._carry(await listing.again(carriage.symbols), carriage, watches)

    async def _carry(self, choice: Choice, carriage: Carriage, watches: Watches) -> None:
        carriage.want(choice)
        await watches.settle()
        carriage.look(self._clock.now())

    def _watch(self, group: Group) -> Watch:
        return Watch(
            group, venue=self._settings.venue, exchange=self._exchange, takes=self._takes,
            staleness=self._staleness, now=self._clock.now, on_news=self._on_news,
            refusals=self._refusals, log=self._log,
        )  # fmt: skip

    async def _drop(self, reason: str) -> None:
        self._log.warning(
            "connections dropped", venue=self._settings.venue, reason=reason, then="everything is asked for anew"
        )
        await drop_connections(self._exchange, DroppedError(reason))

    def _silence(self, watches: Watches) -> Silence:
        return Silence(
            self._exchange, watches=lambda: watches.all, heard=self.adapter.heard,
            newest_trade_ns=self.adapter.newest_trade_ns, drop=self._drop, now=self._clock.now, log=self._log,
            patience=self._patience,
        )  # fmt: skip

    def _on_news(self) -> None:
        if self._turn is not None and not self._turn.due:
            self._turn.begin()

    async def _tick_for_ever(self, turn: Turn) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._clock.adjust()
            now = self._clock.now()
            self._publisher.tick(now)
            self._joins.tick(now)
            self._staleness.catch_up(now)
            if not turn.due:
                turn.begin()


_NO_REPAIRS: Final = RepairReport(
    waiting=0, in_flight=0, answered=0, failed=0, used_weight=0, weight_limit=0, held_seconds=0.0, held_reason=""
)
