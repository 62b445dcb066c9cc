"""The strategies of one worker, by name: who is there, who is to be heard, and what is computed for them."""

from collections.abc import Iterator

from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.running import RunningStrategy, Surroundings


class Roster:
    """Starts, replaces and ends strategies, with their rules and columns.

    Attributes:
        version: grows with every change of who is there.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self.version = 0
        self._around = surroundings
        self._strategies: dict[str, RunningStrategy] = {}
        self._watching: set[str] = set()
        """names of those whose columns are computed"""
        self._listeners: dict[str, tuple[RunningStrategy, str]] = {}
        """by name of the trader that a strategy's rule is: the strategy, and the rule's own name"""

    def __len__(self) -> int:
        return len(self._strategies)

    def __iter__(self) -> Iterator[RunningStrategy]:
        return iter(self._strategies.values())

    # Changes

    def add(self, spec: TraderSpec, position: int) -> None:
        """Start a strategy; if it fails to start, it is held as failed, and its statistics say why.

        Raises:
            ValueError: its name is taken, its interval is none, or it is no strategy.
        """
        if spec.name in self._strategies:
            raise ValueError(f"there is a strategy {spec.name} already; remove it first, or choose another name")
        if spec.interval not in BY_LABEL:
            raise ValueError(f'trader {spec.name}: interval "{spec.interval}" is none of {", ".join(BY_LABEL)}')
        if not spec.strategy or spec.rule:
            raise ValueError(f"trader {spec.name} is no strategy: it has a rule")
        self._strategies[spec.name] = added = RunningStrategy(spec, self._around, position)
        self._start(added)
        self._changed()

    def replace(self, spec: TraderSpec, position: int) -> None:
        """Put a strategy in the place of the one of its name; it goes on from what that one has saved.

        The new one is started before the old one is stopped.

        Raises:
            KeyError: there is none of that name.
            StrategyError: the new one cannot start; the old one runs on.
        """
        old = self._strategies[spec.name]
        new = old.successor(spec, position)
        self._start(new)
        if new.failed:
            raise StrategyError(new.failed)
        old.stop()
        self._strategies[spec.name] = new
        self._changed()

    def start_waiting(self) -> list[str]:
        """Start what could not be started while effects were stopped, if they are allowed now; return the names."""
        waiting = [each for each in self._strategies.values() if each.waiting]
        if not waiting or not self._around.effects.allowed:
            return []
        for each in waiting:
            self._start(each)
        self._changed()
        return [each.spec.name for each in waiting]

    def remove(self, name: str) -> None:
        """Stop a strategy and forget what it kept.

        Raises:
            KeyError: there is none of that name.
        """
        self._strategies.pop(name).stop()
        self._unwatch(name)
        self._changed()

    def stop_for_good(self, name: str, why: str) -> None:
        """Call nothing of a strategy any more.

        Raises:
            KeyError: there is none of that name.
        """
        self._strategies[name].stop_for_good(why)

    def close(self) -> None:
        """Stop all strategies."""
        while self._strategies:
            self._strategies.popitem()[1].stop()

    def _start(self, strategy: RunningStrategy) -> None:
        """Start a strategy and have its columns computed; it may have failed afterwards."""
        strategy.start()
        if strategy.waiting or strategy.failed:
            return
        spec, columns = strategy.spec, strategy.declared.columns
        if not columns or self._around.columns is None:
            self._unwatch(spec.name)
            return
        try:
            self._around.columns.watch(spec, columns)
        except (RuleError, ValueError) as error:
            strategy.stop_for_good(f"its columns cannot be computed: {error}")
        else:
            self._watching.add(spec.name)

    def _unwatch(self, name: str) -> None:
        if name in self._watching and self._around.columns is not None:
            self._watching.remove(name)
            self._around.columns.unwatch(name)

    def _changed(self) -> None:
        self.version += 1
        self._listeners = {
            rule.name: (each, name) for each in self._strategies.values() for name, rule in each.declared.rules.items()
        }

    # Who is there

    def those_of(self, instrument: Instrument) -> list[RunningStrategy]:
        """Return who hears of an instrument, in order of name."""
        return [each for _, each in sorted(self._strategies.items()) if each.spec.applies_to(instrument)]

    def listener(self, rule: str) -> tuple[RunningStrategy, str]:
        """Return whose rule a trader is, and what the rule is called there.

        Raises:
            KeyError: it is nobody's.
        """
        return self._listeners[rule]

    def failed(self) -> dict[str, str]:
        """Return why strategies are stopped for good, by name."""
        return {name: each.failed for name, each in self._strategies.items() if each.failed}

    def rules_of(self, name: str) -> tuple[TraderSpec, ...]:
        """Return the traders that a strategy's rules are; none before it has started.

        Raises:
            KeyError: there is no strategy of that name.
        """
        return tuple(self._strategies[name].declared.rules.values())

    @property
    def reads_columns(self) -> bool:
        """Whether a strategy looks at columns, which have to be those of the record that it is given."""
        return bool(self._watching)
