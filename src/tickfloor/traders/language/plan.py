"""Fourth pass: the shared columns a rule needs, and when it is to be decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_

from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.contracts.records import Quality
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language.negate import without_not
from tickfloor.traders.language.nodes import (
    All,
    BarValue,
    Clock,
    Column,
    Condition,
    Cross,
    Elsewhere,
    Formula,
    IndicatorValue,
    Market,
    NumberNode,
    QualityIs,
    Stood,
    Truth,
    atoms,
    columns_of,
    leaves,
    operands,
)
from tickfloor.traders.language.parse import parse
from tickfloor.traders.language.resolve import resolve
from tickfloor.traders.language.vocabulary import Input, MarketColumn


@dataclass(frozen=True, slots=True)
class Plan:
    """A rule ready for the engine.

    Attributes:
        condition: the rule, without ``not``, and that quality is live unless the trader or the rule says otherwise.
        interval: default interval; an at-close rule is decided when its bars close.
        columns: every column the rule reads and every column those read, inputs before what is computed from them. Of
            a column of another instrument, what it reads over there is not among them.
        elsewhere: per column of another instrument, the columns it needs over there, itself last.
        shown: the columns that signals carry, by the text the user would write, in the order they stand in the rule.
        inputs: the kinds of record that a per-tick rule is decided on.
        crosses: whether the rule has a crossing, which every close of its interval moves.
        stood: per column of another interval in a crossing, the column of how it stood at the last such close.
    """

    condition: Condition
    interval: Interval
    columns: tuple[NumberNode, ...]
    elsewhere: dict[Elsewhere, tuple[NumberNode, ...]]
    shown: tuple[tuple[str, Column], ...]
    inputs: Input
    crosses: bool
    stood: dict[NumberNode, Stood]


def plan(spec: TraderSpec) -> Plan:
    """Return the plan of a trader's rule.

    Raises:
        RuleError: the rule is not valid, or reads no column.
        ValueError: the default interval is not one.
    """
    interval = BY_LABEL.get(spec.interval)
    if interval is None:
        raise ValueError(f'trader {spec.name}: interval "{spec.interval}" is none of {", ".join(BY_LABEL)}')
    source, tree = parse(spec.rule)
    condition = without_not(resolve(source, tree, interval))
    read = tuple(dict.fromkeys(column for atom in atoms(condition) for column in columns_of(atom)))
    if not read:
        raise source.error(
            "the rule reads no column, so nothing can change it", source.offset + 1, "compare a column, such as close"
        )
    inputs = reduce(or_, map(changed_by, read))
    if not inputs:
        raise source.error(
            "the rule reads only the time or other instruments, and neither decides it",
            source.offset + 1,
            "compare a column of the instrument itself too, for example close > 0",
        )
    shown = tuple((column.text(interval), column) for column in read if not _is_quality(column))
    crossings = [atom for atom in atoms(condition) if isinstance(atom, Cross)]
    stood: dict[NumberNode, Stood] = {
        column: Stood(column, interval, at_close=spec.when == "close")
        for crossing in crossings
        for column in columns_of(crossing)
        if not isinstance(column, Market | Clock | Elsewhere) and column.interval is not interval
    }
    needed = _needed((*read, *stood.values()))
    if spec.requires_live and not any(map(_is_quality, needed)):
        quality = Market(MarketColumn.QUALITY, interval)
        condition = All((condition, QualityIs(quality, Quality.LIVE, negated=False)))
        inputs |= changed_by(quality)
        needed += (quality,)
    return Plan(
        condition=condition,
        interval=interval,
        columns=needed,
        elsewhere={column: _needed((column.column,)) for column in read if isinstance(column, Elsewhere)},
        shown=shown,
        inputs=inputs,
        crosses=bool(crossings),
        stood=stood,
    )


def columns(planned: Plan) -> frozenset[str]:
    """Return the keys of the bar and indicator columns a trader needs: what it costs a worker to host it."""
    return frozenset(
        key(column) for column in planned.columns if isinstance(column, BarValue | IndicatorValue | Formula | Elsewhere)
    )


def key(column: NumberNode) -> str:
    """Return the canonical text of a column, for example ``rsi(14)@1m``: equal for equal columns, everywhere."""
    interval = interval_of(column)
    return f"{column.text(interval)}@{interval.label}"


def interval_of(column: NumberNode) -> Interval:
    """Return the interval of a column; whatever an indicator reads has the indicator's."""
    return column.interval if isinstance(column, Stood | Truth | Formula) else leaves(column)[0].interval


def changed_by(column: NumberNode) -> Input:
    """Return the kinds of record that change a column: bars start with trades, market columns have their own.

    The time and other instruments' columns are changed by none of the instrument's records.
    """
    if isinstance(column, Market):
        return column.column.changed_by
    own = Input.TRADE if isinstance(column, BarValue | IndicatorValue) else Input(0)
    return reduce(or_, map(changed_by, operands(column)), own)


def _needed(columns: Iterable[NumberNode]) -> tuple[NumberNode, ...]:
    needed: dict[NumberNode, None] = {}
    for column in columns:
        _collect(column, needed)
    return tuple(needed)


def _is_quality(column: NumberNode) -> bool:
    return isinstance(column, Market) and column.column is MarketColumn.QUALITY


def _collect(column: NumberNode, needed: dict[NumberNode, None]) -> None:
    """Add a column after the columns it reads. An indicator's input is a column itself, whatever expression it is."""
    if column in needed:
        return
    if isinstance(column, IndicatorValue):
        for source in column.sources:
            _collect(source, needed)
    else:
        for operand in operands(column):
            for leaf in leaves(operand):
                _collect(leaf, needed)
    needed[column] = None
