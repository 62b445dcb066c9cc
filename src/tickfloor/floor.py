"""The one assembly point: which workers there are, what each is given, and who talks to whom."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tickfloor.board.board_layout import BoardLayout
from tickfloor.config import Config
from tickfloor.contracts.errors import TickfloorError, WorkerError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.messages import (
    AddTrader,
    AssignInstrument,
    Begin,
    CheckTraders,
    CommandBody,
    Drain,
    FeedFinished,
    FeedStatus,
    FloorStatus,
    LogLine,
    QuerySignals,
    Ready,
    Result,
    RuleProblem,
    SignalsFound,
    SignalsRaised,
    SignalsStored,
    StopFeed,
    TradersChecked,
    TraderStatus,
)
from tickfloor.contracts.settings import (
    CaptureSource,
    ConsoleSettings,
    FeedSettings,
    LoggerSettings,
    SimulatedSource,
    StorageSettings,
    TraderSettings,
)
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.states import WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.catalogue import Catalogue
from tickfloor.supervisor.floor_memory import FloorMemory
from tickfloor.supervisor.log_service import LogService
from tickfloor.supervisor.placement import place
from tickfloor.supervisor.process import WorkerDiedError, WorkerProcess
from tickfloor.supervisor.router import Router
from tickfloor.supervisor.signal_service import SignalService
from tickfloor.supervisor.slots import Kind, SlotSpec
from tickfloor.supervisor.statuses import Statuses
from tickfloor.supervisor.supervisor import Supervisor, new_run_id
from tickfloor.worker.log import Log

T = TypeVar("T")

FEED, STORAGE, LOGGER, CONSOLE = "feed-1", "storage-1", "logger-1", "console-1"
FEED_KIND = Kind(name="feed", entry="tickfloor.feeds.worker:make", cleanup_seconds=1.0, from_template=True, vital=True)
TRADER_KIND = Kind(
    name="trader", entry="tickfloor.traders.worker:make", cleanup_seconds=1.0, from_template=True, vital=True
)
STORAGE_KIND = Kind(
    name="storage", entry="tickfloor.storage.worker:make", cleanup_seconds=5.0, from_template=False, vital=True
)
CONSOLE_KIND = Kind(
    name="console", entry="tickfloor.displays.console:make", cleanup_seconds=1.0, from_template=False, vital=False
)
LOGGER_KIND = Kind(
    name="logger", entry="tickfloor.logs.worker:make", cleanup_seconds=5.0, from_template=False, vital=False
)
_STATUS_SECONDS = 0.25
_PAGE = 1000


class ShutdownTimeoutError(TickfloorError):
    """The floor could not be brought to its end in time."""


class RulesError(WorkerError):
    """Some traders cannot run."""

    def __init__(self, problems: Sequence[RuleProblem]) -> None:
        super().__init__(f"{len(problems)} of the rules cannot run")
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorPlan:
    """What a floor is to do.

    Attributes:
        source: where frames come from; identity: of the data and rules, part of every signal's identity.
        tape: name of the tape.
        traders: who reads it.
        replay: wait for the slowest reader and keep the exact figures of the report.
        console: what a person is shown meanwhile; None for nothing.
    """

    source: CaptureSource | SimulatedSource
    identity: str
    tape: str
    traders: tuple[TraderSpec, ...]
    replay: bool
    console: ConsoleSettings | None


class Floor:
    """One host's floor, from its first worker to its last.

    Attributes:
        finished: the feed's last word, once it has ended.
    """

    def __init__(self, config: Config, plan: FloorPlan) -> None:
        self._config = config
        self._plan = plan
        self.run_id = new_run_id()
        self.finished: asyncio.Future[FeedFinished] = asyncio.get_running_loop().create_future()
        self._started_at = time.monotonic()
        self._logs = LogService(lambda: self._one("logger"))
        self.log = Log("supervisor", self._logs.emit)
        router = Router()
        self.supervisor = Supervisor(
            run_id=self.run_id,
            router=router,
            log=self.log,
            intensity=config.restart_intensity,
            period=config.restart_period,
        )
        self._signals = SignalService(lambda: self._one("storage"), self._alive)
        self._catalogue = Catalogue()
        self._statuses = Statuses()
        self._specs: dict[str, list[TraderSpec]] = {}
        self._memory: FloorMemory | None = None
        self._placed = False
        self._begun: dict[str, int] = {}
        self._undrained: set[str] = set()
        self._feed_is_to_stop = False
        self._status_task: asyncio.Task[None] | None = None
        router.register(LogLine, self._logs.on_line)
        router.register(SignalsRaised, self._signals.on_raised)
        router.register(SignalsStored, self._signals.on_stored)
        router.register(AssignInstrument, self._catalogue.answer)
        router.register(FeedStatus, self._statuses.on_feed)
        router.register(FeedFinished, self._on_feed_finished)
        router.register(TraderStatus, self._statuses.on_trader)
        router.register(Ready, _heard)

    # --- start

    async def start(self) -> None:
        """Make the shared memory, start every worker, check and place the traders, and let the feed begin.

        Raises:
            OutOfMemoryError, StorageError, RulesError, WorkerError: nothing is left running after :meth:`stop`.
        """
        config, plan = self._config, self._plan
        workers = max(1, min(config.trader_workers, len(plan.traders)))
        names = [f"trader-{number}" for number in range(1, workers + 1)]
        memory = self._memory = FloorMemory(
            tape=plan.tape,
            tape_records=config.tape_records,
            board=BoardLayout(config.board_instruments, config.board_depth),
            traders=names,
            run_id=self.run_id,
        )
        await self._start_logger()
        for index, name in enumerate(names):
            self._specs[name] = []
            await self._start_trader(index, name, memory)
        placement = await self._check_and_place(names)
        await self._start_storage()
        for spec in plan.traders:
            self._specs[placement[spec.name]].append(spec)
        self._placed = True
        for name in names:
            process = self._alive(name)
            if process is not None:
                with contextlib.suppress(WorkerDiedError):
                    await self._begin_trader(process)
        if plan.console is not None:
            await self._start_console(plan.console, memory)
        self._status_task = asyncio.get_running_loop().create_task(self._say_status())
        await self._start_feed(memory)

    async def _start_logger(self) -> None:
        config = self._config
        settings = LoggerSettings(level=config.log_level, form=config.log_form, path=config.log_file)
        await self.supervisor.start(SlotSpec(LOGGER, LOGGER_KIND, settings, {}, self._logger_ready))

    async def _start_storage(self) -> None:
        settings = StorageSettings(url=self._config.database_url, run=f"{self.run_id:016x}")
        await self.supervisor.start(SlotSpec(STORAGE, STORAGE_KIND, settings, {}, self._storage_ready))

    async def _start_trader(self, index: int, name: str, memory: FloorMemory) -> None:
        settings = TraderSettings(source=self._plan.identity, tape=self._plan.tape, reader=index)
        descriptors = memory.of_trader(index)
        await self.supervisor.start(SlotSpec(name, TRADER_KIND, settings, descriptors, self._resume_trader))

    async def _start_console(self, settings: ConsoleSettings, memory: FloorMemory) -> None:
        await self.supervisor.start(SlotSpec(CONSOLE, CONSOLE_KIND, settings, memory.of_display(), _nothing))

    async def _start_feed(self, memory: FloorMemory) -> None:
        plan = self._plan
        settings = FeedSettings(source=plan.source, tape=plan.tape, audit=plan.replay, wait_for_readers=plan.replay)
        await self.supervisor.start(SlotSpec(FEED, FEED_KIND, settings, memory.of_feed(), self._begin_feed))

    async def _check_and_place(self, names: list[str]) -> dict[str, str]:
        """Return the slot of every trader; rules are checked where they will run, not in this process."""
        if not self._plan.traders:
            return {}
        checked = await self._ask(names[0], CheckTraders(specs=self._plan.traders))
        assert isinstance(checked, TradersChecked)
        if checked.problems:
            raise RulesError(checked.problems)
        return {trader: names[index] for trader, index in place(checked.columns, len(names)).items()}

    # --- each incarnation's instructions

    async def _logger_ready(self, process: WorkerProcess) -> None:
        self._logs.logger_ready(process)

    async def _storage_ready(self, process: WorkerProcess) -> None:
        self._signals.storage_ready(process)

    async def _resume_trader(self, process: WorkerProcess) -> None:
        """Tell a successor what its predecessor did; before traders are placed there is nothing to tell."""
        if self._placed:
            await self._begin_trader(process)

    async def _begin_trader(self, process: WorkerProcess) -> None:
        # Once for each incarnation: one that is started while the traders are placed is told of from two sides.
        if self._begun.get(process.slot) == process.incarnation:
            return
        self._begun[process.slot] = process.incarnation
        added = [process.command(AddTrader(spec=spec)) for spec in self._specs[process.slot]]
        await asyncio.gather(*added, process.command(Begin()))

    async def _begin_feed(self, process: WorkerProcess) -> None:
        await process.command(Begin())
        if self._feed_is_to_stop:
            # Its predecessor was told, and died before it had the last word.
            await process.command(StopFeed())

    # --- end

    async def drain(self, through: int) -> None:
        """Return when every trader has read the tape up to ``through`` and every signal of it is stored.

        That ends the traders' work: one that dies afterwards is not started again.

        Raises:
            WorkerError: the floor cannot go on.
        """
        self._undrained = set(self._specs)
        await self.unless_failed(asyncio.gather(*(self._drained(name, through) for name in self._specs)))

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
        raise failure.result()

    async def _drained(self, name: str, through: int) -> None:
        await self._ask(name, Drain(through=through))
        # A successor would begin at the last checkpoint and raise again what is stored.
        self.supervisor.slot(name).wanted = False
        self._undrained.discard(name)

    async def _ask(self, name: str, body: CommandBody) -> Result | None:
        """Return a slot's answer, from the first incarnation that lives long enough to give it.

        Raises:
            WorkerError: the worker refuses, or the floor cannot go on.
        """
        while True:
            if self.supervisor.failure.done():
                raise self.supervisor.failure.result()
            process = self._alive(name)
            if process is not None and process.state is WorkerState.READY:
                with contextlib.suppress(WorkerDiedError):
                    return await process.command(body)
            await asyncio.sleep(0.002)

    async def stop_feed(self) -> FeedFinished:
        """Stop the feed at a frame's end and return its last word.

        Raises:
            WorkerError: the floor cannot go on.
        """
        self._feed_is_to_stop = True
        if not self.finished.done():
            await self.unless_failed(asyncio.ensure_future(self._ask(FEED, StopFeed())))
        return await self.unless_failed(asyncio.ensure_future(asyncio.shield(self.finished)))

    async def stored_signals(self) -> list[Signal]:
        """Return every signal of this run from the database, in order of tape sequence, trader, instrument."""
        found: list[Signal] = []
        after = 0
        while after >= 0:
            page = await self.unless_failed(
                asyncio.ensure_future(self._ask(STORAGE, QuerySignals(after=after, limit=_PAGE)))
            )
            assert isinstance(page, SignalsFound)
            found += page.signals
            after = page.after
        return found

    def unfinished(self) -> str:
        """Return, for a person, what an end that takes too long is waiting for."""
        waiting = [f"{name} to finish" for name in sorted(self._undrained)]
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
            if self._status_task is not None:
                self._status_task.cancel()
                await asyncio.wait([self._status_task])
            async with asyncio.timeout(seconds):
                for kind in ("feed", "trader", "console", "storage", "logger"):
                    if kind == "logger":
                        self._logs.flush()
                    for process in self.supervisor.processes(kind):
                        if process.state is WorkerState.READY:
                            process.move(WorkerState.DRAINING)
                    await asyncio.gather(*(self.supervisor.stop(name) for name in self.supervisor.names(kind)))
        except TimeoutError:
            forced = True
        finally:
            await self.supervisor.close(forced=forced)
            if self._memory is not None:
                self._memory.close()

    # --- what it looks like

    def status(self) -> FloorStatus:
        """Return how the floor is now."""
        latency = self._statuses.latency()
        return FloorStatus(
            uptime=time.monotonic() - self._started_at,
            workers=self.supervisor.statuses(),
            feed=self._statuses.feed,
            signals=self._signals.raised,
            stored=self._signals.stored,
            recent=tuple(self._signals.recent),
            latency_p50_us=latency.quantile_us(0.5),
            latency_p99_us=latency.quantile_us(0.99),
            lost=self._statuses.missed(),
        )

    def instruments(self) -> tuple[Instrument, ...]:
        """Return every instrument that a feed has met, by id."""
        return self._catalogue.instruments()

    def lost(self) -> int:
        """Return what would be lost if the floor ended now: records missed, and signals that are not stored."""
        return self._statuses.missed() + self._signals.waiting

    async def _say_status(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            self.say_status()

    def say_status(self) -> None:
        """Tell the console how the floor is."""
        console = self._one("console")
        if console is not None and console.backlog == 0:
            console.send(self.status())

    # --- who is who

    def _one(self, kind: str) -> WorkerProcess | None:
        return next(
            (process for process in self.supervisor.processes(kind) if process.state is WorkerState.READY), None
        )

    def _alive(self, slot: str) -> WorkerProcess | None:
        process = self.supervisor.slot(slot).process
        return None if process is None or process.dead.is_set() else process

    def _on_feed_finished(self, process: WorkerProcess, message: FeedFinished) -> None:
        self.supervisor.slot(process.slot).wanted = False
        if not self.finished.done():
            self.finished.set_result(message)


async def _nothing(process: WorkerProcess) -> None:
    del process


def _heard(process: WorkerProcess, message: Ready) -> None:
    """Nothing to do: whoever started the worker waits for it."""
    del process, message
