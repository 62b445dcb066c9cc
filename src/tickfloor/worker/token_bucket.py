"""A token bucket in whole numbers, so that what it says about waiting is exactly what it does."""

import math
import time
from collections.abc import Callable

_PS_PER_NS = 1000
_PS_PER_SECOND = 10**12
_GREATEST_RATE = 1e6
"""At more, a token's time in whole picoseconds would be off by more than a millionth."""


class TokenBucket:
    """Holds up to ``burst`` tokens, gains ``rate`` a second, and starts full.

    Kept as the moment at which it will be full, not as a number of tokens: nothing is ever added up, so nothing
    drifts.
    """

    def __init__(self, rate: float, burst: int, *, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Make a full one; ``clock`` is monotonic ns.

        Raises:
            ValueError: the rate or the burst makes no sense.
        """
        if not 0 < rate <= _GREATEST_RATE:
            raise ValueError(f"a rate of {rate} a second is not possible: it must be above 0 and at most a million")
        if burst < 1:
            raise ValueError(f"a burst of {burst} lets nothing through: it must be at least 1")
        self._burst = burst
        self._token_ps = round(_PS_PER_SECOND / rate)
        self._clock = clock
        self._full_at_ps = 0

    def take(self, cost: int = 1) -> bool:  # hot path
        """Take so many tokens and say so, or take none.

        Raises:
            ValueError: there can never be so many.
        """
        if not 0 < cost <= self._burst:
            raise self._impossible(cost)
        now = self._clock() * _PS_PER_NS
        full_at = (self._full_at_ps if self._full_at_ps > now else now) + cost * self._token_ps
        if full_at > now + self._burst * self._token_ps:
            return False
        self._full_at_ps = full_at
        return True

    def wait_seconds(self, cost: int = 1) -> float:
        """Return the seconds until there are so many tokens, in whole ns; 0 for now.

        Raises:
            ValueError: there can never be so many.
        """
        if not 0 < cost <= self._burst:
            raise self._impossible(cost)
        wait_ps = self._full_at_ps - (self._burst - cost) * self._token_ps - self._clock() * _PS_PER_NS
        return math.ceil(max(0, wait_ps) / _PS_PER_NS) / 1e9

    def _impossible(self, cost: int) -> ValueError:
        return ValueError(f"a cost of {cost} is never allowed: it must be from 1 to the burst, {self._burst}")
