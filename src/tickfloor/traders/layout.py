"""What all instruments with the same traders share: the order of computing columns, and who watches which."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from tickfloor.contracts.intervals import Interval
from tickfloor.indicators.protocol import REVISABLE_BARS
from tickfloor.traders.columns import Columns
from tickfloor.traders.evaluate import Value, threshold, value_of
from tickfloor.traders.language.nodes import (
    BarValue,
    Comparison,
    IndicatorValue,
    Market,
    NumberNode,
    Stood,
    atoms,
    columns_of,
)
from tickfloor.traders.language.plan import changed_by, interval_of, key
from tickfloor.traders.language.vocabulary import BAR_FIELDS, Input, MarketColumn
from tickfloor.traders.rule import Rule


@dataclass(frozen=True, slots=True)
class IndicatorStep:
    """Update an indicator from the slot of its input."""

    slot: int
    source: int
    function: str
    period: int
    key: str


@dataclass(frozen=True, slots=True)
class ValueStep:
    """Compute an indicator's input from other columns."""

    slot: int
    value: Value


class LaneProgram:
    """How the columns of one interval are computed, in an order in which inputs come first.

    Attributes:
        slots, keys: every column of the interval, aligned.
        fields: slot and field of columns of the current bar.
        history: slot, field and how many bars back.
        noted: slots of columns whose value is noted when a bar closes, each with the slot whose value now that is;
            market columns are their own, columns of other intervals lie in their lanes.
        noted_after: slots whose value is noted when everything that closes together has closed, each with the slot
            whose closed value that is.
        steps: everything computed from those.
        steps_on: which of the steps a record that is no trade changes, by the market columns that changed.
        depth: closed bars to keep.
    """

    __slots__ = ("depth", "fields", "history", "interval", "keys", "noted", "noted_after", "slots", "steps", "steps_on")

    def __init__(self, interval: Interval, found: Sequence[NumberNode], columns: Columns) -> None:
        self.interval = interval
        self.slots = [columns.slot(column) for column in found]
        self.keys = [key(column) for column in found]
        bars = [column for column in found if isinstance(column, BarValue)]
        self.fields = [(columns.slot(column), BAR_FIELDS[column.field]) for column in bars if not column.back]
        self.history = [(columns.slot(column), BAR_FIELDS[column.field], column.back) for column in bars if column.back]
        stood = [column for column in found if isinstance(column, Stood)]
        self.noted = [(slot, slot) for slot in (columns.slot(column) for column in found if isinstance(column, Market))]
        self.noted += [(columns.slot(each), columns.slot(each.column)) for each in stood if not each.at_close]
        self.noted_after = [(columns.slot(each), columns.slot(each.column)) for each in stood if each.at_close]
        computed = [column for column in found if not isinstance(column, BarValue | Market | Stood)]
        self.steps = [_step(column, columns) for column in computed]
        self.steps_on: dict[Input, list[int]] = {
            input_: [index for index, column in enumerate(computed) if changed_by(column) & input_]
            for input_ in Input
            if input_ is not Input.TRADE
        }
        self.depth = max((column.back for column in bars), default=0) + REVISABLE_BARS + 2


def _step(column: NumberNode, columns: Columns) -> IndicatorStep | ValueStep:
    slot = columns.slot(column)
    if isinstance(column, IndicatorValue):
        return IndicatorStep(slot, columns.slot(column.source), column.function, column.period, key(column))
    return ValueStep(slot, value_of(column, columns.slot))


class Watch:
    """Who has to be decided when one column changes.

    A rule that only compares the column with constants is touched when the value reaches or leaves one of them or
    passes it: two bisections find those rules among any number.
    """

    __slots__ = ("_always", "_everyone", "_owners", "_thresholds")

    def __init__(self, always: set[int], thresholds: list[tuple[float, int]]) -> None:
        thresholds = sorted((value, rule) for value, rule in thresholds if value == value and rule not in always)
        self._always = sorted(always)
        self._thresholds = [value for value, _ in thresholds]
        self._owners = [rule for _, rule in thresholds]
        self._everyone = sorted(always.union(self._owners))

    def touch(self, old: float, new: float, touched: set[int]) -> None:  # hot path
        """Add the rules that a change from ``old`` to ``new`` may decide differently."""
        if old != old or new != new:
            touched.update(self._everyone)
            return
        if self._always:
            touched.update(self._always)
        thresholds = self._thresholds
        if thresholds:
            low, high = (old, new) if old < new else (new, old)
            start = bisect_left(thresholds, low)
            end = bisect_right(thresholds, high, start)
            if start < end:
                touched.update(self._owners[start:end])


class Layout:
    """The traders of an instrument and everything that follows from them alone.

    Attributes:
        rules: in order of name.
        places: the rules' places in this order, by name.
        names, tests, inputs: of the rules, aligned with them.
        programs: per interval that has columns.
        market: per market column, the slots it is shown in.
        watches: per slot, who watches it among the per-tick rules, or None.
        unwatched: as watches, with nobody.
        per_tick: the rules decided at records.
        at_close: per interval, the at-close rules decided at its closes.
        at_close_alone: the at-close rules whose columns change at their own closes only, apart from revisions.
        crossed: per interval, the per-tick rules with a crossing, which its closes move.
        width: length of a frame.
    """

    __slots__ = (
        "at_close", "at_close_alone", "crossed", "inputs", "market", "names", "per_tick", "places", "programs",
        "rules", "tests", "unwatched", "watches", "width",
    )  # fmt: skip

    def __init__(self, rules: Sequence[Rule], columns: Columns) -> None:
        self.rules = tuple(sorted(rules, key=lambda rule: rule.spec.name))
        self.names = tuple(rule.spec.name for rule in self.rules)
        self.places = {name: place for place, name in enumerate(self.names)}
        self.width = columns.width
        self.tests = [rule.test for rule in self.rules]
        self.inputs = [int(rule.plan.inputs) for rule in self.rules]
        needed = dict.fromkeys(column for rule in self.rules for column in rule.plan.columns)
        self.programs = {
            interval: LaneProgram(interval, found, columns)
            for interval in Interval
            if (found := [column for column in needed if interval_of(column) is interval])
        }
        self.market: list[list[int]] = [[] for _ in MarketColumn]
        for column in needed:
            if isinstance(column, Market):
                self.market[column.column].append(columns.slot(column))
        self.per_tick = [index for index, rule in enumerate(self.rules) if not rule.at_close]
        self.at_close_alone = [
            index
            for index, rule in enumerate(self.rules)
            if rule.at_close and all(interval_of(column) >= rule.plan.interval for column in rule.plan.columns)
        ]
        self.at_close: list[list[int]] = [[] for _ in Interval]
        self.crossed: list[list[int]] = [[] for _ in Interval]
        for index, rule in enumerate(self.rules):
            if rule.at_close:
                self.at_close[rule.plan.interval].append(index)
            elif rule.plan.crosses:
                self.crossed[rule.plan.interval].append(index)
        self.watches = self._watches(columns)
        self.unwatched: list[Watch | None] = [None] * self.width

    def _watches(self, columns: Columns) -> list[Watch | None]:
        always: list[set[int]] = [set() for _ in range(self.width)]
        thresholds: list[list[tuple[float, int]]] = [[] for _ in range(self.width)]
        for index, rule in enumerate(self.rules):
            if rule.at_close:
                continue
            for atom in atoms(rule.plan.condition):
                found = threshold(atom) if isinstance(atom, Comparison) else None
                if found is not None:
                    thresholds[columns.slot(found[0])].append((found[1], index))
                    continue
                for column in columns_of(atom):
                    always[columns.slot(column)].add(index)
        return [
            Watch(always[slot], thresholds[slot]) if always[slot] or thresholds[slot] else None
            for slot in range(self.width)
        ]
