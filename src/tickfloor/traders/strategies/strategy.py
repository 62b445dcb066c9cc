"""The class that users write their strategies from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tickfloor.contracts.intervals import Interval
from tickfloor.traders.strategies.budget import Budget
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.ticks import ClosedBar, RuleSignal, Tick

Signaller = Callable[[str, dict[str, Any]], None]
"""Takes a signal: an instrument and its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyContext:
    """What a strategy is told when it starts, and where it reads its columns; keep it.

    Attributes:
        name: the trader's, unique within a floor.
        symbols: globs over the instruments that it is given.
        interval: of the bars that it is given, and of its columns and rules that name no other.
        tape: name of the tape that it reads.
        read: gives a column's value, for whoever runs the strategy.
    """

    name: str
    symbols: tuple[str, ...]
    interval: Interval
    tape: str
    read: Callable[[str], float] = field(compare=False, repr=False)

    def value(self, column: str) -> float:
        """Return a declared column of the instrument that you are being given, after the record of this moment.

        It is what a per-tick rule would see: the forming bar included; NaN where it is unknown.

        Raises:
            StrategyError: you have declared none of that name, or are not being given a tick, bar or signal.
        """
        return self.read(column)


class Strategy:
    """A trader in Python; subclass it and write the methods that you need.

    The same ticks must give the same signals: decide from what you are given and what you keep, never from a clock,
    from chance or from a thread of your own. A worker can be replaced at any moment; what shall outlive it is what
    :meth:`save` returns. The constructor is called without arguments.

    Attributes:
        columns: columns to read with :meth:`StrategyContext.value`, as a rule would write them, by name.
        rules: rules to hear of in :meth:`on_signal`, by name.
        budget: what the strategy may cost.
    """

    columns: ClassVar[Mapping[str, str]] = {}
    rules: ClassVar[Mapping[str, str]] = {}
    budget: ClassVar[Budget] = Budget()

    __signaller: Signaller | None = None

    def on_start(self, context: StrategyContext) -> None:
        """Prepare; called once in each worker, before everything else."""

    def on_tick(self, tick: Tick) -> None:
        """Take a trade or a quote."""

    def on_bar(self, bar: ClosedBar) -> None:
        """Take a bar of the trader's interval that has closed."""

    def on_signal(self, signal: RuleSignal) -> None:
        """Take the news that one of your rules has turned true; after the tick or bar that did it."""

    def on_stop(self) -> None:
        """Let go of what you hold: this worker runs you no more, though another one may."""

    def save(self) -> dict[str, Any]:
        """Return what must outlive this worker: texts, numbers, bytes, lists and dicts; change nothing.

        It is called several times a second, so keep it small.
        """
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`save` returned, here or in another worker; called after :meth:`on_start`.

        It may be what an earlier version of this class has saved, if the file was reloaded.
        """

    def signal(self, instrument: str, /, **values: float | None) -> None:
        """Raise a signal for the tick, bar or rule that you are being given.

        Args:
            instrument: ``venue:symbol``, one of your own instruments.
            values: what the signal shall show; stored as null where not finite.

        Raises:
            StrategyError: you are not being given anything, or the signal cannot be stored as it is.
        """
        if self.__signaller is None:
            raise StrategyError("this strategy runs in no worker, so nobody would hear its signal; attach somebody")
        self.__signaller(instrument, values)

    def attach(self, signaller: Signaller) -> None:
        """Say who takes the signals; for whoever runs the strategy."""
        self.__signaller = signaller
