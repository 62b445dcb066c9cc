"""Hosts over hand-written tapes, with surroundings that a test can see and turn."""

from collections.abc import Sequence
from pathlib import Path

from tests.traders.streams import describe
from tickfloor.contracts.traders import TraderSpec
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
    """Makes hosts that share their surroundings, as incarnations of one worker do."""

    def __init__(self) -> None:
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
        )
        for spec in specs:
            made.add(spec)
        return made


def sample(class_name: str, name: str = "s", **how) -> TraderSpec:
    """Return a trader that is one of the sample strategies."""
    return TraderSpec(name=name, strategy=f"{SAMPLES}:{class_name}", **how)


def one(host: StrategyHost):
    """Return the statistics of the only strategy."""
    (found,) = host.statistics().strategies
    return found


def sequences(signals) -> Sequence[int]:
    return [signal.tape_sequence for signal in signals]
