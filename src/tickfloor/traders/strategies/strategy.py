"""The class that users write their strategies from."""

from collections.abc import Callable
from typing import Any

import msgspec

from tickfloor.contracts.intervals import Interval
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.ticks import ClosedBar, Tick

Signaller = Callable[[str, dict[str, Any]], None]
"""Takes a signal: an instrument and its values."""


class StrategyContext(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy is told when it starts.

    Attributes:
        name: the trader's, unique within a floor.
        symbols: globs over the instruments that it is given.
        interval: of the bars that it is given.
        tape: name of the tape that it reads.
    """

    name: str
    symbols: tuple[str, ...]
    interval: Interval
    tape: str


class Strategy:
    """A trader in Python; subclass it and write the methods that you need.

    The same ticks must give the same signals: decide from what you are given and what you keep, never from a clock,
    from chance or from a thread of your own. A worker can be replaced at any moment; what shall outlive it is what
    :meth:`save` returns. The constructor is called without arguments.
    """

    __signaller: Signaller | None = None

    def on_start(self, context: StrategyContext) -> None:
        """Prepare; called once in each worker, before everything else."""

    def on_tick(self, tick: Tick) -> None:
        """Take a trade or a quote."""

    def on_bar(self, bar: ClosedBar) -> None:
        """Take a bar of the trader's interval that has closed."""

    def on_stop(self) -> None:
        """Let go of what you hold: this worker runs you no more, though another one may."""

    def save(self) -> dict[str, Any]:
        """Return what must outlive this worker: texts, numbers, bytes, lists and dicts; change nothing.

        It is called several times a second, so keep it small.
        """
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`save` returned in another worker; called after :meth:`on_start`."""

    def signal(self, instrument: str, /, **values: float | None) -> None:
        """Raise a signal for the tick or bar that you are being given.

        Args:
            instrument: ``venue:symbol``, one of your own instruments.
            values: what the signal shall show; stored as null where not finite.

        Raises:
            StrategyError: you are not being given a tick or bar, or the signal cannot be stored as it is.
        """
        if self.__signaller is None:
            raise StrategyError("this strategy runs in no worker, so nobody would hear its signal; attach somebody")
        self.__signaller(instrument, values)

    def attach(self, signaller: Signaller) -> None:
        """Say who takes the signals; for whoever runs the strategy."""
        self.__signaller = signaller
