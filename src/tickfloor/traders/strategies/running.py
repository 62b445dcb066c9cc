"""One strategy in one worker: every call into the user's code is blamed, contained and counted here."""

import traceback
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import msgspec

from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.ports import LimiterPort, LogPort
from tickfloor.contracts.signals import Signal, signal_id
from tickfloor.contracts.traders import TraderSpec, trader_number
from tickfloor.traders.strategies.checkpoint import StrategyCheckpoint
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.loader import LoadedStrategy
from tickfloor.traders.strategies.said import brief, checked_instrument, checked_values, sayable
from tickfloor.traders.strategies.statistics import StrategyState, StrategyStatistics
from tickfloor.traders.strategies.strategy import Strategy, StrategyContext
from tickfloor.traders.strategies.ticks import ClosedBar, Tick

MAX_FAILURES_IN_ROW = 10
"""Ticks or bars in a row that a strategy may fail at before it is stopped."""

MAX_SIGNALS = 100
"""Most signals of one strategy at one record."""

MAX_SAVED = 1 << 20
"""Most bytes that a strategy may save, as it is packed."""

"""Least time between two log lines about failures of one strategy."""

_FRAMES = 3


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


class RunningStrategy:
    """A strategy from its start to its end.

    A call that ends by an exception is one more failure, and nobody else notices. A failing tick or bar is lost for
    the strategy; after :data:`MAX_FAILURES_IN_ROW` of them it is stopped for good. One that fails to start, to
    restore or to save is stopped at once: what it would do from then on is not what it was written for.

    Attributes:
        spec: what the user asked for.
        since: position from which it has been on the tape without a hole.
    """

    def __init__(self, spec: TraderSpec, surroundings: Surroundings, since: int) -> None:
        self.spec = spec
        self.since = since
        self._around = surroundings
        self._number = trader_number(spec.name)
        self._interval = BY_LABEL[spec.interval]
        self._state = StrategyState.WAITING
        self._loaded: LoadedStrategy | None = None
        self._strategy: Strategy | None = None
        self._saved: bytes | None = None
        self._unsaved = False
        self._hears_ticks = self._hears_bars = True
        self._sequence = -1
        """of the record that the strategy is being given; -1 for none"""
        self._ts_event = 0
        self._raised: list[Signal] = []
        self._calls = self._signals = self._failures = self._failures_in_row = self._held_back = 0
        self._last_failure = ""
        self._lines = surroundings.limiter(f"failure lines of {spec.name}")
        self._unsaid = 0

    # Life

    def start(self) -> None:
        """Load and start the strategy, or leave it waiting while effects are stopped."""
        if self._state is not StrategyState.WAITING or not self._around.effects.allowed:
            return
        if self._attempt(self._enter):
            self._state = StrategyState.RUNNING
            self._unsaved = True
        else:
            self._stop_for_good("cannot start")

    def _enter(self) -> None:
        self._loaded = LoadedStrategy(self.spec)
        made = self._loaded.make
        self._strategy = strategy = made()
        Strategy.attach(strategy, self._signal)
        self._hears_ticks = made.on_tick is not Strategy.on_tick
        self._hears_bars = made.on_bar is not Strategy.on_bar
        strategy.on_start(
            StrategyContext(
                name=self.spec.name, symbols=self.spec.symbols, interval=self._interval, tape=self._around.tape
            )
        )
        if self._saved is not None:
            strategy.restore(msgspec.msgpack.decode(self._saved))

    def stop(self) -> None:
        """End the strategy in this worker; while effects are stopped it is not told."""
        if self._strategy is not None and self._around.effects.allowed:
            self._attempt(self._strategy.on_stop)
        self._let_go()

    def _let_go(self) -> None:
        self._strategy = None
        if self._loaded is not None:
            self._loaded.unload()
            self._loaded = None

    # Events

    def tick(self, tick: Tick, sequence: int, into: list[Signal]) -> None:  # hot path
        """Give the strategy a tick and add the signals that it raises."""
        if self._hears_ticks:
            strategy = self._callable()
            if strategy is not None:
                self._give(strategy.on_tick, tick, sequence, into)

    def bar(self, bar: ClosedBar, sequence: int, into: list[Signal]) -> None:
        """Give the strategy a closed bar and add the signals that it raises."""
        if self._hears_bars:
            strategy = self._callable()
            if strategy is not None:
                self._give(strategy.on_bar, bar, sequence, into)

    def _callable(self) -> Strategy | None:  # hot path
        if self._state is StrategyState.FAILED:
            return None
        if not self._around.effects.allowed:
            self._held_back += 1
            return None
        if self._state is StrategyState.WAITING:
            self.start()
        return self._strategy

    def _give(
        self, handler: Callable[[Any], None], event: Tick | ClosedBar, sequence: int, into: list[Signal]
    ) -> None:  # hot path
        self._sequence, self._ts_event = sequence, event.ts_event
        self._calls += 1
        self._unsaved = True
        taken = self._attempt(handler, event)
        self._sequence = -1
        if self._raised:
            self._signals += len(self._raised)
            into.extend(self._raised)
            self._raised = []
        if taken:
            self._failures_in_row = 0
        else:
            self._failures_in_row += 1
            if self._failures_in_row >= MAX_FAILURES_IN_ROW:
                self._stop_for_good(f"failed {MAX_FAILURES_IN_ROW} times in a row")

    def _signal(self, instrument: str, values: dict[str, Any]) -> None:
        """Take a signal from the strategy, in its own call: what is wrong with it is raised there."""
        if self._sequence < 0:
            raise StrategyError("a signal belongs to a tick or bar; raise it in on_tick or on_bar")
        if len(self._raised) >= MAX_SIGNALS:
            raise StrategyError(f"more than {MAX_SIGNALS} signals at one record; raise fewer")
        spec, around = self.spec, self._around
        instrument = checked_instrument(spec, instrument)
        identity = (around.source, spec.name, spec.revision, instrument, around.tape, self._sequence)
        self._raised.append(
            Signal(
                id=signal_id(*identity, n=len(self._raised)),
                source=around.source,
                trader=spec.name,
                revision=spec.revision,
                instrument=instrument,
                tape=around.tape,
                tape_sequence=self._sequence,
                ts_event=self._ts_event,
                values=checked_values(values),
            )
        )

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
            "correlation_id": "" if self._sequence < 0 else f"{self._around.tape}:{self._sequence}",
            "trader": self.spec.name,
            "error": self._last_failure,
            "trace": _short_trace(error),
            "not_logged": self._unsaid,
        }
        self._unsaid = 0
        return line

    def _stop_for_good(self, why: str) -> None:
        self._state = StrategyState.FAILED
        # It will not go on from there, whoever restores it.
        self._saved = None
        self._last_failure = f"{why}: {self._last_failure}"
        self._let_go()
        self._around.log.error("a strategy is stopped for good", trader=self.spec.name, error=self._last_failure)

    # State

    def checkpoint(self) -> StrategyCheckpoint:
        """Return what is needed to go on in another worker; while effects are stopped, what was saved last."""
        if self._strategy is not None and self._unsaved and self._around.effects.allowed:
            if self._attempt(self._save):
                self._unsaved = False
            else:
                self._stop_for_good("cannot save")
        return StrategyCheckpoint(
            identity=_identity(self.spec),
            since=self.since,
            failed=self._last_failure if self._state is StrategyState.FAILED else "",
            calls=self._calls,
            signals=self._signals,
            failures=self._failures,
            failures_in_row=self._failures_in_row,
            held_back=self._held_back,
            saved=self._saved,
        )

    def _save(self) -> None:
        assert self._strategy is not None
        state = self._strategy.save()
        if not isinstance(state, dict):
            raise StrategyError(f"save() must return a dict, not {type(state).__name__}")
        packed = msgspec.msgpack.encode(state)
        if len(packed) > MAX_SAVED:
            raise StrategyError(f"save() gave {len(packed):,} bytes; at most {MAX_SAVED:,} are kept")
        msgspec.msgpack.decode(packed)  # what cannot be read back must not be found out by the successor
        self._saved = packed

    def restore(self, saved: StrategyCheckpoint) -> bool:
        """Go on from a checkpoint and say so; one of another revision or other code is left alone."""
        if saved.identity != _identity(self.spec):
            return False
        self.since = saved.since
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
            self._stop_for_good("cannot restore")
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
            last_failure=self._last_failure,
        )


def _identity(spec: TraderSpec) -> tuple[int, str, str, str]:
    """Return what a strategy's state depends on."""
    return spec.revision, spec.strategy, spec.strategy_digest, spec.interval


def _short_trace(error: BaseException) -> str:
    """Return the innermost calls of an error, a line each."""
    frames = traceback.extract_tb(error.__traceback__, limit=-_FRAMES)
    return sayable("\n".join(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames))
