"""The one assembly point: which workers there are, what each is given, and who talks to whom."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tickfloor import policies
from tickfloor.board.board_layout import BoardLayout
from tickfloor.config import Config
from tickfloor.contracts.commands import (
    Begin,
    BeginEpoch,
    EpochBegun,
    FeedReported,
    QuerySignals,
    ReportFeed,
    SignalsFound,
    StopFeed,
)
from tickfloor.contracts.errors import TickfloorError, WorkerError
from tickfloor.contracts.events import (
    AssignInstrument,
    CleanupComplete,
    FeedFinished,
    FeedStatus,
    FloorStatus,
    LogLine,
    Ready,
    SignalsRaised,
    SignalsStored,
    TraderStatus,
    WorkerFailed,
    WorkerStatus,
)
from tickfloor.contracts.feeds import VenueReport
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.messages import FromWorker
from tickfloor.contracts.settings import (
    CaptureSource,
    ConsoleSettings,
    FeedSettings,
    LiveSource,
    LoggerSettings,
    StorageSettings,
    TraderSettings,
    WorkerSettings,
)
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.states import WorkerState
from tickfloor.contracts.telemetry import BreakerReport, LimiterReport, MetricsDelta
from tickfloor.contracts.traders import TraderSpec
from tickfloor.kinds import (
    CONSOLE,
    CONSOLE_KIND,
    FEED,
    FEED_KIND,
    LOGGER,
    LOGGER_KIND,
    STORAGE,
    STORAGE_KIND,
    TRADER_KIND,
)
from tickfloor.supervisor.control.address import ControlSocketError
from tickfloor.supervisor.control.floor_commands import FloorCommands
from tickfloor.supervisor.control.listening import ListeningSocket
from tickfloor.supervisor.control.log_tail import LogTail
from tickfloor.supervisor.control.server import ControlServer
from tickfloor.supervisor.floor_memory import FloorMemory
from tickfloor.supervisor.health.blame import BlameLedger
from tickfloor.supervisor.health.memory import proportional_share
from tickfloor.supervisor.health.monitor import HealthMonitor
from tickfloor.supervisor.health.rotation import RotationPolicy
from tickfloor.supervisor.lifecycle import Lifecycle
from tickfloor.supervisor.pool import handover
from tickfloor.supervisor.pool.scaler import MOST_WORKERS, Scaler
from tickfloor.supervisor.pool.scaling import ScalingPolicy
from tickfloor.supervisor.pool.trader_pool import TraderPool
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.services.breakers import BreakerService
from tickfloor.supervisor.services.catalogue import Catalogue
from tickfloor.supervisor.services.limits import LimitService
from tickfloor.supervisor.services.logs import LogService
from tickfloor.supervisor.services.message_flow import MessageFlow
from tickfloor.supervisor.services.metrics import MetricsService
from tickfloor.supervisor.services.router import Router
from tickfloor.supervisor.services.signals import SignalService
from tickfloor.supervisor.services.statuses import Statuses
from tickfloor.supervisor.slots import Kind, Slot, SlotSpec
from tickfloor.supervisor.supervisor import Supervisor, new_run_id
from tickfloor.worker.log import Log

T = TypeVar("T")

_STATUS_SECONDS = 0.25
_PAGE = 1000
_REPORT_SECONDS = 2.0


class ShutdownTimeoutError(TickfloorError):
    """The floor could not be brought to its end in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """What a floor is to do.

    Attributes:
        source: where frames come from; identity: of the data and rules, part of every signal's identity.
        tape: name of the tape.
        traders: who reads it.
        replay: wait for the slowest reader.
        console: what a person is shown meanwhile; None for nothing.
        audit: keep the exact figures of the report.
    """

    source: CaptureSource | LiveSource
    identity: str
    tape: str
    traders: tuple[TraderSpec, ...]
    replay: bool
    console: ConsoleSettings | None
    audit: bool = False


class Floor:
    """One host's floor, from its first worker to its last.

    Attributes:
        finished: the feed's last word, once it has ended.
        control: where it listens for commands from outside, once it has started.
    """

    def __init__(self, config: Config, plan: FloorPlan) -> None:
        self._config = config
        self._plan = plan
        loop = asyncio.get_running_loop()
        self.run_id = new_run_id()
        self.finished: asyncio.Future[FeedFinished] = loop.create_future()
        self._started_at = time.monotonic()
        self._tail = LogTail()
        self._logs = LogService(lambda: self._one("logger"), self._tail.note)
        self.log = Log("supervisor", self._logs.emit)
        self._router = Router(call_later=loop.call_later, on_error=self._on_handler_error)
        self._flow = MessageFlow()
        self._signals = SignalService(lambda: self._one("storage"), self._alive)
        self._catalogue = Catalogue()
        self._statuses = Statuses()
        self._feed_frames: dict[int, int] = {}
        self._metrics = MetricsService()
        self._breakers = BreakerService()
        self._limits = LimitService()
        self._ledger = BlameLedger()
        self._feed_is_to_stop = False
        self._tasks: list[asyncio.Task[None]] = []
        self._server: ControlServer | None = None
        self.control: Path | None = None
        self._memory = FloorMemory(
            tape=plan.tape,
            tape_records=config.tape_records,
            board=BoardLayout(config.board_instruments, config.board_depth),
            seats=2 * MOST_WORKERS,
            run_id=self.run_id,
            messages=config.message_passing_share > 0,
        )
        self.supervisor = Supervisor(
            run_id=self.run_id,
            router=self._router,
            flow=self._flow,
            lifecycle=Lifecycle(self.log),
            log=self.log,
            effects=self._memory.effects,
            restarts=lambda: policies.restarts(config),
            recoveries=policies.recoveries(config),
            on_death=self._on_death,
            well_seconds=lambda process: self._health.well_seconds(process),
        )
        self._pool = TraderPool(
            kind=TRADER_KIND,
            supervisor=self.supervisor,
            memory=self._memory,
            settings=lambda reader: TraderSettings(
                source=plan.identity,
                tape=plan.tape,
                reader=reader,
                message_passing_share=config.message_passing_share,
            ),
            ledger=self._ledger,
            unstored=lambda: self._signals.waiting,
            log=self.log,
        )
        self._scaler = Scaler(self._pool, ScalingPolicy(policies.scaling(config)), self.log)
        self._health = HealthMonitor(
            self.supervisor,
            policies.health(config),
            RotationPolicy(policies.rotation(config)),
            replace=self._put_successor,
            on_pong=self._pool.on_pong,
            log=self.log,
        )
        self._register()

    def _register(self) -> None:
        router = self._router
        router.register(SignalsRaised, self._signals.on_raised)
        router.register(SignalsStored, self._signals.on_stored)
        router.register(AssignInstrument, self._catalogue.answer)
        router.register(FeedFinished, self._on_feed_finished)
        # These have bounds of their own, and a report that is dropped would leave a breaker open for ever.
        router.register(LogLine, self._logs.on_line)
        router.register(BreakerReport, self._breakers.on_report)
        # Whoever started or ends a worker waits for these itself.
        for kind in (Ready, CleanupComplete, WorkerFailed):
            router.register(kind, _heard)
        router.register_telemetry(FeedStatus, self._on_feed_status)
        router.register_telemetry(TraderStatus, self._statuses.on_trader)
        router.register_telemetry(MetricsDelta, self._metrics.on_delta)
        router.register_telemetry(LimiterReport, self._limits.on_report)

    # Start

    async def start(self) -> None:
        """Start every worker, check and place the traders, and let the feed begin.

        Raises:
            StorageError, RulesError, WorkerError: nothing is left running after :meth:`stop`.
        """
        config, plan = self._config, self._plan
        await self._start_one(LOGGER, LOGGER_KIND, self._logger_settings(), {}, self._logger_ready)
        await self._pool.open(policies.first_workers(config, len(plan.traders)))
        await self._pool.check(plan.traders)
        storage = StorageSettings(url=config.database_url, run=f"{self.run_id:016x}")
        await self._start_one(STORAGE, STORAGE_KIND, storage, {}, self._storage_ready)
        begun = await self.supervisor.ask(STORAGE, BeginEpoch())
        assert isinstance(begun, EpochBegun)
        self.supervisor.epoch = begun.epoch
        await self._pool.begin(plan.traders)
        if plan.console is not None:
            await self._start_one(CONSOLE, CONSOLE_KIND, plan.console, self._memory.of_display(), _nothing)
        await self._open_control()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._say_statuses()), loop.create_task(self._health.run())]
        if config.trader_workers_max:
            self._tasks.append(loop.create_task(self._scaler.run()))
        for task in self._tasks:
            task.add_done_callback(_end_with)
        feed = FeedSettings(source=plan.source, tape=plan.tape, audit=plan.audit, wait_for_readers=plan.replay)
        await self._start_one(FEED, FEED_KIND, feed, self._memory.of_feed(), self._begin_feed)

    async def _start_one(
        self,
        name: str,
        kind: Kind,
        settings: WorkerSettings,
        descriptors: Mapping[str, int],
        on_ready: Callable[[WorkerProcess], Awaitable[None]],
    ) -> None:
        await self.supervisor.start(SlotSpec(name, kind, lambda: settings, lambda: descriptors, on_ready))

    def _logger_settings(self) -> LoggerSettings:
        config = self._config
        return LoggerSettings(level=config.log_level, form=config.log_form, path=config.log_file)

    async def _open_control(self) -> None:
        if self._config.control_socket == "none":
            return
        chosen = self._config.control_socket
        try:
            listening = ListeningSocket.at(Path(chosen)) if chosen else ListeningSocket.of_user(os.environ)
        except ControlSocketError as error:
            if chosen:
                raise
            # Nobody has asked for one; a floor without it is better than none.
            self.log.warning("no control socket", reason=str(error))
            return
        commands = FloorCommands(
            supervisor=self.supervisor,
            pool=self._pool,
            health=self._health,
            ledger=self._ledger,
            flow=self._flow,
            tail=self._tail,
            memory=self._memory,
            log=self.log,
            replace=self.replace,
            scaler=self._scaler,
            figures=self.figures,
            feed=FEED,
        )
        self._server = ControlServer(commands, on_error=self._on_control_error)
        self._server.start(listening)
        self.control = listening.path

    # Each incarnation's instructions

    async def _logger_ready(self, process: WorkerProcess) -> None:
        self._logs.logger_ready(process)

    async def _storage_ready(self, process: WorkerProcess) -> None:
        self._signals.storage_ready(process)

    async def _begin_feed(self, process: WorkerProcess) -> None:
        await process.command(Begin())
        if self._feed_is_to_stop:
            # Its predecessor was told, and died before it had the last word.
            await process.command(StopFeed())

    # While it runs

    async def replace(self, name: str, reason: str) -> None:
        """Put a successor in a worker's place, without a gap; one at a time.

        Raises:
            WorkerError: it could not be; the old worker goes on.
        """
        await self._health.replace(name, reason)

    async def _put_successor(self, name: str, reason: str) -> None:
        if name in self._pool.members:
            await handover.replace(self._pool, name, reason)
        else:
            await self.supervisor.replace(name, reason)

    def _on_death(self, process: WorkerProcess) -> None:
        # What it reported before it died belongs to what it was.
        self._router.flush()
        self._metrics.worker_gone(process)
        self._breakers.worker_gone(process)
        self._pool.blame(process)

    # End

    async def drain(self, through: int) -> None:
        """Return when every trader has read the tape up to ``through`` and every signal of it is stored.

        That ends the traders' work: one that dies afterwards is not started again.

        Raises:
            WorkerError: the floor cannot go on.
        """
        await self.unless_failed(asyncio.ensure_future(self._pool.drain(through)))

    async def unless_failed(self, work: "asyncio.Future[T]") -> T:
        """Return what ``work`` gives, or fail as soon as the floor cannot go on.

        Raises:
            WorkerError: a worker had to be given up.
        """
        failure = self.supervisor.failure
        waits: set[asyncio.Future[Any]] = {work, failure}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        await asyncio.wait([work])
        error = failure.result()
        if self._signals.waiting:
            raise WorkerError(f"{error}; {self._signals.waiting:,} signals were not stored and are lost")
        raise error

    async def stop_feed(self) -> FeedFinished:
        """Stop the feed at a frame's end and return its last word.

        Raises:
            WorkerError: the floor cannot go on.
        """
        self._feed_is_to_stop = True
        if not self.finished.done():
            await self.unless_failed(asyncio.ensure_future(self.supervisor.ask(FEED, StopFeed())))
        return await self.unless_failed(asyncio.ensure_future(asyncio.shield(self.finished)))

    async def venues(self) -> tuple[VenueReport, ...]:
        """Return how a live feed stands; nothing where it replays, has ended, or does not answer soon."""
        process = self._one("feed")
        if process is None or self.finished.done() or not isinstance(self._plan.source, LiveSource):
            return ()
        try:
            reported = await process.command(ReportFeed(), seconds=_REPORT_SECONDS)
        except WorkerError as error:
            # It is for a summary, which no end may fail for.
            self.log.warning("the feed does not say how it stands", reason=str(error))
            return ()
        assert isinstance(reported, FeedReported)
        return reported.venues

    async def stored_signals(self) -> list[Signal]:
        """Return every signal of this run from the database, in order of tape sequence, trader, instrument."""
        found: list[Signal] = []
        after = 0
        while after >= 0:
            query = QuerySignals(after=after, limit=_PAGE)
            page = await self.unless_failed(asyncio.ensure_future(self.supervisor.ask(STORAGE, query)))
            assert isinstance(page, SignalsFound)
            found += page.signals
            after = page.after
        return found

    def unfinished(self) -> str:
        """Return, for a person, what an end that takes too long is waiting for."""
        waiting = [f"{name} to finish" for name in self._pool.undrained()]
        if not self.finished.done():
            waiting.append(f"{FEED} to stop")
        if self._signals.waiting:
            waiting.append(f"{self._signals.waiting:,} signals to be stored")
        return ", ".join(waiting) or "the workers to start"

    async def stop(self, seconds: float) -> None:
        """End every worker in order, each cleaned up or forced, and free the shared memory.

        Workers of a kind end together. What is left after ``seconds`` is killed.
        """
        forced = False
        try:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            async with asyncio.timeout(seconds):
                if self._server is not None:
                    await self._server.close()
                for kind in ("feed", "trader", "console", "storage", "logger"):
                    if kind == "logger":
                        self._router.close()
                        self._logs.flush()
                    for process in self.supervisor.processes(kind):
                        if process.state is WorkerState.READY:
                            process.move(WorkerState.DRAINING)
                    await asyncio.gather(*(self.supervisor.stop(name) for name in self.supervisor.names(kind)))
        except TimeoutError:
            forced = True
        finally:
            await self.supervisor.close(forced=forced)
            self._memory.close()

    # What it looks like

    def status(self) -> FloorStatus:
        """Return how the floor is now."""
        self._router.flush()
        latency = self._statuses.latency()
        return FloorStatus(
            uptime=time.monotonic() - self._started_at,
            workers=tuple(_status_of(slot) for slot in self.supervisor.slots() if slot.process is not None),
            feed=self._statuses.feed,
            signals=self._signals.raised,
            stored=self._signals.stored,
            recent=tuple(self._signals.recent),
            latency_p50_us=latency.quantile_us(0.5),
            latency_p99_us=latency.quantile_us(0.99),
            lost=self._statuses.missed(),
            effects_allowed=not self._memory.emergency.pulled,
        )

    def figures(self) -> dict[str, object]:
        """Return the statistics of every part, by its name."""
        self._router.flush()
        found: dict[str, object] = {
            "router": self._router.statistics(),
            "messages": self._message_figures(),
            "effects": {"allowed": not self._memory.emergency.pulled},
            "lifecycle": self.supervisor.lifecycle.statistics(),
            "metrics": self._metrics.summary(),
            "breakers": self._breakers.statistics(),
            "limits": self._limits.statistics(),
            "rotation": self._health.rotations(),
            "scaling": self._scaler.statistics(),
            "blame": self._ledger.statistics(),
        }
        if self._server is not None:
            found["control"] = self._server.statistics()
        found.update({f"metrics of {slot}": each for slot, each in self._metrics.snapshot().items()})
        return found

    def _message_figures(self) -> dict[str, float | None]:
        flow = self._flow.statistics()
        return {**msgspec.structs.asdict(flow), "coverage": flow.coverage}

    def instruments(self) -> tuple[Instrument, ...]:
        """Return every instrument that a feed has met, by id."""
        return self._catalogue.instruments()

    def lost(self) -> int:
        """Return what would be lost if the floor ended now: records missed, and signals that are not stored."""
        self._router.flush()
        return self._statuses.missed() + self._signals.waiting

    async def _say_statuses(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            self.say_status()

    def say_status(self) -> None:
        """Tell the console how the floor is."""
        console = self._one("console")
        if console is not None and console.backlog == 0:
            console.send(self.status())

    # Who is who

    def _one(self, kind: str) -> WorkerProcess | None:
        return next(
            (process for process in self.supervisor.processes(kind) if process.state is WorkerState.READY), None
        )

    def _alive(self, slot: str) -> WorkerProcess | None:
        member = self._pool.members.get(slot)
        process = None if member is None else member.slot.process
        return None if process is None or process.dead.is_set() else process

    def _on_feed_status(self, process: WorkerProcess, message: FeedStatus) -> None:
        self._feed_frames[process.incarnation] = message.frames
        self._statuses.on_feed(process, message)

    def _on_feed_finished(self, process: WorkerProcess, message: FeedFinished) -> None:
        if isinstance(self._plan.source, LiveSource):
            # A replay is read again from its beginning; what exchanges sent to the predecessors comes once.
            earlier = sum(frames for number, frames in self._feed_frames.items() if number != process.incarnation)
            message = msgspec.structs.replace(message, frames=earlier + message.frames)
        self.supervisor.slot(process.slot).wanted = False
        if not self.finished.done():
            self.finished.set_result(message)

    def _on_handler_error(self, process: WorkerProcess, message: FromWorker, error: Exception) -> None:
        self.log.error("telemetry not handled", worker=process.slot, type=type(message).__name__, error=repr(error))

    def _on_control_error(self, correlation_id: str, error: Exception) -> None:
        self.log.error("a request failed", correlation_id=correlation_id, error=repr(error))


def _status_of(slot: Slot) -> WorkerStatus:
    process = slot.process
    assert process is not None
    return WorkerStatus(
        slot=slot.spec.name,
        kind=slot.spec.kind.name,
        pid=process.pid,
        incarnation=process.incarnation,
        state=str(process.state),
        memory=0 if process.dead.is_set() else proportional_share(process.pid),
        restarts=slot.restarts.restarts,
    )


def _end_with(task: asyncio.Task[None]) -> None:
    """See that a task which is never to end does not fail unheard: its error ends the floor."""
    if not task.cancelled() and (error := task.exception()) is not None:
        told = {"message": "a task of the floor failed", "exception": error}
        task.get_loop().call_exception_handler(told)


async def _nothing(process: WorkerProcess) -> None:
    del process


def _heard(process: WorkerProcess, message: FromWorker) -> None:
    """Nothing to do: whoever started or ends the worker waits for it."""
    del process, message
