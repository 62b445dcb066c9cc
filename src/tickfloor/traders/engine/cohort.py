"""Traders that apply to the same instruments, and what they need together."""

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language.nodes import NumberNode
from tickfloor.traders.matching.index import RuleIndex, Watched
from tickfloor.traders.matching.rule import Rule

Key = TypeVar("Key")
Moment = Interval | None
"""When a rule is decided: at closes of an interval, or at records."""


Choice = tuple[tuple[str, ...], tuple[str, ...], str]
"""What decides which instruments a trader looks at."""


Occasion = tuple[Moment, int]
"""When rules are decided: at a close, or at records of these kinds."""


def choice_of(spec: TraderSpec) -> Choice:
    """Return what decides which instruments a trader looks at: the same for traders that always look at the same."""
    return spec.symbols, spec.exclude, spec.quote


def moment_of(rule: Rule) -> Moment:
    """Return when a rule is decided."""
    return rule.plan.interval if rule.at_close else None


class Cohort:
    """The traders with the same choice of instruments.

    Attributes:
        columns: what they read, each with how many of them do; without any there are no traders.
        places: per moment, their places in its index, as bits.
        watched: per moment, what sets their bits, each with how many of them it concerns.
        tally: how often records of these kinds, or closes of this interval, have come to their instruments.
    """

    def __init__(self, spec: TraderSpec) -> None:
        self._spec = spec
        self._rules: dict[str, Rule] = {}
        self.columns: Counter[NumberNode] = Counter()
        self.places: dict[Moment, int] = {}
        self.watched: dict[Moment, Counter[Watched]] = {}
        self.tally: Counter[Occasion] = Counter()

    def __bool__(self) -> bool:
        return bool(self.columns)

    def applies_to(self, instrument: Instrument) -> bool:
        """Return whether these traders look at an instrument."""
        return self._spec.applies_to(instrument)

    def add(self, rule: Rule, index: RuleIndex) -> None:
        """Take in a trader that its index has."""
        self._rules[rule.spec.name] = rule
        self.columns.update(rule.plan.columns)
        self._watch(rule, index)

    def _watch(self, rule: Rule, index: RuleIndex) -> None:
        moment, name = moment_of(rule), rule.spec.name
        self.places[moment] = self.places.get(moment, 0) | 1 << index.places[name]
        self.watched.setdefault(moment, Counter()).update(index.watched[name])

    def read(self, columns: Iterable[NumberNode]) -> None:
        """Have columns for somebody who only looks at them."""
        self.columns.update(columns)

    def read_no_more(self, columns: Iterable[NumberNode]) -> None:
        """Undo :meth:`read`."""
        _release(self.columns, columns)

    def remove(self, rule: Rule, index: RuleIndex) -> None:
        """Let go of a trader that its index still has."""
        moment, name = moment_of(rule), rule.spec.name
        del self._rules[name]
        _release(self.columns, rule.plan.columns)
        self.places[moment] &= ~(1 << index.places[name])
        _release(self.watched[moment], index.watched[name])

    def watch_anew(self, moment: Moment, index: RuleIndex) -> bool:
        """Forget what the bits of one index were, because they are others now; say if there were any."""
        self.places.pop(moment, None)
        had = self.watched.pop(moment, None)
        for rule in self._rules.values():
            if moment_of(rule) == moment:
                self._watch(rule, index)
        return had is not None

    def decided(self, rule: Rule) -> int:
        """Return how often a rule of these inputs was decided, as far as the tally has been kept."""
        wanted, inputs = moment_of(rule), int(rule.plan.inputs)
        return sum(
            count
            for (moment, kinds), count in self.tally.items()
            if moment == wanted and (moment is not None or kinds & inputs)
        )

    def names(self) -> list[str]:
        """Return the traders' names."""
        return list(self._rules)


def _release(counts: "Counter[Key]", keys: "Iterable[Key]") -> None:
    for key in keys:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]
