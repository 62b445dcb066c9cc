"""What every indicator offers: two steps, a short way back, its state as packed numbers, a history at once."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Numbers = list[float]
"""What a recursive indicator goes on from; NaN allowed."""

State = bytes
"""An indicator's whole state: floats as they lie in memory, so that it is kept and restored bit for bit."""

REVISABLE_BARS = 16
"""How many commits an indicator can take back when a late trade revises closed bars."""

LIMIT = 1e300
"""Values from here on are unknown: sums and differences of what is below cannot overflow."""

NAN = math.nan


Values = NDArray[np.float64]
"""One number a bar, oldest first; NaN where unknown."""

COLUMN = ""
"""Stands in :attr:`Indicator.inputs` for a column that the rule names; close if it is the only input and not named."""


class Parameter(NamedTuple):
    """One number that an indicator is made with.

    Attributes:
        whole: whether it is a number of bars, or a count, without a fraction.
        default: taken where the rule leaves it out; None: it has to be given.
    """

    name: str
    least: float
    most: float
    default: float | None = None
    whole: bool = True


LONGEST_PERIOD = 5_000
PERIOD = Parameter("period", 1, LONGEST_PERIOD)
"""Most indicators have this one and no other."""


class Indicator(Protocol):
    """A value per bar from one or several values per bar, updated in O(1), or O(period) where nothing better is known.

    A NaN input is an unknown value: the indicator is unknown while it depends on it and recovers afterwards.

    Attributes:
        inputs: the bar fields it is fed with, in this order, or :data:`COLUMN`.
        parameters: what it is made with, in this order; those with a default come last.

    :attr:`value_now`, :attr:`close` and :attr:`over` are methods that take as many arguments as there are inputs.
    """

    inputs: ClassVar[tuple[str, ...]]
    parameters: ClassVar[tuple[Parameter, ...]]

    def __init__(self, *parameters: Any) -> None:  # noqa: ANN401
        """Begin before the first bar."""

    @property
    def value_now(self) -> Callable[..., float]:
        """Return the value as if the forming bar closed with these inputs; NaN while unknown. Changes nothing."""

    @property
    def close(self) -> Callable[..., float]:
        """Commit a closed bar's inputs and return what :attr:`value_now` gave for them."""

    @property
    def over(self) -> Callable[..., Values]:
        """Return for arrays of inputs the values, the same floats, that :attr:`close` of a new indicator gives."""

    def sensitivity(self) -> float:
        """Return how far :attr:`value_now` moves at most when no input moves by more than one.

        Until the next close, and for known inputs with ``low <= close <= high``: for two sets of inputs that differ by
        at most d each, the values differ by at most ``sensitivity() * d`` and rounding. Any upper bound is right;
        infinity where there is none. It says nothing while the value is unknown.
        """

    def rewind(self, bars: int) -> None:
        """Take back the last commits, at most :data:`REVISABLE_BARS`; all of them if there were fewer."""

    def state(self) -> State:
        """Return everything needed to go on from here, including the way back."""

    def restore(self, state: State) -> None:
        """Become the indicator of the same period that gave this state."""
