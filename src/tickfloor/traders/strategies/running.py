"""One strategy in one worker: every call into the user's code is blamed, contained, timed and counted here."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.ports import LimiterPort, LogPort
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TraderSpec, trader_number
from tickfloor.traders.strategies.budget import CallMeter, Clocks
from tickfloor.traders.strategies.checkpoint import StrategyCheckpoint
from tickfloor.traders.strategies.columns import WatchedColumns
from tickfloor.traders.strategies.declared import NOTHING, Declared
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.kept_memory import kept_bytes
from tickfloor.traders.strategies.loader import LoadedStrategy
from tickfloor.traders.strategies.raised_signals import RaisedSignals
from tickfloor.traders.strategies.said import brief, short_trace
from tickfloor.traders.strategies.saved_state import packed
from tickfloor.traders.strategies.statistics import StrategyState, StrategyStatistics
from tickfloor.traders.strategies.strategy import Strategy, StrategyContext
from tickfloor.traders.strategies.ticks import ClosedBar, RuleSignal, Tick

MAX_FAILURES_IN_ROW = 10
"""Calls in a row that a strategy may fail at before it is stopped."""

_CHOICE = ("symbols", "exclude", "quote")
"""What of a trader's description chooses its instruments."""

_LOOK_NS = 10_000_000_000
"""Time between two looks at the memory that a strategy keeps."""


class Blame(Protocol):
    """Where it is noted whose code is running; see :class:`~tickfloor.worker.vitals.Vitals`."""

    def enter(self, number: int) -> None:
        """Note that a trader's own code runs from now on."""

    def leave(self) -> None:
        """Note that it has returned."""


class Allowance(Protocol):
    """Whether effects are allowed; see :class:`~tickfloor.worker.effects.Effects`."""

    @property
    def allowed(self) -> bool:
        """Whether a strategy's own code may be called."""


class Surroundings(NamedTuple):
    """What all strategies of a worker share; ``limiter`` gives each a pace for the lines about its failures."""

    source: str
    tape: str
    vitals: Blame
    effects: Allowance
    log: LogPort
    limiter: Callable[[str], LimiterPort]
    columns: WatchedColumns | None
    clocks: Clocks


class RunningStrategy:
    """A strategy from its start to its end.

    A call that ends by an exception is one more failure, and nobody else notices. What it was given is lost for
    the strategy; after :data:`MAX_FAILURES_IN_ROW` of them it is stopped for good. So it is at once when it breaks its
    budget, and when it fails to start, to restore or to save: what it would do from then on is not what it was
    written for.

    Attributes:
        spec: what the user asked for.
        since: position from which it has been on the tape without a hole.
        declared: its columns, rules and budget, once it is loaded.
    """

    def __init__(self, spec: TraderSpec, surroundings: Surroundings, since: int, saved: bytes | None = None) -> None:
        self.spec = spec
        self.since = since
        self.declared: Declared = NOTHING
        self._around = surroundings
        self._number = trader_number(spec.name)
        self._interval = BY_LABEL[spec.interval]
        self._state = StrategyState.WAITING
        self._loaded: LoadedStrategy | None = None
        self._strategy: Strategy | None = None
        self._saved = saved
        self._unsaved = False
        self._hears_ticks = self._hears_bars = True
        self._raised = RaisedSignals(spec, surroundings.source, surroundings.tape)
        self._row = -1
        """of the instrument that the strategy is being given; -1 for none"""
        self._meter = CallMeter(NOTHING.budget, surroundings.clocks)
        self._look_ns = 0
        self._kept_bytes = 0
        self._calls = self._signals = self._failures = self._failures_in_row = self._held_back = 0
        self._last_failure = ""
        self._lines = surroundings.limiter(f"failure lines of {spec.name}")
        self._unsaid = 0

    # Life

    @property
    def waiting(self) -> bool:
        """Whether it is not started yet, because effects are stopped."""
        return self._state is StrategyState.WAITING

    @property
    def failed(self) -> str:
        """Why it is stopped for good; empty unless it is."""
        return self._last_failure if self._state is StrategyState.FAILED else ""

    def start(self) -> None:
        """Load and start the strategy, or leave it waiting while effects are stopped."""
        if not self.waiting or not self._around.effects.allowed:
            return
        if self._attempt(self._enter):
            self._state = StrategyState.RUNNING
            self._unsaved = True
        else:
            self._fail(f"cannot start: {self._last_failure}")

    def _enter(self) -> None:
        self._loaded = LoadedStrategy(self.spec)
        made, self.declared = self._loaded.make, self._loaded.declared
        if self.declared.columns and self._around.columns is None:
            raise StrategyError("it declares columns, and this worker computes none for strategies")
        self._meter = CallMeter(self.declared.budget, self._around.clocks)
        self._strategy = strategy = made()
        Strategy.attach(strategy, self._raised.add)
        self._hears_ticks = made.on_tick is not Strategy.on_tick
        self._hears_bars = made.on_bar is not Strategy.on_bar
        strategy.on_start(
            StrategyContext(
                name=self.spec.name,
                symbols=self.spec.symbols,
                interval=self._interval,
                tape=self._around.tape,
                read=self._read,
            )
        )
        if self._saved is not None:
            strategy.restore(msgspec.msgpack.decode(self._saved))

    def successor(self, spec: TraderSpec, position: int) -> "RunningStrategy":
        """Return what is to run in this one's place, not started yet; it goes on from what this one has saved."""
        self._save_now()
        same = all(getattr(spec, chooses) == getattr(self.spec, chooses) for chooses in _CHOICE)
        since = self.since if same else position
        return RunningStrategy(spec, self._around, since, self._saved)

    def stop(self) -> None:
        """End the strategy in this worker; while effects are stopped it is not told."""
        if self._strategy is not None and self._around.effects.allowed:
            self._attempt(self._strategy.on_stop)
        self._let_go()

    def stop_for_good(self, why: str) -> None:
        """Call nothing of the strategy any more, here and in other workers."""
        self._fail(why)
        self._around.log.error("a strategy is stopped for good", trader=self.spec.name, error=why)

    def _fail(self, why: str) -> None:
        self._state = StrategyState.FAILED
        # It will not go on from there, whoever restores it.
        self._saved = None
        self._last_failure = why
        self._let_go()

    def _let_go(self) -> None:
        self._strategy = None
        if self._loaded is not None:
            self._loaded.unload()
            self._loaded = None

    # Events

    def tick(self, tick: Tick, row: int, sequence: int, into: list[Signal]) -> None:  # hot path
        """Give the strategy a tick and add the signals that it raises."""
        if self._hears_ticks:
            strategy = self._callable()
            if strategy is not None:
                self._give(strategy.on_tick, tick, row, sequence, into)

    def bar(self, bar: ClosedBar, row: int, sequence: int, into: list[Signal]) -> None:
        """Give the strategy a closed bar and add the signals that it raises."""
        if self._hears_bars:
            strategy = self._callable()
            if strategy is not None:
                self._give(strategy.on_bar, bar, row, sequence, into)

    def rule(self, signal: RuleSignal, row: int, sequence: int, into: list[Signal]) -> None:
        """Tell the strategy that one of its rules has turned true and add the signals that it raises."""
        strategy = self._callable()
        if strategy is not None:
            self._give(strategy.on_signal, signal, row, sequence, into)

    def _callable(self) -> Strategy | None:  # hot path
        if self._state is StrategyState.FAILED:
            return None
        if self.waiting or not self._around.effects.allowed:
            self._held_back += 1
            return None
        return self._strategy

    def _give(
        self,
        handler: Callable[[Any], None],
        event: Tick | ClosedBar | RuleSignal,
        row: int,
        sequence: int,
        into: list[Signal],
    ) -> None:  # hot path
        self._raised.open(sequence, event.ts_event)
        self._row = row
        self._calls += 1
        self._unsaved = True
        self._meter.begin()
        taken = self._attempt(handler, event)
        broken = self._meter.end()
        self._row = -1
        self._signals += self._raised.close(into)
        if taken:
            self._failures_in_row = 0
        else:
            self._failures_in_row += 1
            if self._failures_in_row >= MAX_FAILURES_IN_ROW:
                broken = f"failed {MAX_FAILURES_IN_ROW} times in a row: {self._last_failure}"
        if broken:
            self.stop_for_good(broken)

    def _read(self, column: str) -> float:
        if column not in self.declared.columns:
            known = ", ".join(self.declared.columns) or "none"
            raise StrategyError(f"there is no column {column!r:.100}; {known} are declared")
        if self._row < 0:
            raise StrategyError("a column has a value for the tick, bar or signal that is being given; read it there")
        assert self._around.columns is not None
        return self._around.columns.watched(self.spec.name, self._row)[column]

    # Containment

    def _attempt(self, function: Callable[..., object], *args: object) -> bool:  # hot path
        """Run the user's code under its trader's blame and say whether it returned."""
        vitals = self._around.vitals
        vitals.enter(self._number)
        try:
            function(*args)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is the strategy's own affair
            # Making the text of an error is the user's code, too.
            line = self._failed(error)
            vitals.leave()
            if line is not None:
                self._around.log.warning("a strategy failed", **line)
            return False
        # Not in a finally: what is not caught here ends this process, and the blame must outlive it.
        vitals.leave()
        return True

    def _failed(self, error: BaseException) -> dict[str, Any] | None:
        """Count a failure and return what to log of it, or None if one was logged a short while ago."""
        self._failures += 1
        self._last_failure = brief(error)
        if not self._lines.allows():
            self._unsaid += 1
            return None
        line = {
            "correlation_id": "" if self._raised.sequence < 0 else f"{self._around.tape}:{self._raised.sequence}",
            "trader": self.spec.name,
            "error": self._last_failure,
            "trace": short_trace(error),
            "not_logged": self._unsaid,
        }
        self._unsaid = 0
        return line

    # State

    def checkpoint(self) -> StrategyCheckpoint:
        """Return what is needed to go on in another worker; while effects are stopped, what was saved last."""
        self._save_now()
        self._look()
        return StrategyCheckpoint(
            identity=_identity(self.spec),
            since=self.since,
            failed=self.failed,
            calls=self._calls,
            signals=self._signals,
            failures=self._failures,
            failures_in_row=self._failures_in_row,
            held_back=self._held_back,
            saved=self._saved,
        )

    def _save_now(self) -> None:
        if self._strategy is None or not self._unsaved or not self._around.effects.allowed:
            return
        self._meter.begin()
        saved = self._attempt(self._save)
        broken = self._meter.end()
        if saved:
            self._unsaved = False
        else:
            broken = f"cannot save: {self._last_failure}"
        if broken:
            self.stop_for_good(broken)

    def _save(self) -> None:
        assert self._strategy is not None
        self._saved = packed(self._strategy.save())

    def _look(self) -> None:
        """Look at the memory that the strategy keeps, if it is time to."""
        now = self._around.clocks.wall()
        if self._strategy is None or now < self._look_ns or not self._around.effects.allowed:
            return
        self._look_ns = now + _LOOK_NS
        # An object may say its size by code of the user's own.
        if self._attempt(self._estimate):
            most = self.declared.budget.max_memory_mib
            if self._kept_bytes > most * (1 << 20):
                mib = self._kept_bytes / (1 << 20)
                self.stop_for_good(f"keeps some {mib:,.1f} MiB of memory; its budget is {most:g} MiB")

    def _estimate(self) -> None:
        assert self._loaded is not None
        self._kept_bytes = kept_bytes([self._strategy, *self._loaded.globals()])

    def restore(self, saved: StrategyCheckpoint) -> bool:
        """Go on from a checkpoint and say so.

        What an earlier version of the same class has saved is gone on from, and nothing else of it. One of another
        class or interval is left alone.
        """
        if (saved.identity[1], saved.identity[3]) != (self.spec.strategy, self.spec.interval):
            return False
        self.since = saved.since
        if saved.identity == _identity(self.spec):
            self._calls, self._signals, self._held_back = saved.calls, saved.signals, saved.held_back
            self._failures += saved.failures  # it may have failed to start here
            self._failures_in_row = saved.failures_in_row
            if saved.failed:
                self._state, self._last_failure = StrategyState.FAILED, saved.failed
                self._let_go()
                return True
        self._saved = saved.saved
        if self._strategy is None or self._saved is None:
            return True
        if not self._around.effects.allowed:
            # Started, and now it may not be called: it starts once more, with its state, when it may.
            self._let_go()
            self._state = StrategyState.WAITING
        elif self._attempt(self._strategy.restore, msgspec.msgpack.decode(self._saved)):
            self._unsaved = True
        else:
            self.stop_for_good(f"cannot restore: {self._last_failure}")
        return True

    def statistics(self) -> StrategyStatistics:
        """Return what the strategy has done."""
        return StrategyStatistics(
            name=self.spec.name,
            state=self._state,
            calls=self._calls,
            signals=self._signals,
            failures=self._failures,
            failures_in_row=self._failures_in_row,
            held_back=self._held_back,
            busy_seconds=self._meter.spent_ns / 1e9,
            slow_calls=self._meter.slow,
            kept_bytes=self._kept_bytes,
            last_failure=self._last_failure,
        )


def _identity(spec: TraderSpec) -> tuple[int, str, str, str]:
    """Return what a strategy's state depends on."""
    return spec.revision, spec.strategy, spec.strategy_digest, spec.interval
