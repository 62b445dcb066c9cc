"""Who is here: all traders of an engine, what they need together, and what follows for one instrument."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import msgspec

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.columns.evaluate import Value, value_of
from tickfloor.traders.columns.slots import Columns
from tickfloor.traders.engine.cohort import Choice, Cohort, Moment, choice_of, moment_of
from tickfloor.traders.engine.layout import Layout
from tickfloor.traders.language.nodes import Comparison, Elsewhere, NumberNode
from tickfloor.traders.language.plan import Plan
from tickfloor.traders.matching.index import RuleIndex
from tickfloor.traders.matching.rule import Rule
from tickfloor.traders.plans import planned


class Change(NamedTuple):
    """What a change of traders concerns.

    Attributes:
        choices: the choices of instruments whose traders have changed.
        references: instruments whose columns others have begun or ceased to read, as rules name them.
        gone: per moment, the places of the traders that are gone, as bits, and their names.
    """

    choices: set[Choice]
    references: set[str]
    gone: dict[Moment, tuple[int, list[str]]]

    def concerns(self, instrument: Instrument, cohorts: Mapping[Choice, Cohort]) -> bool:
        """Return whether anything is different for an instrument."""
        if instrument.symbol in self.references or instrument.key in self.references:
            return True
        return any(choice not in cohorts or cohorts[choice].applies_to(instrument) for choice in self.choices)


class Tally(NamedTuple):
    """How often a trader was decided, see :class:`EngineStatistics`, became true aloud, and gave a signal."""

    evaluations: int
    matches: int
    signals: int


class Watcher(NamedTuple):
    """Columns that somebody only looks at.

    Attributes:
        choice: of instruments.
        columns, elsewhere: what has to be computed for them, here and for other instruments.
        values: the slots to refresh, and the value, of each by its name.
    """

    choice: Choice
    columns: tuple[NumberNode, ...]
    elsewhere: dict[Elsewhere, tuple[NumberNode, ...]]
    values: dict[str, tuple[tuple[int, ...], Value]]


class Roster:
    """All traders of an engine.

    Attributes:
        rules: by name.
        cohorts: the traders by their choice of instruments.
    """

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.cohorts: dict[Choice, Cohort] = {}
        self._columns = Columns()
        self._indexes: dict[Moment, RuleIndex] = {None: RuleIndex(self._columns)}
        self._references: dict[str, Counter[NumberNode]] = {}
        """by the symbol or key of an instrument, the columns that are read from elsewhere"""
        self._watchers: dict[str, Watcher] = {}
        self._layouts: dict[tuple[tuple[Choice, ...], tuple[str, ...]], Layout] = {}
        """by the cohorts that apply and the names under which columns are read from elsewhere"""
        self._names: frozenset[str] | None = frozenset()
        self._decisions = 0

    @property
    def names(self) -> frozenset[str]:
        """The names of all traders; the same object while they are the same."""
        if self._names is None:
            self._names = frozenset(self.rules)
        return self._names

    @property
    def shared_columns(self) -> int:
        """How many distinct bar and indicator columns are in use."""
        return self._columns.shared

    @property
    def needed(self) -> Collection[NumberNode]:
        """All columns in use."""
        return self._columns.all()

    def places(self, names: Collection[str]) -> dict[Moment, int]:
        """Return the places of traders, all without names, as bits per moment."""
        return {moment: index.bits(names or index.places) for moment, index in self._indexes.items()}

    def index(self, moment: Moment) -> RuleIndex:
        """Return the rules that are decided at the same moments."""
        return self._indexes[moment]

    # Changes

    def change(self, gone: Collection[str], new: Iterable[tuple[TraderSpec, Plan]]) -> Change:
        """Take traders out and put others in."""
        self._settle(self._layouts.values())
        change = Change(set(), set(), {})
        self._take_out(gone, change)
        by_moment: dict[Moment, list[Rule]] = {}
        for spec, plan in new:
            self._acquire(plan.columns, plan.elsewhere, change)
            rule = self.rules[spec.name] = Rule(spec, plan, self._columns)
            by_moment.setdefault(moment_of(rule), []).append(rule)
        for moment, rules in by_moment.items():
            index = self._indexes.setdefault(moment, RuleIndex(self._columns))
            if index.add(rules):
                for choice, cohort in self.cohorts.items():
                    if cohort.watch_anew(moment, index):
                        change.choices.add(choice)
            for rule in rules:
                cohort = self._cohort(rule.spec, change)
                cohort.add(rule, index)
                rule.decided_before = cohort.decided(rule)
        self._names = None
        self._forget_layouts(change)
        return change

    def _cohort(self, spec: TraderSpec, change: Change) -> Cohort:
        choice = choice_of(spec)
        change.choices.add(choice)
        cohort = self.cohorts.get(choice)
        if cohort is None:
            cohort = self.cohorts[choice] = Cohort(spec)
        return cohort

    def _take_out(self, gone: Collection[str], change: Change) -> None:
        by_moment: dict[Moment, list[str]] = {}
        for name in gone:
            rule = self.rules.pop(name)
            moment = moment_of(rule)
            self._cohort(rule.spec, change).remove(rule, self._indexes[moment])
            by_moment.setdefault(moment, []).append(name)
            self._release(rule.plan.columns, rule.plan.elsewhere, change)
        self._drop_empty(change)
        for moment, names in by_moment.items():
            change.gone[moment] = self._indexes[moment].remove(names), names

    def _acquire(
        self, columns: Iterable[NumberNode], elsewhere: Mapping[Elsewhere, tuple[NumberNode, ...]], change: Change
    ) -> None:
        self._columns.acquire(columns)
        for column, needed in elsewhere.items():
            self._columns.acquire(needed)
            self._references.setdefault(column.symbol, Counter()).update(needed)
            change.references.add(column.symbol)

    def _release(
        self, columns: Iterable[NumberNode], elsewhere: Mapping[Elsewhere, tuple[NumberNode, ...]], change: Change
    ) -> None:
        self._columns.release(columns)
        for column, needed in elsewhere.items():
            self._columns.release(needed)
            left = self._references[column.symbol] - Counter(needed)
            if left:
                self._references[column.symbol] = left
            else:
                del self._references[column.symbol]
            change.references.add(column.symbol)

    def _drop_empty(self, change: Change) -> None:
        for choice in change.choices:
            if choice in self.cohorts and not self.cohorts[choice]:
                del self.cohorts[choice]

    def _forget_layouts(self, change: Change) -> None:
        self._layouts = {
            (choices, names): layout
            for (choices, names), layout in self._layouts.items()
            if change.choices.isdisjoint(choices) and change.references.isdisjoint(names)
        }

    # Statistics

    def _settle(self, layouts: Iterable[Layout]) -> None:
        for layout in layouts:
            self._decisions += layout.settle()

    def decisions(self) -> int:
        """Return how many times rules were decided since this was last asked."""
        self._settle(self._layouts.values())
        decisions, self._decisions = self._decisions, 0
        return decisions

    def tally(self, name: str) -> Tally:
        """Return what a trader has done, here and where it was before."""
        self._settle(self._layouts.values())
        rule = self.rules[name]
        decided = self.cohorts[choice_of(rule.spec)].decided(rule) - rule.decided_before
        return Tally(decided, rule.matches, rule.signals)

    def work(self, name: str) -> float:
        """Return a trader's part of the work, in units of one column's: an estimate.

        A column's work belongs to all that read it in equal parts, and every comparison of columns to its trader.
        """
        rule = self.rules[name]
        columns = sum(1.0 / self._columns.users(column) for column in rule.plan.columns)
        return columns + self._indexes[moment_of(rule)].compared(name)

    def go_on(self, tallies: Mapping[str, Tally]) -> None:
        """Let traders go on from what they have done elsewhere."""
        self._settle(self._layouts.values())
        for name, (decided, matches, signals) in tallies.items():
            rule = self.rules[name]
            rule.decided_before = self.cohorts[choice_of(rule.spec)].decided(rule) - decided
            rule.matches, rule.signals = matches, signals

    # Those who only look

    def watch(self, spec: TraderSpec, columns: Mapping[str, str]) -> Change:
        """Have columns, given as texts, for somebody who only looks at them, instead of those of before.

        Raises:
            RuleError: one of the texts is not valid.
        """
        plans = {name: planned(as_rule(spec, text)) for name, text in columns.items()}
        change = Change(set(), set(), {})
        needed = tuple(dict.fromkeys(column for plan in plans.values() for column in plan.columns))
        elsewhere = {column: read for plan in plans.values() for column, read in plan.elsewhere.items()}
        self._acquire(needed, elsewhere, change)
        self._cohort(spec, change).read(needed)
        before = self._watchers.pop(spec.name, None)
        values = {}
        for name, plan in plans.items():
            assert isinstance(plan.condition, Comparison)
            slots = tuple(self._columns.slot(column) for column in plan.columns)
            values[name] = slots, value_of(plan.condition.left, self._columns.slot)
        self._watchers[spec.name] = Watcher(choice_of(spec), needed, elsewhere, values)
        if before is not None:
            self._let_go(before, change)
        self._forget_layouts(change)
        return change

    def unwatch(self, name: str) -> Change | None:
        """Have columns for somebody no more; None if there were none."""
        watcher = self._watchers.pop(name, None)
        if watcher is None:
            return None
        change = Change(set(), set(), {})
        self._let_go(watcher, change)
        self._forget_layouts(change)
        return change

    def _let_go(self, watcher: Watcher, change: Change) -> None:
        self.cohorts[watcher.choice].read_no_more(watcher.columns)
        change.choices.add(watcher.choice)
        self._release(watcher.columns, watcher.elsewhere, change)
        self._drop_empty(change)

    def watcher(self, name: str) -> Watcher | None:
        """Return what somebody looks at."""
        return self._watchers.get(name)

    # What follows

    def layout(self, instrument: Instrument) -> Layout | None:
        """Return what has to be done for an instrument; None if nobody looks at it."""
        fitting = tuple(choice for choice, cohort in self.cohorts.items() if cohort.applies_to(instrument))
        names = tuple(name for name in (instrument.symbol, instrument.key) if name in self._references)
        if not fitting and not names:
            return None
        layout = self._layouts.get((fitting, names))
        if layout is None:
            cohorts = [self.cohorts[choice] for choice in fitting]
            read = [column for name in names for column in self._references[name]]
            layout = self._layouts[fitting, names] = Layout(cohorts, self._columns, self._indexes, read)
        return layout


def as_rule(spec: TraderSpec, text: str) -> TraderSpec:
    """Return a trader that reads a column, and nothing else."""
    return msgspec.structs.replace(
        spec, rule=f"({text}) > 0", strategy="", strategy_digest="", when="tick", requires_live=False
    )
