"""How long to wait before the next attempt, so that a thousand clients do not come back at once."""

import random
from collections.abc import Callable
from typing import Final

FIRST_SECONDS: Final = 0.25
MOST_SECONDS: Final = 30.0
STABLE_SECONDS: Final = 60.0


class Backoff:
    """Full jitter: anything from nothing to a bound that doubles with every failure, up to 30 s."""

    def __init__(self, *, uniform: Callable[[float, float], float] = random.uniform) -> None:
        """Begin with no failure; ``uniform`` draws a number between two."""
        self._uniform = uniform
        self._failures = 0

    def seconds(self, lived_seconds: float) -> float:
        """Return how long to wait after what lived so long, 0 for what never came up.

        What was stable for a minute is forgiven its earlier failures.
        """
        if lived_seconds >= STABLE_SECONDS:
            self._failures = 0
        bound = min(MOST_SECONDS, FIRST_SECONDS * 2**self._failures)
        if bound < MOST_SECONDS:
            self._failures += 1
        return self._uniform(0.0, bound)
