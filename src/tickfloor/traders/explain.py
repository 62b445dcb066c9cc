"""What a rule comes to: its condition, its columns with what each costs and needs, and what decides it."""

import time
from collections.abc import Callable, Iterable, Mapping
from itertools import count

import msgspec
import numpy as np

from tickfloor.contracts.traders import TraderSpec
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.traders.columns.evaluate import Frame, column_value, test_of
from tickfloor.traders.history.known import bars_until_known, random_columns
from tickfloor.traders.language.nodes import (
    Arithmetic,
    Atom,
    BarValue,
    Calculation,
    Clock,
    Elsewhere,
    Formula,
    IndicatorValue,
    Market,
    Negative,
    NumberNode,
    Stood,
    Truth,
    atoms,
    condition_text,
)
from tickfloor.traders.language.plan import Plan, interval_of, key
from tickfloor.traders.language.vocabulary import Input
from tickfloor.traders.matching.regions import threshold
from tickfloor.traders.plans import planned

_ROUNDS = 5
_CALLS = 2_000
_BARS_BEYOND = 64
_DECIDED_BY = {
    Input.TRADE: "trades",
    Input.QUOTE: "quotes",
    Input.PRICES_24H: "24 h prices",
    Input.VOLUMES_24H: "24 h volumes",
    Input.QUALITY: "changes of quality",
}


class ColumnExplained(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a rule.

    Attributes:
        text: as the rule would write it.
        interval: of its bars; None for what is of no bar.
        kind: ``market``, ``bar``, ``calculation``, ``indicator``, ``formula``, ``condition``, ``time`` or ``other
            instrument``.
        known_with: bars of its interval that it is first known with; None where bars do not decide that.
        nanoseconds: what one update takes on this machine; None for what is only looked up.
        shared_with: names of other traders that have it.
    """

    text: str
    interval: str | None
    kind: str
    known_with: int | None
    nanoseconds: float | None
    shared_with: tuple[str, ...]


class RuleExplained(msgspec.Struct, frozen=True, kw_only=True):
    """A rule.

    Attributes:
        condition: without ``not`` before parentheses, and with what the trader asks besides.
        decided_by: kinds of record that it is decided on, or the bar whose close it waits for.
        columns: inputs before what is computed from them.
        known_after_ms: span of the bars that make every column known.
        indexed: comparisons with constants, found by bisection among those of all traders.
        compared: comparisons that are evaluated when one of their columns changes.
        nanoseconds: all of ``compared`` evaluated once, their columns being ready.
    """

    condition: str
    when: str
    interval: str
    decided_by: tuple[str, ...]
    columns: tuple[ColumnExplained, ...]
    known_after_ms: int
    indexed: tuple[str, ...]
    compared: tuple[str, ...]
    nanoseconds: float


def explained(spec: TraderSpec, others: Iterable[TraderSpec] = ()) -> RuleExplained:
    """Explain a rule beside other traders; what it costs is measured here and now.

    Raises:
        RuleError: a rule is not valid.
        ValueError: an interval is none.
    """
    plan = planned(spec)
    users: dict[str, list[str]] = {}
    for other in others:
        for column in planned(other).columns:
            users.setdefault(key(column), []).append(other.name)
    columns = [column for column in plan.columns if not isinstance(column, Stood)]
    needed = {column: bars_until_known(column) for column in columns}
    indexed = [atom for atom in atoms(plan.condition) if threshold(atom) is not None]
    compared = [atom for atom in atoms(plan.condition) if threshold(atom) is None]
    return RuleExplained(
        condition=condition_text(plan.condition, plan.interval),
        when=spec.when,
        interval=plan.interval.label,
        decided_by=_decided_by(spec, plan),
        columns=tuple(_column(column, needed[column], plan, users) for column in columns),
        known_after_ms=max((interval_of(column).ms * (bars or 0) for column, bars in needed.items()), default=0),
        indexed=tuple(condition_text(atom, plan.interval) for atom in indexed),
        compared=tuple(condition_text(atom, plan.interval) for atom in compared),
        nanoseconds=sum(map(_test_cost, compared)),
    )


def _decided_by(spec: TraderSpec, plan: Plan) -> tuple[str, ...]:
    if spec.when == "close":
        return (f"closes of {plan.interval.label} bars",)
    return tuple(words for input_, words in _DECIDED_BY.items() if input_ & plan.inputs)


def _column(
    column: NumberNode, known_with: int | None, plan: Plan, users: Mapping[str, Iterable[str]]
) -> ColumnExplained:
    return ColumnExplained(
        text=column.text(plan.interval),
        interval=None if isinstance(column, Market | Clock) else interval_of(column).label,
        kind=_kind(column),
        known_with=known_with,
        nanoseconds=_cost(column),
        shared_with=tuple(users.get(key(column), ())),
    )


def _kind(column: NumberNode) -> str:
    match column:
        case Market():
            return "market"
        case IndicatorValue():
            return "indicator"
        case Formula():
            return "formula"
        case Truth():
            return "condition"
        case Clock():
            return "time"
        case Elsewhere():
            return "other instrument"
        case BarValue():
            return "bar"
        case _:
            return "calculation"


def _cost(column: NumberNode) -> float | None:
    """Return the nanoseconds of computing a column once, or None for one that is only looked up."""
    match column:
        case IndicatorValue(function=function, sources=sources, parameters=parameters, interval=interval):
            bars = (bars_until_known(column) or 0) + _BARS_BEYOND
            random = random_columns(interval, bars)
            inputs = np.column_stack([random.number(source, interval) for source in sources]).tolist()
            indicator = INDICATORS[function](*parameters)
            for row in inputs[:-1]:
                indicator.close(*row)
            return _nanoseconds(indicator.value_now, *inputs[-1])
        case Formula() | Truth() | Arithmetic() | Negative() | Calculation():
            frame, slot_of = _frame()
            return _nanoseconds(column_value(column, slot_of), frame, frame)
        case _:
            return None


def _test_cost(atom: Atom) -> float:
    frame, slot_of = _frame()
    return _nanoseconds(test_of(atom, slot_of, slot_of), frame, frame)


def _frame() -> tuple[Frame, Callable[[NumberNode], int]]:
    """Return a frame that is long enough for any rule, and a function that gives each column a slot of it."""
    slots: dict[NumberNode, int] = {}
    numbers = count()
    return [100.0 + slot / 7 for slot in range(1_000)], lambda column: slots.setdefault(column, next(numbers) % 1_000)


def _nanoseconds(function: Callable[..., object], *arguments: object) -> float:
    """Return what a call takes: the best of some rounds, because whatever disturbs a round makes it longer."""
    best = float("inf")
    calls = range(_CALLS)
    for _ in range(_ROUNDS):
        began = time.perf_counter_ns()
        for _ in calls:
            function(*arguments)
        best = min(best, (time.perf_counter_ns() - began) / _CALLS)
    return best
