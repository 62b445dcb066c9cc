"""All traders of one worker, rules and strategies, behind one face."""

from collections.abc import Collection, Mapping, Sequence

from tickfloor.contracts.errors import CheckpointError, TickfloorError
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TraderSet, TradersHeld, TraderSpec
from tickfloor.traders.engine import Engine
from tickfloor.traders.plans import TradersRefusedError
from tickfloor.traders.resync import InstrumentView
from tickfloor.traders.strategies.host import StrategyHost
from tickfloor.traders.strategies.statistics import StrategyState

_PIECES = 2
"""Of a checkpoint: the rules and the strategies."""


class TraderGroup:
    """Keeps what runs equal to what is asked for; a change that is not possible changes nothing."""

    def __init__(self, engine: Engine, strategies: StrategyHost) -> None:
        self._engine = engine
        self._strategies = strategies
        self._set = TraderSet()
        self._hosted: dict[str, TraderSpec] = {}

    def __len__(self) -> int:
        return len(self._set)

    @property
    def held(self) -> TradersHeld:
        """What runs, in brief."""
        return self._set.held()

    # What runs

    def put(self, spec: TraderSpec, revision: int) -> None:
        """Run a trader, instead of one of the same name.

        Raises:
            TradersRefusedError: it cannot run; the one of that name, if any, goes on.
        """
        if self._set.get(spec.name) != spec:
            self._run([*(other for other in self._set.specs() if other.name != spec.name), spec])
            self._set.put(spec)
        self._set.revision = revision

    def drop(self, name: str, revision: int) -> None:
        """Run a trader no more; one that does not run is no error, because it may be asked for twice."""
        if name in self._set:
            self._run([spec for spec in self._set.specs() if spec.name != name])
            self._set.drop(name)
        self._set.revision = revision

    def sync(self, specs: Sequence[TraderSpec], revision: int) -> dict[str, str]:
        """Run exactly these traders; return the reasons of those that cannot run, by name."""
        refused: dict[str, str] = {}
        wanted = list(specs)
        while True:
            try:
                self._run(wanted)
            except TradersRefusedError as error:
                refused |= error.refused
                wanted = [spec for spec in wanted if spec.name not in refused]
            else:
                self._set = TraderSet(wanted, revision)
                return refused

    def _run(self, specs: Sequence[TraderSpec]) -> None:
        """Make what runs equal to this.

        Raises:
            TradersRefusedError: some cannot run; no rule has changed, and no strategy but those that were to go.
        """
        self._engine.sync([spec for spec in specs if not spec.strategy])
        wanted = {spec.name: spec for spec in specs if spec.strategy}
        for name in [name for name, spec in self._hosted.items() if wanted.get(name) != spec]:
            self._strategies.remove(name)
            del self._hosted[name]
        for name, spec in wanted.items():
            if name not in self._hosted:
                try:
                    # One that cannot be loaded is held as failed, and says so itself: the others go on.
                    self._strategies.add(spec)
                except ValueError as error:
                    raise TradersRefusedError({name: str(error)}) from error
                self._hosted[name] = spec

    # Records

    def process(self, records: bytes) -> list[Signal]:  # hot path
        """Apply whole records in tape order and return the signals they give, in that order."""
        signals = self._engine.process(records)
        others = self._strategies.process(records)
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
        self._strategies.close()

    def strategy_figures(self) -> dict[str, float]:
        """Return what the strategies have done, all together."""
        strategies = self._strategies.statistics().strategies
        return {
            "strategies": len(strategies),
            "strategies_failed": sum(each.state is StrategyState.FAILED for each in strategies),
            "strategy_failures": sum(each.failures for each in strategies),
            "held_back": sum(each.held_back for each in strategies),
        }

    def matches(self, names: Collection[str]) -> tuple[dict[str, tuple[str, ...]], int]:
        """Return the instruments that each of these traders matches now, and how many rules were tested.

        Without names, all traders. A strategy matches nothing: it has no rule to test.

        Raises:
            TickfloorError: there is no trader of one of the names.
        """
        for name in names:
            if name not in self._set:
                raise TickfloorError(f"no trader {name} runs here; ask for one that does")
        rules = [name for name in names if name not in self._hosted]
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
