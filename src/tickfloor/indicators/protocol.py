"""What every indicator offers: two steps, a short way back, and its state as packed numbers."""

import math
from typing import Protocol

Numbers = list[float]
"""What a recursive indicator goes on from; NaN allowed."""

State = bytes
"""An indicator's whole state: floats as they lie in memory, so that it is kept and restored bit for bit."""

REVISABLE_BARS = 16
"""How many commits an indicator can take back when a late trade revises closed bars."""

LIMIT = 1e300
"""Values from here on are unknown: sums and differences of what is below cannot overflow."""

NAN = math.nan


class Indicator(Protocol):
    """A value per bar from a value per bar, updated in O(1).

    A NaN input is an unknown value: the indicator is unknown while it depends on it and recovers afterwards.
    """

    def value_now(self, value: float) -> float:
        """Return the value as if the forming bar closed with this input; NaN while unknown. Changes nothing."""

    def close(self, value: float) -> float:
        """Commit a closed bar's input and return what :meth:`value_now` gave for it."""

    def rewind(self, bars: int) -> None:
        """Take back the last commits, at most :data:`REVISABLE_BARS`; all of them if there were fewer."""

    def state(self) -> State:
        """Return everything needed to go on from here, including the way back."""

    def restore(self, state: State) -> None:
        """Become the indicator of the same period that gave this state."""
