"""The trader worker: reads its tape in place, runs its share of the traders, and says what becomes true."""

import time
from collections import OrderedDict

import msgspec

from tickfloor.board.board_reader import BoardReader
from tickfloor.board.tape_reader import TapeReader
from tickfloor.board.waiting import Doorbell, WaitStrategy
from tickfloor.contracts.errors import RuleError, TapeOverrunError, TickfloorError
from tickfloor.contracts.latency import LatencyHistogram
from tickfloor.contracts.messages import (
    AddTrader,
    Begin,
    CheckTraders,
    CommandBody,
    Drain,
    RemoveTrader,
    Result,
    SignalsAccepted,
    SignalsRaised,
    ToWorker,
    TraderStatus,
)
from tickfloor.contracts.settings import TraderSettings, WorkerSettings
from tickfloor.contracts.signals import Signal
from tickfloor.traders.board_view import views_of
from tickfloor.traders.check import check_traders
from tickfloor.traders.engine import Engine
from tickfloor.worker.checkpoint import Checkpoint
from tickfloor.worker.runtime import Later, Runtime

MAX_UNSTORED = 10_000
"""Signals raised and not stored at which the tape is no longer read: the database's pace is then ours."""

_BATCH = 1024
_SAY_AT_ONCE = 500
_CHECKPOINT_SECONDS = 0.25
_IDLE_CHECKPOINT_SECONDS = 0.02
_STATUS_SECONDS = 0.25


class Saved(msgspec.Struct, frozen=True):
    """A trader worker's checkpoint: its engine at a position of the tape, and signals that are not stored."""

    position: int
    engine: bytes
    unstored: tuple[Signal, ...]


class TraderWorker:
    """One incarnation; its successor goes on from its last checkpoint."""

    def __init__(self, runtime: Runtime, settings: TraderSettings) -> None:
        descriptors = runtime.descriptors
        self._runtime = runtime
        self._tape = TapeReader(
            descriptors["tape"], descriptors["readers"], run_id=runtime.run_id, index=settings.reader
        )
        self._board = BoardReader(descriptors["board"], run_id=runtime.run_id)
        self._checkpoint = Checkpoint(descriptors["checkpoint"])
        self._engine = Engine(source=settings.source, tape=settings.tape, describe=self._board.instrument)
        self._waiting: WaitStrategy = Doorbell(descriptors["doorbell"], [runtime.channel.fileno()])
        self._unstored: OrderedDict[str, Signal] = OrderedDict()
        self._latency = LatencyHistogram()
        self._drains: dict[int, int] = {}
        self._begun = False
        self._saved_position = 0
        self._saved_at = 0.0
        self._said_at = 0.0
        self._signals = 0
        self._checkpoints = 0
        self._checkpoint_bytes = 0
        self._checkpoint_every = self._tape.capacity // 8

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Apply a command; a drain is answered when the tape is read and every signal of it is stored."""
        match body:
            case CheckTraders(specs=specs):
                return check_traders(specs)
            case AddTrader(spec=spec):
                try:
                    self._engine.add(spec)
                except RuleError as error:
                    raise TickfloorError(f"trader {spec.name!r}: column {error.column}: {error.message}") from error
                except ValueError as error:
                    raise TickfloorError(str(error)) from error
            case RemoveTrader(name=name):
                try:
                    self._engine.remove(name)
                except KeyError:
                    raise TickfloorError(f"there is no trader {name!r} here") from None
            case Begin():
                self._begin()
            case Drain(through=through):
                self._drains[sequence] = through
                self._answer_drains()
                raise Later
            case _:
                raise TickfloorError(f"a trader worker does not know {type(body).__name__}")
        return None

    def receive(self, message: ToWorker) -> None:
        """Take the news that signals are stored."""
        if isinstance(message, SignalsAccepted):
            for identity in message.ids:
                self._unstored.pop(identity, None)
            self._answer_drains()

    def step(self) -> bool:  # hot path
        """Read what is on the tape and decide it."""
        if not self._begun or len(self._unstored) >= MAX_UNSTORED:
            return False
        try:
            records = self._tape.read(_BATCH)
        except TapeOverrunError as overrun:
            self._resynchronise(overrun)
            return True
        if records:
            signals = self._engine.process(records)
            if signals:
                self._raise(signals)
        self._checkpoint_if_due(idle=not records)
        self._say_status_if_due()
        if self._drains:
            self._answer_drains()
        return bool(records)

    def wait(self, seconds: float) -> None:
        """Sleep until the feed rings, a message comes, or a checkpoint is due."""
        if not self._begun or len(self._unstored) >= MAX_UNSTORED:
            # The tape may hold records; only a message lets them be read.
            self._runtime.wait_for_message(seconds)
            return
        if self._saved_position < self._tape.position:
            seconds = min(seconds, _IDLE_CHECKPOINT_SECONDS)
        self._waiting.wait(self._tape, min(seconds, _STATUS_SECONDS))

    def close(self) -> None:
        """Let go of the shared memory."""
        self._say_status()
        self._tape.close()
        self._board.close()

    def _begin(self) -> None:
        """Start from the checkpoint, if there is one, and say again what is not stored yet."""
        state = self._checkpoint.read()
        if state is not None:
            saved = msgspec.msgpack.decode(state, type=Saved)
            self._engine.restore(saved.engine)
            self._tape.resume(saved.position)
            self._saved_position = saved.position
            self._unstored.update((signal.id, signal) for signal in saved.unstored)
            self._say_signals(list(saved.unstored))
        self._begun = True

    def _raise(self, signals: list[Signal]) -> None:
        now = time.monotonic_ns()
        for signal in signals:
            self._latency.add(now - self._tape.published_at(signal.tape_sequence))
            self._unstored[signal.id] = signal
        self._signals += len(signals)
        self._say_signals(signals)

    def _say_signals(self, signals: list[Signal]) -> None:
        for start in range(0, len(signals), _SAY_AT_ONCE):
            self._runtime.channel.send(SignalsRaised(signals=tuple(signals[start : start + _SAY_AT_ONCE])))

    def _resynchronise(self, overrun: TapeOverrunError) -> None:
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
        self._engine.resync(overrun.resume_at, views)
        # At once: what is lost must not be forgotten if this process dies before its next status.
        self._say_status()

    def _checkpoint_if_due(self, *, idle: bool) -> None:
        ahead = self._tape.position - self._saved_position
        if ahead <= 0:
            return
        since = time.monotonic() - self._saved_at
        if (
            ahead >= self._checkpoint_every
            or since >= _CHECKPOINT_SECONDS
            or (idle and since >= _IDLE_CHECKPOINT_SECONDS)
        ):
            self._save()

    def _save(self) -> None:
        state = msgspec.msgpack.encode(
            Saved(self._tape.position, self._engine.checkpoint(), tuple(self._unstored.values()))
        )
        self._checkpoint.write(state)
        self._saved_position = self._tape.position
        self._saved_at = time.monotonic()
        self._checkpoints += 1
        self._checkpoint_bytes = len(state)
        self._tape.commit(hold=self._saved_position)

    def _answer_drains(self) -> None:
        if self._unstored:
            return
        for sequence in [number for number, through in self._drains.items() if self._tape.position >= through]:
            del self._drains[sequence]
            self._say_status()
            self._runtime.applied(sequence)

    def _say_status_if_due(self) -> None:
        if time.monotonic() - self._said_at >= _STATUS_SECONDS:
            self._say_status()

    def _say_status(self) -> None:
        self._said_at = time.monotonic()
        statistics = self._engine.statistics()
        self._runtime.channel.send(
            TraderStatus(
                position=self._tape.position,
                traders=statistics.traders,
                columns=statistics.columns,
                signals=self._signals,
                unstored=len(self._unstored),
                overruns=self._tape.overruns,
                lost=self._tape.lost,
                checkpoints=self._checkpoints,
                checkpoint_bytes=self._checkpoint_bytes,
                latency=self._latency.counts,
            )
        )


def make(runtime: Runtime, settings: WorkerSettings) -> TraderWorker:
    """Make the worker of a trader slot."""
    assert isinstance(settings, TraderSettings)
    return TraderWorker(runtime, settings)
