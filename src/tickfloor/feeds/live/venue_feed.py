"""One venue, live: its instruments are chosen, its streams carried, watched and repaired."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from ssl import SSLContext
from typing import Final

from tickfloor.contracts.feeds import VenueReport
from tickfloor.contracts.ports import LogPort
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.carriage import Carriage
from tickfloor.feeds.live.choosing.listing import Listing
from tickfloor.feeds.live.connecting.connection import Surroundings
from tickfloor.feeds.live.connecting.lines import Lines, UnknownConnectionError
from tickfloor.feeds.live.connecting.message_rate import MessageRate
from tickfloor.feeds.live.connecting.wire import Turn
from tickfloor.feeds.live.feed_task import FeedTask
from tickfloor.feeds.live.news import News
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.live.repairing.repair_queue import RepairQueue
from tickfloor.feeds.live.repairing.repairs import LiveRepairs
from tickfloor.feeds.live.repairing.rest import RestClient
from tickfloor.feeds.live.route_out import check_proxy
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.live.venue_report import repair_report, venue_report
from tickfloor.feeds.live.watching.rerouting import Rerouting
from tickfloor.feeds.live.watching.seen_market import SeenMarket
from tickfloor.feeds.live.watching.watchdog import Patience
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.recording.recorder import Recorder
from tickfloor.feeds.venue import Adapter, Channel, Dialect, NoRepairs, Repairs, StreamKey
from tickfloor.feeds.venues.table import adapter_of, dialect_of
from tickfloor.worker.token_bucket import TokenBucket

TICK_SECONDS: Final = 0.05
REFRESH_SECONDS: Final = 3600.0
RECORDER_CLOSE_SECONDS: Final = 5.0
"""For what waits for the disk; usually it takes milliseconds."""
LIST_AWAITED: Final = "the venue has not said yet what it trades"
PACE_SECONDS: Final = 2
"""So many seconds' worth of REST requests may be sent at once."""


class VenueFeed:
    """Runs one venue on the event loop that it is started in.

    Attributes:
        adapter: reads the venue's frames.
    """

    def __init__(
        self,
        settings: VenueSettings,
        *,
        adapter: Adapter,
        dialect: Dialect,
        publisher: MarketPublisher,
        joins: TradeJoins,
        repair_queue: RepairQueue,
        repairs: Repairs | None = None,
        clock: ReceiveClock,
        on_flush: Callable[[], None],
        log: LogPort,
        recorder: Recorder | None = None,
        closers: Iterable[Callable[[], Awaitable[object]]] = (),
        tls: SSLContext | None = None,
        patience: Patience | None = None,
        refresh_seconds: float = REFRESH_SECONDS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            on_flush: shows what was published; called at the end of each turn of the loop that brought frames.
            repairs: asked for the books of streams that were away; None: nobody is.
            recorder: given everything that is received and sent; None: nothing is recorded.
            closers: called in this order when the connections are closed.
            tls: instead of the default context.
            patience: how long streams may be silent, before the settings' factor; None: as long as usual.
            refresh_seconds: from one look at what is traded to the next.
        """
        self.adapter = adapter
        self._settings = settings
        self._dialect = dialect
        self._publisher = publisher
        self._joins = joins
        self._queue = repair_queue
        self._repairs = repairs or NoRepairs()
        self._clock = clock
        self._on_flush = on_flush
        self._log = log
        self._recorder = recorder
        self._closers = tuple(closers)
        self._tls = tls
        self._patience = (patience or Patience()).scaled(settings.patience)
        self._refresh_seconds = refresh_seconds
        self._staleness = Staleness(publisher.known)
        self._numbers = itertools.count(1)
        self._lines: Lines | None = None
        self._rerouting: Rerouting | None = None
        self._task = FeedTask(settings.venue)
        self._listed = False
        self._look_due_ns = 0
        self._news = News(
            settings.venue, log, unplaced=adapter.refused, recorded=(lambda: ()) if recorder is None else recorder.news
        )

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
    ) -> "VenueFeed":
        """Return the feed of a venue, with everything that it needs.

        Args:
            record: folder for everything that is received; None: nothing is recorded.

        Raises:
            UnknownVenueError: there is no such venue.
            SocksProxyError: REST requests would have to go through a SOCKS proxy.
            RecordingError: nothing can be recorded there.
        """
        dialect = dialect_of(settings)
        limits = dialect.limits
        check_proxy(settings.venue, [dialect.rest_url()], settings.proxy)
        recorder = None if record is None else Recorder(record, settings.venue, clock=clock.now)
        client = RestClient(
            dialect.rest_url(),
            proxy=settings.proxy,
            record=None if recorder is None else recorder.frame,
            clock=clock.now,
        )
        queue = RepairQueue(
            client.fetch,
            weight_per_minute=limits.weight_per_minute,
            clock=clock.now,
            pace=TokenBucket(
                limits.requests_per_second, max(1, round(PACE_SECONDS * limits.requests_per_second)), clock=clock.now
            ),
            venue=settings.venue,
            log=log,
        )
        repairs = LiveRepairs(dialect, queue, clock=clock.now, log=log)
        joins = TradeJoins(repairs, audit=audit)
        adapter = adapter_of(settings.venue, publisher, joins=joins, repairs=repairs, audit=audit)
        feed = cls(
            settings, adapter=adapter, dialect=dialect, publisher=publisher, joins=joins, repair_queue=queue,
            repairs=repairs, clock=clock, on_flush=on_flush, log=log, recorder=recorder, closers=(client.close,),
        )  # fmt: skip
        repairs.attach(adapter, feed.resubscribe)
        return feed

    @property
    def frames(self) -> int:
        """Whole messages received so far."""
        return 0 if self._lines is None else self._lines.frames

    @property
    def malformed(self) -> int:
        """Those of them that could not be read."""
        return 0 if self._lines is None else self._lines.malformed

    async def run(self) -> None:
        """Live, until :meth:`close` or until cancelled.

        Raises:
            ConfigError: the venue has nothing of what is asked for.
            Exception: something failed that is a fault of ours; a group of them if several did.
        """
        await self._task.run(self._run())

    async def close(self) -> None:
        """Close the connections, then what they used."""
        if self._task.ended:
            return
        for line in () if self._lines is None else self._lines.all():
            line.close()
        await self._task.end()
        for closer in self._closers:
            await closer()
        if self._recorder is not None:
            await asyncio.to_thread(self._recorder.close, RECORDER_CLOSE_SECONDS)
            self._news.say_recorded()

    def reconnect(self, connection: str = "") -> tuple[str, ...]:
        """Replace a connection, or all with an empty name, without a gap, and return their names.

        Raises:
            UnknownConnectionError: there is none of that name.
        """
        if self._lines is None:
            if connection:
                raise UnknownConnectionError(f"there is no connection {connection!r} yet")
            return ()
        return self._lines.reconnect(connection)

    def resubscribe(self, keys: Iterable[StreamKey]) -> None:
        """Ask anew for streams whose data cannot be trusted."""
        if self._lines is not None:
            self._lines.renew(keys)

    def report(self) -> VenueReport:
        """Return how the venue stands."""
        dead = [] if self._rerouting is None else self._rerouting.dead()
        return venue_report(
            self._settings.venue,
            publisher=self._publisher,
            joins=self._joins,
            repairs=repair_report(self._queue, self._clock.now()),
            left_out=self.adapter.left_out(),
            connections=() if self._lines is None else self._lines.statistics(dead),
            staleness=self._staleness,
            now=self._clock.now(),
            waits_for=self._waits_for(),
        )

    def _waits_for(self) -> str:
        """Return, in words, why nothing is subscribed to yet; empty: something is."""
        if self._listed:
            return ""
        why = self._queue.unanswered
        return LIST_AWAITED + (f": {why}" if why else "")

    def problems(self) -> tuple[str, ...]:
        """Return what could not be had or read, in words."""
        if self._lines is None:
            return ()
        found = []
        for line in self._lines.all():
            found += [f"{key.channel} of {key.symbol} refused: {reason}" for key, reason in line.refused().items()]
            if line.malformed:
                found.append(
                    f"{line.name}: frames that could not be read: {line.malformed:,}, the newest: {line.newest_problem}"
                )
        return tuple(found)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run(), name="repairs")
            turn = Turn(self._on_flush)
            group.create_task(turn.failure(), name="publishing")
            limits = self._dialect.limits
            surroundings = Surroundings(
                adapter=self.adapter, dialect=self._dialect, clock=self._clock, turn=turn,
                log=self._log, recorder=self._recorder, proxy=self._settings.proxy, tls=self._tls,
                elsewhere=self.resubscribe, numbers=self._numbers, patience=self._settings.patience,
                messages=MessageRate(limits, clock=self._clock.now) if limits.messages_shared else None,
            )  # fmt: skip
            lines = self._lines = Lines(surroundings, self._staleness, group, on_regained=self._fetch_books)
            self._rerouting = Rerouting(
                lines, self._staleness, adapter=self.adapter, dialect=self._dialect, joins=self._joins,
                market=SeenMarket(self._publisher), questions=self._queue, now=self._clock.now, log=self._log,
                patience=self._patience,
            )  # fmt: skip
            listing = Listing(
                self._settings,
                adapter=self.adapter,
                dialect=self._dialect,
                questions=self._queue,
                log=self._log,
            )
            known = [writer.instrument.symbol for writer in self._publisher.writers]
            carriage = Carriage(
                lines, self._staleness, known, forget=self._rerouting.forget, now=self._clock.now,
                venue=self._settings.venue, log=self._log, refresh_seconds=self._refresh_seconds,
            )  # fmt: skip
            # Before the venue has said what it trades, which may take as long as it likes.
            group.create_task(self._tick_for_ever(lines, carriage, self._rerouting, turn), name="ticks")
            carriage.want(await listing.first(known))
            self._listed = True
            while True:
                await asyncio.sleep(carriage.seconds_until_refresh())
                carriage.want(await listing.again(carriage.symbols))

    def _fetch_books(self, keys: Iterable[StreamKey]) -> None:
        """Fetch the books of streams that were away: what changed meanwhile shows with the next event only."""
        for channel, symbol in keys:
            if channel is Channel.BOOK and self._publisher.known(symbol) and self._dialect.snapshot(symbol):
                self._repairs.book(symbol)

    async def _tick_for_ever(self, lines: Lines, carriage: Carriage, rerouting: Rerouting, turn: Turn) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._clock.adjust()
            now = self._clock.now()
            self._publisher.tick(now)
            self._joins.tick(now)
            lines.catch_up(now)
            carriage.look(now)
            if now >= self._look_due_ns:
                self._look_due_ns = now + round(self._patience.look * 1e9)
                lines.mark_refused(now)
                rerouting.look(now)
                self._news.say(lines.all(), lines.malformed)
            if not turn.due:
                turn.begin()
