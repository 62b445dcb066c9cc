"""A rule decided at every close of a history: where it matches, and where it gives a signal."""

from dataclasses import dataclass

import numpy as np

from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.traders import TraderSpec
from tickfloor.indicators.protocol import Values
from tickfloor.traders.history.bars import Times
from tickfloor.traders.history.columns import Bools, HistoryColumns
from tickfloor.traders.history.errors import HistoryError
from tickfloor.traders.language.plan import Plan
from tickfloor.traders.plans import planned
from tickfloor.traders.state.checkpoint import NEVER


@dataclass(frozen=True, slots=True)
class Decisions:
    """What an at-close rule came to.

    Attributes:
        interval: whose closes it was decided at.
        end_ms: those closes.
        matches: at which of them it is true.
        signals: which of them give a signal, by index, ascending.
    """

    interval: Interval
    end_ms: Times
    matches: Bools
    signals: tuple[int, ...]


def decided(spec: TraderSpec, columns: HistoryColumns) -> Decisions:
    """Decide an at-close rule over a history, as the engine would have done bar by bar.

    Raises:
        RuleError: the rule is not valid, or reads no column.
        ValueError: the default interval is not one.
        HistoryError: it is decided per tick, or needs shorter bars than there are.
    """
    if spec.when != "close":
        raise HistoryError(
            "a rule that is decided at every tick cannot be tested on candles: they do not say in which order their "
            'prices came; decide it at the close (--when close, or when = "close" in the rules file), or give trades'
        )
    plan = planned(spec)
    matches = columns.holds(plan.condition, plan.interval)
    end_ms = columns.bars(plan.interval).end_ms
    new = matches.copy()
    new[1:] &= ~matches[:-1]
    signals = _cooled_down(
        [(index, int(end_ms[index]) * 1_000_000) for index in np.flatnonzero(new).tolist()], spec.cooldown_ns
    )
    return Decisions(plan.interval, end_ms, matches, signals)


def _cooled_down(new: list[tuple[int, int]], cooldown_ns: int) -> tuple[int, ...]:
    """Return the new matches, each with its time, that do not come too soon after the signal before."""
    signals = []
    signalled = NEVER
    for index, ts_event in new:
        if ts_event - signalled >= cooldown_ns:
            signals.append(index)
            signalled = ts_event
    return tuple(signals)


def shown(plan: Plan, columns: HistoryColumns) -> dict[str, Values]:
    """Return the columns that the rule's signals carry, by their text, at each close."""
    return {text: columns.number(column, plan.interval) for text, column in plan.shown}
