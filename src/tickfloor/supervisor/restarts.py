"""When a worker that died is started again, and when that would only be a loop."""

import random
from collections import deque
from collections.abc import Callable

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 30.0
_BOOT_FAILURES = 3


class RestartPolicy:
    """One slot's restarts.

    The first death in a while is answered at once; after that the delay is a full jitter of
    min(30 s, 0.2 s · 2^n). More than ``intensity`` deaths within ``period`` seconds, or three in a row before
    the worker was ready, and the slot is given up.
    """

    def __init__(
        self,
        *,
        intensity: int,
        period: float,
        clock: Callable[[], float],
        jitter: Callable[[float], float] | None = None,
    ) -> None:
        self._intensity = intensity
        self._period = period
        self._clock = clock
        self._jitter = jitter or (lambda longest: random.uniform(0, longest))  # noqa: S311 - spreads load, hides nothing
        self._deaths: deque[float] = deque()
        self._boot_failures = 0
        self.restarts = 0

    def after_death(self, *, was_ready: bool) -> float | None:
        """Return the seconds to wait before the next start, or None to give the slot up."""
        now = self._clock()
        self._boot_failures = 0 if was_ready else self._boot_failures + 1
        self._deaths.append(now)
        while self._deaths and self._deaths[0] <= now - self._period:
            self._deaths.popleft()
        if self._boot_failures >= _BOOT_FAILURES or len(self._deaths) > self._intensity:
            return None
        self.restarts += 1
        recent = len(self._deaths) - 1
        if recent == 0:
            return 0.0
        return self._jitter(min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** (recent - 1)))
