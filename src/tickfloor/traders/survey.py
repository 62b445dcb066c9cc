"""What the traders of a worker have done, found a few at a time: of thousands it takes longer than a tick may wait."""

from collections.abc import Iterable, Mapping
from heapq import nlargest
from typing import NamedTuple

from tickfloor.contracts.commands import Measure, OwnRuleReport, StrategyReport, TraderReport
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.strategies.host import StrategyHost
from tickfloor.traders.strategies.statistics import StrategyStatistics

_PIECE = 100
"""Rules looked at in one go: one to two milliseconds."""


class _Done(NamedTuple):
    """What a rule has done; ``work`` is its part of the engine's, in units of one column's."""

    evaluations: int = 0
    matches: int = 0
    signals: int = 0
    work: float = 0.0


class Survey:
    """Looks at all rules of an engine, because a rule's part of the time is known only beside those of the others.

    Traders may come and go meanwhile: those that have come are not in it, those that have gone may be.

    Args:
        traders: rules and strategies that run.
        own_rules: per strategy, the names of the engine's traders that its rules are.
    """

    def __init__(
        self,
        engine: Engine,
        strategies: StrategyHost,
        traders: Iterable[TraderSpec],
        own_rules: Mapping[str, Iterable[str]],
    ) -> None:
        self._engine = engine
        self._strategies = strategies
        self._traders = dict.fromkeys((spec.name for spec in traders), _Done())
        self._own_rules = {name: tuple(rules) for name, rules in own_rules.items()}
        self._owners = {rule: name for name, rules in self._own_rules.items() for rule in rules}
        self._left = list(engine.names)
        self._own: dict[str, _Done] = {}
        self._work = 0.0

    def step(self) -> bool:
        """Look at some more; say whether any are left."""
        for name in self._left[-_PIECE:]:
            tally = self._engine.tally(name)
            if tally is not None:
                work = self._engine.work(name)
                self._work += work
                self._count(name, _Done(*tally, work))
        del self._left[-_PIECE:]
        return bool(self._left)

    def _count(self, name: str, done: _Done) -> None:
        owner = self._owners.get(name)
        if owner is None:
            self._traders[name] = done
            return
        self._own[name] = done
        before = self._traders[owner]
        # What a strategy's rule signals is for the strategy alone.
        self._traders[owner] = _Done(
            before.evaluations + done.evaluations, before.matches + done.matches, 0, before.work + done.work
        )

    # When none are left

    def report(self, name: str) -> TraderReport | None:
        """Return what a trader has done, or None if it did not run."""
        return next(iter(self._reports([name])), None)

    def first(self, by: Measure, most: int) -> tuple[TraderReport, ...]:
        """Return the first traders by a measure, the largest first and equal ones as they came."""
        strategies = {each.name: each for each in self._strategies.statistics().strategies}
        unit = self._seconds_of_work()

        def measured(name: str) -> float:
            done, strategy = self._traders[name], strategies.get(name)
            if by is Measure.MATCHES:
                return done.matches
            if by is Measure.SIGNALS:
                return done.signals if strategy is None else strategy.signals
            return done.work * unit + (0.0 if strategy is None else strategy.busy_seconds)

        return tuple(self._reports(nlargest(most, self._traders, key=measured)))

    def _seconds_of_work(self) -> float:
        return self._engine.busy_ns / 1e9 / self._work if self._work else 0.0

    def _reports(self, names: Iterable[str]) -> Iterable[TraderReport]:
        strategies = {each.name: each for each in self._strategies.statistics().strategies}
        unit = self._seconds_of_work()
        total = self._engine.busy_ns / 1e9 + sum(each.busy_seconds for each in strategies.values())
        for name in names:
            done = self._traders.get(name)
            if done is None:
                continue
            strategy = strategies.get(name)
            busy = done.work * unit + (0.0 if strategy is None else strategy.busy_seconds)
            yield TraderReport(
                name=name,
                evaluations=done.evaluations,
                matches=done.matches,
                signals=done.signals if strategy is None else strategy.signals,
                busy_seconds=busy,
                share=busy / total if total else 0.0,
                strategy=None if strategy is None else self._strategy_report(strategy),
            )

    def _strategy_report(self, strategy: StrategyStatistics) -> StrategyReport:
        name = strategy.name
        calls_here = next((each._meter.calls for each in self._strategies.roster if each.spec.name == name), 0)
        texts = {rule.name: rule.rule for rule in self._strategies.roster.rules_of(name)}
        return StrategyReport(
            state=strategy.state,
            calls=strategy.calls,
            failures=strategy.failures,
            held_back=strategy.held_back,
            mean_us=strategy.busy_seconds * 1e6 / calls_here if calls_here else 0.0,
            slow_calls=strategy.slow_calls,
            kept_bytes=strategy.kept_bytes,
            last_failure=strategy.last_failure,
            rules=tuple(
                OwnRuleReport(
                    name=rule.removeprefix(f"{name}/"),
                    rule=texts[rule],
                    evaluations=self._own[rule].evaluations,
                    matches=self._own[rule].matches,
                )
                for rule in self._own_rules.get(name, ())
                if rule in self._own and rule in texts
            ),
        )
