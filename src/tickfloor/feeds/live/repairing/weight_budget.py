"""What requests may cost in a minute, as the venue counts it."""

from collections.abc import Callable
from typing import Final

MINUTE_NS: Final = 60_000_000_000
GUARD_NS: Final = 1_000_000_000
"""Our minute begins so much after the venue's: a clock that is a little ahead must not spend the last one's rest."""
SHARE: Final = 0.95
"""Of what is allowed; the rest is for what we cannot know, for example other programs behind the same address."""
OTHERS_SHARE: Final = 0.6
"""What all but repairs of trades may use of it."""


class WeightBudget:
    """Counts the weight spent in the current minute of the clock, in which venues count it, too.

    Attributes:
        per_minute: weight that the venue allows.
        used: weight spent in the current minute, as far as is known.
    """

    def __init__(self, per_minute: int, clock: Callable[[], int]) -> None:
        """Begin with a whole budget; ``clock`` is ns UTC.

        Raises:
            ValueError: the budget lets nothing through.
        """
        self.allow(per_minute)
        self.used = 0
        self._clock = clock
        self._minute = 0

    def allow(self, per_minute: int) -> None:
        """Go by another limit from now on.

        Raises:
            ValueError: it lets nothing through.
        """
        if per_minute < 1:
            raise ValueError(f"a weight of {per_minute} a minute lets no request through: it must be at least 1")
        self.per_minute = per_minute

    def minute(self) -> int:
        """Return the number of the current minute, and begin it if it is new."""
        minute = (self._clock() - GUARD_NS) // MINUTE_NS
        if minute != self._minute:
            self._minute, self.used = minute, 0
        return minute

    def spend(self, weight: int, share: float = SHARE) -> bool:
        """Spend a weight and say so, or spend nothing. What costs more than a whole minute's is let through alone.

        Args:
            share: of the minute's weight, beyond which this is not spent.
        """
        self.minute()
        if self.used and self.used + weight > self.per_minute * share:
            return False
        self.used += weight
        return True

    def told(self, used: int, minute: int) -> None:
        """Take the venue's word for what is used, if it speaks of the current minute.

        Args:
            minute: in which the request was sent.
        """
        if minute == self.minute():
            self.used = max(self.used, used)

    def next_minute_ns(self) -> int:
        """Return when the next minute begins, ns UTC."""
        return (self.minute() + 1) * MINUTE_NS + GUARD_NS
