"""All traders of one worker, rules and strategies, behind one face."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from tickfloor.contracts.errors import CheckpointError, TickfloorError
from tickfloor.contracts.records import RECORD, RECORD_BYTES, Kind
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TraderSet, TradersHeld, TraderSpec
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.plans import TradersRefusedError, plans_of
from tickfloor.traders.state.resync import InstrumentView
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.host import StrategyHost
from tickfloor.traders.strategies.statistics import StrategyState
from tickfloor.traders.survey import Survey
from tickfloor.traders.tape_order import end_of

_PIECES = 2
"""Of a checkpoint: the rules and the strategies."""

_CLOCK = int(Kind.CLOCK)


class TraderGroup:
    """Keeps what runs equal to what is asked for; a change that is not possible changes nothing.

    A strategy's own rules are traders of the engine, too; what they signal is for the strategy alone.
    """

    def __init__(self, engine: Engine, strategies: StrategyHost) -> None:
        self._engine = engine
        self._strategies = strategies
        self._set = TraderSet()
        self._own_rules: dict[str, dict[str, TraderSpec]] = {}
        """per strategy of the host, the traders of the engine that its rules are, by their names"""
        self._heard: frozenset[str] = frozenset()
        """the names of all of these"""

    def __len__(self) -> int:
        return len(self._set)

    @property
    def held(self) -> TradersHeld:
        """What runs, in brief: what is stopped for good does not, so that it is asked for once more and refused."""
        failed = self._strategies.roster.failed()
        if not failed:
            return self._set.held()
        running = (spec for spec in self._set.specs() if spec.name not in failed)
        return TraderSet(running, self._set.revision).held()

    # What runs

    def put(self, spec: TraderSpec, revision: int) -> None:
        """Run a trader, instead of one of the same name.

        Raises:
            TradersRefusedError: it cannot run; the one of that name, if any, goes on.
        """
        before = self._set.get(spec.name)
        if before != spec or spec.name in self._strategies.roster.failed():
            if spec.strategy:
                self._put_strategy(spec)
                if before is not None and not before.strategy:
                    self._engine.remove(spec.name)
            else:
                self._put_rule(spec, before)
                self._end(spec.name)
            self._set.put(spec)
        self._set.revision = revision

    def drop(self, name: str, revision: int) -> None:
        """Run a trader no more; one that does not run is no error, because it may be asked for twice."""
        spec = self._set.get(name)
        if spec is not None:
            if spec.strategy:
                self._end(name)
            else:
                self._engine.remove(name)
            self._set.drop(name)
        self._set.revision = revision

    def sync(self, specs: Sequence[TraderSpec], revision: int) -> dict[str, str]:
        """Run exactly these traders; return the reasons of those that cannot run, by name."""
        refused: dict[str, str] = {}
        wanted: dict[str, TraderSpec] = {}
        for spec in specs:
            if wanted.setdefault(spec.name, spec) != spec:
                refused[spec.name] = "there are two of this name; choose another for one of them"
        try:
            plans_of(spec for spec in wanted.values() if not spec.strategy)
        except TradersRefusedError as error:
            refused |= error.refused
        rules = {name: spec for name, spec in wanted.items() if not spec.strategy and name not in refused}
        strategies = {name: spec for name, spec in wanted.items() if spec.strategy and name not in refused}
        for name in [name for name in self._own_rules if name not in strategies]:
            self._strategies.remove(name)
            del self._own_rules[name]
        for name, spec in strategies.items():
            try:
                self._run(spec, rules)
            except TradersRefusedError as error:
                refused |= error.refused
                if self._own_rules.pop(name, None) is not None:
                    self._strategies.remove(name)
            else:
                self._own_rules[name] = {rule.name: rule for rule in self._strategies.roster.rules_of(name)}
        self._engine.sync([*rules.values(), *(rule for each in self._own_rules.values() for rule in each.values())])
        self._set = TraderSet((spec for name, spec in wanted.items() if name not in refused), revision)
        self._own_rules_changed()
        return refused

    def _put_rule(self, spec: TraderSpec, before: TraderSpec | None) -> None:
        """Have the engine run a rule.

        Raises:
            TradersRefusedError: it cannot; the one of that name, if any, goes on.
        """
        plans_of([spec])
        try:
            if before is None or before.strategy:
                self._engine.add(spec)
            else:
                self._engine.update(spec)
        except ValueError as error:
            raise TradersRefusedError({spec.name: str(error)}) from error

    def _put_strategy(self, spec: TraderSpec) -> None:
        """Run a strategy and its rules.

        Raises:
            TradersRefusedError: it cannot run; the one of that name, if any, goes on.
        """
        is_new = spec.name not in self._own_rules
        try:
            self._run(spec, self._set)
        except TradersRefusedError:
            if is_new:
                self._end(spec.name)
            raise
        self._declare(spec.name)

    def _run(self, spec: TraderSpec, others: TraderSet | Mapping[str, TraderSpec]) -> None:
        """Run a strategy in the host; its rules are left to be put in the engine, beside traders of other names.

        Raises:
            TradersRefusedError: it cannot run; the one of that name, if any, goes on as far as it can.
        """
        name, host = spec.name, self._strategies
        try:
            if name not in self._own_rules:
                host.add(spec)
                self._own_rules[name] = {}
            elif self._set.get(name) != spec:
                host.replace(spec)
        except (ValueError, StrategyError) as error:
            raise TradersRefusedError({name: str(error)}) from error
        self._check_names(name, others)
        failed = host.roster.failed()
        if name in failed:
            raise TradersRefusedError({name: failed[name]})

    def _check_names(self, name: str, others: TraderSet | Mapping[str, TraderSpec]) -> None:
        taken = next((rule.name for rule in self._strategies.roster.rules_of(name) if rule.name in others), None)
        if taken is not None:
            self._strategies.roster.stop_for_good(
                name, f"there is a trader {taken} already; rename it, or this one's rule"
            )

    def _declare(self, name: str) -> None:
        """Have the engine run the rules of a strategy, and no others of it; those that stay are not disturbed."""
        running = self._own_rules[name]
        wanted = {rule.name: rule for rule in self._strategies.roster.rules_of(name)}
        for gone in [rule for rule in running if rule not in wanted]:
            self._engine.remove(gone)
        for rule in wanted.values():
            if rule.name in running:
                self._engine.update(rule)
            else:
                self._engine.add(rule)
        self._own_rules[name] = wanted
        self._own_rules_changed()

    def _end(self, name: str) -> None:
        """Run a strategy and its rules no more, if it runs."""
        if name in self._own_rules:
            for rule in self._own_rules.pop(name):
                self._engine.remove(rule)
            self._strategies.remove(name)
            self._own_rules_changed()

    def _own_rules_changed(self) -> None:
        self._heard = frozenset(rule for each in self._own_rules.values() for rule in each)

    # Records

    def process(self, records: bytes) -> list[Signal]:  # hot path
        """Apply whole records in tape order and return the signals they give, in that order.

        Raises:
            ValueError: not whole records, or a sequence is missing; nothing has been applied then.
        """
        for name in self._strategies.roster.start_waiting():
            self._check_names(name, self._set)
            if name not in self._strategies.roster.failed():
                self._declare(name)
        if not self._strategies.roster.reads_columns:
            return self._step(records)
        end_of(records, self._engine.position)
        return [signal for piece in self._pieces(records) for signal in self._step(piece)]

    def _pieces(self, records: bytes) -> Iterator[bytes]:
        """Cut records after each at which a strategy looks at columns: they have to be those of that moment."""
        start = end = 0
        for _, _, _, row, kind, *_ in RECORD.iter_unpack(records):
            end += RECORD_BYTES
            if kind != _CLOCK and self._strategies.looks_at(row):
                yield records[start:end]
                start = end
        if start < end:
            yield records[start:end]

    def _step(self, records: bytes) -> list[Signal]:  # hot path
        signals = self._engine.process(records)
        heard: dict[int, list[Signal]] = {}
        if self._heard and signals:
            for signal in signals:
                if signal.trader in self._heard:
                    heard.setdefault(signal.tape_sequence, []).append(signal)
            if heard:
                signals = [signal for signal in signals if signal.trader not in self._heard]
        others = self._strategies.process(records, heard)
        if others:
            signals = sorted([*signals, *others], key=_by_sequence) if signals else others
        return signals

    def open_next(self) -> bool:
        """Do a piece of what later records would have to wait for; say whether there was one.

        Raises:
            CheckpointError: what was restored cannot be read.
        """
        return self._engine.open_next()

    def resync(self, position: int, rows: Mapping[int, InstrumentView]) -> None:
        """Go on at a position after a hole, from the board; nothing is signalled for the hole."""
        self._engine.resync(position, rows)
        self._strategies.resync(position, rows)

    def close(self) -> None:
        """Tell the strategies that it is over."""
        self._strategies.roster.close()

    def strategy_figures(self) -> dict[str, float]:
        """Return what the strategies have done, all together."""
        strategies = self._strategies.statistics().strategies
        return {
            "strategies": len(strategies),
            "strategies_failed": sum(each.state is StrategyState.FAILED for each in strategies),
            "strategy_failures": sum(each.failures for each in strategies),
            "strategy_busy_seconds": sum(each.busy_seconds for each in strategies),
            "strategy_slow_calls": sum(each.slow_calls for each in strategies),
            "strategy_kept_bytes": sum(each.kept_bytes for each in strategies),
            "held_back": sum(each.held_back for each in strategies),
        }

    def survey(self) -> Survey:
        """Return what finds out what every trader has done."""
        return Survey(self._engine, self._strategies, self._set.specs(), self._own_rules)

    def matches(self, names: Collection[str]) -> tuple[dict[str, tuple[str, ...]], int]:
        """Return the instruments that each of these traders matches now, and how many rules were tested.

        Without names, all traders. A strategy matches what its own rules do, as ``strategy/rule``.

        Raises:
            TickfloorError: there is no trader of one of the names.
        """
        for name in names:
            if name not in self._set:
                raise TickfloorError(f"no trader {name} runs here; ask for one that does")
        rules = [rule for name in names for rule in self._own_rules.get(name, (name,))]
        return ({}, 0) if names and not rules else self._engine.run(rules)

    # State

    def checkpoint(self) -> tuple[bytes, bytes]:
        """Return everything needed to go on from here in another worker, in pieces that are large: copy none."""
        return self._engine.checkpoint(), self._strategies.checkpoint()

    def restore(self, saved: Sequence[Sequence[bytes]]) -> None:
        """Go on where the workers that gave these checkpoints were; sync the traders first.

        Raises:
            CheckpointError: one is damaged, of another version, tape or position.
        """
        if any(len(pieces) != _PIECES for pieces in saved):
            raise CheckpointError("the checkpoint is of another version; start without it")
        self._engine.restore([rules for rules, _ in saved])
        self._strategies.restore([strategies for _, strategies in saved])


def _by_sequence(signal: Signal) -> int:
    return signal.tape_sequence
