"""The trader worker: reads its tape in place, runs its share of the traders, and says what becomes true."""

import gc
import time

from tickfloor.board.board_reader import BoardReader
from tickfloor.board.tape_reader import TapeReader
from tickfloor.board.waiting import Doorbell, WaitStrategy
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.commands import (
    AddTrader,
    Begin,
    CheckpointTaken,
    CheckTraders,
    CommandBody,
    Drain,
    FreezeCheckpoint,
    Progress,
    RankTraders,
    ReadThrough,
    RemoveTrader,
    ReportTrader,
    Result,
    Resume,
    RunTraders,
    SyncTraders,
    TakeOver,
    TradersRun,
    TradersSynced,
    UpdateTrader,
    Yield,
    Yielded,
)
from tickfloor.contracts.errors import CheckpointError, TapeOverrunError, TickfloorError
from tickfloor.contracts.events import SignalsAccepted, TraderStatus
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.messages import ToWorker
from tickfloor.contracts.record_messages import takes_messages
from tickfloor.contracts.settings import TraderSettings, WorkerSettings
from tickfloor.contracts.traders import TradersHeld
from tickfloor.traders import plans
from tickfloor.traders.check import check_traders
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.group import TraderGroup
from tickfloor.traders.keeper import StateKeeper, read_saved
from tickfloor.traders.outlet import SignalOutlet
from tickfloor.traders.record_messages import MessageArrival, RecordMessages
from tickfloor.traders.state.board_view import views_of
from tickfloor.traders.strategies.host import StrategyHost
from tickfloor.traders.surveys import Surveys
from tickfloor.worker.checkpoint import Checkpoint
from tickfloor.worker.inbox import Later
from tickfloor.worker.runtime import Runtime

_BATCH = 128
"""Records of one step: few, because the signals of the first are said when the last is decided, and a message waits."""
_FIRST_BATCH = 8
"""In the beginning many of the records have an instrument to open: what the first decide does not wait for all."""
_STATUS_SECONDS = 0.25


class TraderWorker:
    """One incarnation. It goes on from the checkpoints that it is told to, its own or those of others."""

    def __init__(self, runtime: Runtime, settings: TraderSettings) -> None:
        descriptors = runtime.descriptors
        self._runtime = runtime
        self._tape: TapeReader
        self._waiting: WaitStrategy
        self._tape, self._waiting = _reader_of(runtime, settings)
        self._board = BoardReader(descriptors["board"], run_id=runtime.run_id)
        self._engine = Engine(
            source=settings.source, tape=settings.tape, describe=self._board.instrument, history=self._closed_bars
        )
        self._traders = TraderGroup(
            self._engine,
            StrategyHost(
                source=settings.source,
                tape=settings.tape,
                describe=self._board.instrument,
                vitals=runtime.vitals,
                effects=runtime.effects,
                log=runtime.log,
                limiter=lambda name: runtime.limiter(name, rate=0.1, burst=1),
                columns=self._engine,
            ),
        )
        self._surveys = Surveys(self._traders, runtime.applied)
        self._outlet = SignalOutlet(runtime.channel.send, self._tape.published_at)
        self._keeper = StateKeeper(
            Checkpoint(descriptors["checkpoint"]),
            self._tape,
            lambda: (self._traders.checkpoint(), self._outlet.unstored),
        )
        self._begun = False
        self._opening = False
        self._batch = _FIRST_BATCH
        self._ended_at: int | None = None
        """position at which this worker has yielded, or will"""
        self._freezes: dict[int, int] = {}
        self._yields: dict[int, int] = {}
        self._reads: dict[int, int] = {}
        self._drains: dict[int, int] = {}
        """positions by the number of the command that waits for them"""
        self._said_at = 0.0

    # Commands

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Apply a command; one that waits for a position of the tape is answered when it is reached."""
        match body:
            case CheckTraders(specs=specs):
                return check_traders(specs, self._runtime.vitals)
            case AddTrader(spec=spec, revision=revision) | UpdateTrader(spec=spec, revision=revision):
                self._traders.put(spec, revision)
            case RemoveTrader(name=name, revision=revision):
                self._traders.drop(name, revision)
            case SyncTraders(specs=specs, revision=revision):
                return TradersSynced(refused=self._traders.sync(specs, revision))
            case RunTraders(names=names):
                matches, evaluations = self._traders.matches(names)
                return TradersRun(matches=matches, evaluations=evaluations)
            case ReportTrader() | RankTraders():
                self._surveys.ask(sequence, body)
                raise Later
            case Begin(restore=restore, muted=muted):
                self._begin(restore, muted=muted)
            case Yield(at=None):
                self._ended_at = self._tape.position
                return Yielded(position=self._tape.position)
            case Yield(at=int(at)):
                self._ended_at = self._not_behind(at)
                self._wait_for(self._yields, sequence, at)
            case FreezeCheckpoint(at=at):
                self._ended_at = None
                self._wait_for(self._freezes, sequence, self._not_behind(at))
            case Resume():
                self._ended_at = None
                self._keeper.frozen = False
            case TakeOver(at=at):
                self._outlet.unmute(at)
                self._keeper.frozen = False
            case ReadThrough(through=through):
                self._wait_for(self._reads, sequence, through)
            case Drain(through=through):
                self._wait_for(self._drains, sequence, through)
            case _:
                raise TickfloorError(f"a trader worker does not know {type(body).__name__}")
        return None

    def _wait_for(self, waiting: dict[int, int], sequence: int, position: int) -> None:
        """Answer a command at a position of the tape.

        Raises:
            Later: always.
        """
        waiting[sequence] = position
        raise Later

    def _not_behind(self, position: int) -> int:
        if position < self._tape.position:
            raise TickfloorError(f"position {position} has been read: this worker is at {self._tape.position}")
        return position

    def receive(self, message: ToWorker) -> None:
        """Take the news that signals are stored."""
        if isinstance(message, SignalsAccepted):
            self._outlet.stored(message.ids)

    # Work

    def step(self) -> bool:  # hot path
        """Read what is on the tape and decide it."""
        if self._surveys:
            self._surveys.step()
        if not self._begun:
            return False
        if self._freezes or self._yields or self._reads or self._drains:
            self._answer()
        limit = self._limit()
        if limit == 0 or self._outlet.full:
            return False
        try:
            records = self._tape.read(limit)
        except TapeOverrunError as overrun:
            self._resynchronise(overrun)
            return True
        if records:
            self._batch = min(2 * self._batch, _BATCH)
            signals = self._traders.process(records)
            if signals:
                self._outlet.put(signals)
        self._keeper.save_if_due(idle=not records)
        if time.monotonic() - self._said_at >= _STATUS_SECONDS:
            self._say_status()
        return bool(records) or self._open_next()

    def _closed_bars(self, row: int, interval: Interval) -> list[Bar]:
        return self._board.bars(row, interval, self._board.depth).closed

    def _open_next(self) -> bool:
        """Do beforehand what later records would have to wait for; say whether there was something."""
        if self._traders.open_next():
            self._opening = True
            return True
        if self._opening:
            self._opening = False
            # What is open now stays: a full collection would walk all of it, for tens of milliseconds.
            gc.freeze()
        return False

    def _limit(self) -> int:
        """Return how many records may be read now: none beyond a position where something is to be done."""
        if not self._freezes and self._ended_at is None:
            return self._batch
        stops: list[int] = [*self._freezes.values(), *(() if self._ended_at is None else (self._ended_at,))]
        return min(self._batch, min(stops) - self._tape.position)

    @property
    def _held_up(self) -> bool:
        """Whether nothing may be read, whatever is on the tape."""
        return not self._begun or self._outlet.full or self._limit() == 0

    def _answer(self) -> None:
        """Answer the commands whose position is reached."""
        position = self._tape.position
        for sequence in [number for number, at in self._freezes.items() if at == position]:
            del self._freezes[sequence]
            self._keeper.save()
            self._keeper.frozen = True
            self._runtime.applied(sequence, CheckpointTaken(position=position, size=self._keeper.size))
        for sequence in [number for number, at in self._yields.items() if at == position]:
            del self._yields[sequence]
            self._runtime.applied(sequence, Yielded(position=position))
        for sequence in [number for number, at in self._reads.items() if at <= position]:
            del self._reads[sequence]
            self._runtime.applied(sequence)
        if self._outlet.unstored:
            return
        for sequence in [number for number, through in self._drains.items() if through <= position]:
            del self._drains[sequence]
            self._say_status()
            self._runtime.applied(sequence)

    def wait(self, seconds: float) -> None:
        """Sleep until the feed rings, a message comes, or a checkpoint is due; not while a survey goes on."""
        if self._surveys:
            return
        if self._held_up:
            # The tape may hold records; only a message lets them be read.
            self._runtime.wait_for_message(seconds)
            return
        self._waiting.wait(self._tape, min(seconds, _STATUS_SECONDS, self._keeper.due_in()))

    def progress(self) -> Progress:
        """Return records read, and records that could be read now."""
        return Progress(self._tape.position, 0 if self._held_up else max(0, self._tape.head() - self._tape.position))

    def traders_held(self) -> TradersHeld:
        """Return what traders run here."""
        return self._traders.held

    def details(self) -> dict[str, float]:
        """Return the figures of the rules' engine, and of the strategies."""
        statistics = self._engine.statistics()
        figures = {name: float(getattr(statistics, name)) for name in statistics.__struct_fields__}
        figures |= self._traders.strategy_figures()
        if isinstance(self._tape, RecordMessages):
            figures |= self._tape.figures()
        return {**figures, "unstored": len(self._outlet.unstored), "checkpoint_bytes": self._keeper.size}

    def close(self) -> None:
        """Let go of the shared memory."""
        self._say_status()
        self._traders.close()
        self._tape.close()
        self._board.close()

    # Life

    def _begin(self, restore: tuple[str, ...], *, muted: bool) -> None:
        """Go on from checkpoints, all of one position, and say again what of them is not stored yet."""
        found = [read_saved(Checkpoint(self._runtime.descriptors[name])) for name in restore]
        saved = [state for state in found if state is not None]
        if len(saved) < len(found) and (saved or muted):
            raise CheckpointError("a checkpoint that was to be gone on from is not there")
        if len({state.position for state in saved}) > 1:
            positions = ", ".join(str(state.position) for state in saved)
            raise CheckpointError(f"the checkpoints are of different positions: {positions}")
        if saved:
            self._traders.restore([state.traders for state in saved])
            self._tape.resume(saved[0].position)
            self._keeper.position = saved[0].position
        if muted:
            # What waits to be stored is its predecessors', who live, and have said it.
            self._outlet.muted = True
            self._keeper.save()
            self._keeper.frozen = True
        else:
            for state in saved:
                self._outlet.say_again(state.unstored)
        self._begun = True

    def _resynchronise(self, overrun: TapeOverrunError) -> None:
        if self._outlet.muted:
            raise CheckpointError(f"it did not catch up before the tape came round: {overrun}")
        self._runtime.log.warning(
            "tape overrun: signals are unknown for a range", first=overrun.first_lost, resume=overrun.resume_at
        )
        # The position first and the board after it: what the board shows is then at least as new.
        self._tape.resume(overrun.resume_at)
        views, unsettled = views_of(self._board)
        if unsettled:
            self._runtime.log.warning(
                "the board's bars stayed ahead of their rows: these instruments start anew",
                instruments=", ".join(self._board.instrument(number).key for number in unsettled),
            )
        self._traders.resync(overrun.resume_at, views)
        self._pass_stops(overrun.resume_at)
        # At once: what is lost must not be forgotten if this process dies before its next status.
        self._say_status()

    def _pass_stops(self, position: int) -> None:
        """Refuse what was to be done at a position that has been jumped over."""
        for waiting in (self._freezes, self._yields):
            for sequence in [number for number, at in waiting.items() if at < position]:
                del waiting[sequence]
                self._runtime.applied(sequence, error="the tape has overrun that position; try again")
        if self._ended_at is not None and self._ended_at < position:
            self._ended_at = None

    def _say_status(self) -> None:
        self._said_at = time.monotonic()
        statistics = self._engine.statistics()
        metrics = self._runtime.metrics
        metrics.gauge("tape_position", self._tape.position)
        metrics.gauge("signals_raised", self._outlet.raised)
        metrics.gauge("signals_unstored", len(self._outlet.unstored))
        self._runtime.say_telemetry(
            TraderStatus(
                position=self._tape.position,
                traders=len(self._traders),
                columns=statistics.columns,
                signals=self._outlet.raised,
                unstored=len(self._outlet.unstored),
                overruns=self._tape.overruns,
                lost=self._tape.lost,
                checkpoints=self._keeper.taken,
                checkpoint_bytes=self._keeper.size,
                latency=self._outlet.latency.counts,
            )
        )


def _reader_of(runtime: Runtime, settings: TraderSettings) -> tuple[TapeReader, WaitStrategy]:
    """Return how this worker gets its records, by the data path that its slot is on, and how it waits for them."""
    descriptors, run_id = runtime.descriptors, runtime.run_id
    tape, readers, others = descriptors["tape"], descriptors["readers"], [runtime.channel.fileno()]
    if takes_messages(runtime.slot, settings.message_passing_share):
        connection = descriptors["messages"]
        messages = RecordMessages(tape, readers, run_id=run_id, index=settings.reader, connection=connection)
        return messages, MessageArrival(messages, connection, others)
    reader = TapeReader(tape, readers, run_id=run_id, index=settings.reader)
    return reader, Doorbell(descriptors["doorbell"], others)


def prepare(payload: bytes) -> None:
    """Make what trader workers have in common, in the process that they are forked from."""
    plans.prepare(payload)


def make(runtime: Runtime, settings: WorkerSettings) -> TraderWorker:
    """Make the worker of a trader slot."""
    assert isinstance(settings, TraderSettings)
    return TraderWorker(runtime, settings)
