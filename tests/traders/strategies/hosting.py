"""Hosts over hand-written tapes, with surroundings that a test can see and turn."""

from collections.abc import Sequence
from pathlib import Path

from tests.traders.streams import describe
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.strategies.budget import Clocks
from tickfloor.traders.strategies.columns import WatchedColumns
from tickfloor.traders.strategies.host import StrategyHost
from tickfloor.worker.limiter import Limiter

SAMPLES = Path(__file__).with_name("samples.py")


def nobody(report):
    """Nobody listens to reports here."""


def pace(name, clock=lambda: 0):
    """Return the pace of a strategy's failure lines."""
    return Limiter(name, nobody, rate=0.1, burst=1, clock=clock)


class Blamed:
    """A page of vital signs that remembers."""

    def __init__(self) -> None:
        self.now = 0
        self.entered: list[int] = []

    def enter(self, number: int) -> None:
        assert not self.now
        self.now = number
        self.entered.append(number)

    def leave(self) -> None:
        assert self.now
        self.now = 0


class Switch:
    def __init__(self) -> None:
        self.allowed = True


class Lines:
    """A log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict]] = []

    def _say(self, level):
        return lambda event, **fields: self.lines.append((level, event, fields))

    def __getattr__(self, level):
        return self._say(level)


class Hosting:
    """Makes hosts that share their surroundings, as incarnations of one worker do.

    Attributes:
        wall_ns, cpu_ns: what the clocks show, which stand still by themselves.
    """

    def __init__(self) -> None:
        self.wall_ns = self.cpu_ns = 0
        self.columns: WatchedColumns | None = None
        self.vitals = Blamed()
        self.effects = Switch()
        self.log = Lines()
        self.seconds = 0.0

    def host(self, *specs: TraderSpec, tape: str = "binance", describe=describe) -> StrategyHost:
        made = StrategyHost(
            source="run",
            tape=tape,
            describe=describe,
            vitals=self.vitals,
            effects=self.effects,
            log=self.log,
            limiter=lambda name: pace(name, clock=lambda: int(self.seconds * 1e9)),
            columns=self.columns,
            clocks=Clocks(lambda: self.wall_ns, lambda: self.cpu_ns),
        )
        for spec in specs:
            made.add(spec)
        return made


class FakeColumns:
    """Columns that somebody else computes: it notes who watches, and gives what the test says.

    Attributes:
        value: gives a column's value from the trader's name, the row and the column's name.
    """

    def __init__(self, value) -> None:
        self.value = value
        self.watching: dict[str, tuple[TraderSpec, dict[str, str]]] = {}
        self.calls: list[tuple[str, str]] = []

    def watch(self, spec, columns) -> None:
        self.calls.append(("watch", spec.name))
        self.watching[spec.name] = spec, dict(columns)

    def unwatch(self, name) -> None:
        self.calls.append(("unwatch", name))
        self.watching.pop(name, None)

    def watched(self, name, row):
        return {column: self.value(name, row, column) for column in self.watching[name][1]}


def sample(class_name: str, name: str = "s", **how) -> TraderSpec:
    """Return a trader that is one of the sample strategies."""
    return TraderSpec(name=name, **{"strategy": f"{SAMPLES}:{class_name}", "requires_live": False} | how)


def one(host: StrategyHost):
    """Return the statistics of the only strategy."""
    (found,) = host.statistics().strategies
    return found


def sequences(signals) -> Sequence[int]:
    return [signal.tape_sequence for signal in signals]
