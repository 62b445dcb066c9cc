"""When a worker that died is started again, and when that would only be a loop."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartStatistics:
    """One slot's restarts.

    Attributes:
        restarts: starts after a death, probes not counted.
        deaths_in_period: what the intensity is compared with.
        quarantined: why the slot only gets probes; empty while it is not quarantined.
    """

    restarts: int
    deaths_in_period: int
    quarantined: str


class RestartPolicy:
    """One slot's restarts after deaths; of planned replacements it is not told.

    The first death is answered at once; after that the delay is a full jitter of
    min(30 s, 0.2 s · 2^n), and n begins again once a worker has worked well for a while. More than ``intensity``
    deaths within ``period``, and the slot is given up. So it is after some failures in a row to become ready, all
    with the same error: from then on every start is a probe, and the first that becomes ready ends that.

    Attributes:
        probe_seconds: between the probes of a slot that was given up.
        restarts: starts after a death, probes not counted.
    """

    def __init__(
        self,
        *,
        intensity: int,
        period: float,
        clock: Callable[[], float],
        jitter: Callable[[float], float] | None = None,
        reset_seconds: float = 60.0,
        boot_failures: int = 3,
        probe_seconds: float = 300.0,
    ) -> None:
        """Begin without deaths.

        Args:
            intensity: deaths that a period may have.
            period: seconds.
            clock: monotonic seconds.
            jitter: returns seconds between 0 and what it is given.
            reset_seconds: after this long of ready and progressing, delays begin again with the shortest.
            boot_failures: in a row, with the same error, that quarantine the slot.
            probe_seconds: between the probes of a slot that was given up.
        """
        self._intensity = intensity
        self._period = period
        self._clock = clock
        self._jitter = jitter or (lambda longest: random.uniform(0, longest))  # noqa: S311 - spreads load, hides nothing
        self._reset_seconds = reset_seconds
        self._boot_failures = boot_failures
        # One more than is allowed is all that must be known.
        self._deaths: deque[float] = deque(maxlen=intensity + 1)
        self._in_a_row = 0
        self._boot_error = ""
        self._same_error = 0
        self._quarantined = ""
        self.probe_seconds = probe_seconds
        self.restarts = 0

    def after_death(self, *, was_ready: bool, worked_seconds: float, error: str) -> float | None:
        """Return the seconds to wait before the next start, or None to give the slot up.

        Args:
            was_ready: whether it had become ready.
            worked_seconds: how long it had been ready and progressing; 0 if it never was.
            error: how it ended, without what differs from one time to the next (pids, times).
        """
        now = self._clock()
        self._deaths.append(now)
        if was_ready:
            self._quarantined = self._boot_error = ""
            self._same_error = 0
        elif self._cannot_start(error):
            return None
        if worked_seconds >= self._reset_seconds:
            self._in_a_row = 0
        self._in_a_row += 1
        if self._within(now) > self._intensity:
            return None
        self.restarts += 1
        if self._in_a_row == 1:
            return 0.0
        # Without a bound on the exponent, a slot that dies for months would end in a number too large for a float.
        return self._jitter(min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(self._in_a_row - 2, 32)))

    def statistics(self) -> RestartStatistics:
        """Return how often it died and what follows from it."""
        return RestartStatistics(
            restarts=self.restarts, deaths_in_period=self._within(self._clock()), quarantined=self._quarantined
        )

    def _within(self, now: float) -> int:
        while self._deaths and self._deaths[0] <= now - self._period:
            self._deaths.popleft()
        return len(self._deaths)

    def _cannot_start(self, error: str) -> bool:
        self._same_error = self._same_error + 1 if error == self._boot_error else 1
        self._boot_error = error
        # A probe that fails in another way has not shown that the slot can work.
        if self._quarantined or self._same_error >= self._boot_failures:
            times = f"{self._same_error} times in a row" if self._same_error > 1 else "at its last probe"
            self._quarantined = f"did not become ready, {times}: {error or 'no error was given'}"
        return bool(self._quarantined)


class RecoveryPolicy:
    """Emergency recoveries of the whole floor: a few in a period, and then never again.

    Attributes:
        given_up: a recovery was refused, so all are from now on.
        recoveries: that were allowed.
    """

    def __init__(self, *, clock: Callable[[], float], intensity: int = 3, period: float = 300.0) -> None:
        """Begin without recoveries; ``clock`` is monotonic, ``period`` seconds."""
        self._clock = clock
        self._intensity = intensity
        self._period = period
        self._begun: deque[float] = deque()
        self.given_up = False
        self.recoveries = 0

    def allows(self) -> bool:
        """Say whether to recover now; a recovery that is allowed counts."""
        now = self._clock()
        while self._begun and self._begun[0] <= now - self._period:
            self._begun.popleft()
        self.given_up = self.given_up or len(self._begun) >= self._intensity
        if self.given_up:
            return False
        self._begun.append(now)
        self.recoveries += 1
        return True
