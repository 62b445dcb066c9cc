"""What the strategies of one worker have done, as others see it."""

from enum import StrEnum

import msgspec


class StrategyState(StrEnum):
    """How a strategy is."""

    WAITING = "waiting"
    """not started yet, because effects are stopped"""
    RUNNING = "running"
    FAILED = "failed"
    """stopped for good; nothing of it is called any more"""


class StrategyStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One strategy at one moment; the counts outlive its workers.

    Attributes:
        calls: ticks, bars and signals of its rules that it was given.
        signals: signals it raised.
        failures: exceptions that came out of it.
        failures_in_row: of those, the ones since a call that it took without one.
        held_back: what it was not given because effects were stopped.
        busy_seconds: that its calls took in this worker, processor time where they were long.
        slow_calls: calls in this worker that broke the budget of one.
        kept_bytes: estimate of what it keeps, as it was looked at last; 0 before.
        last_failure: the last exception in this worker, or why it is stopped; empty if there was none.
    """

    name: str
    state: StrategyState
    calls: int
    signals: int
    failures: int
    failures_in_row: int
    held_back: int
    busy_seconds: float
    slow_calls: int
    kept_bytes: int
    last_failure: str


class HostStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The strategies of one worker at one moment; the counts are of this incarnation.

    Attributes:
        strategies: in order of name.
        instruments: instruments of the tape that at least one of them applies to.
        position: next expected sequence.
        bars_missed: closes of bars that were not seen whole, and so were given to nobody.
        malformed: trades left out because price or quantity is no usable number.
        resyncs: holes in the tape that were bridged from the board.
    """

    strategies: tuple[StrategyStatistics, ...]
    instruments: int
    position: int
    bars_missed: int
    malformed: int
    resyncs: int
