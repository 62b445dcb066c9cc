"""A rate limiter that says how much it refused."""

import time
from collections.abc import Callable

from tickfloor.contracts.telemetry import LimiterReport
from tickfloor.worker.deadline import Deadline
from tickfloor.worker.token_bucket import TokenBucket


class Limiter:
    """One limited thing; the worker's loop calls :meth:`flush_if_due` and sleeps at most :meth:`due_in`.

    A storm of refusals is no storm of messages: they are reported together, some time after the first of them.

    Attributes:
        name: what it limits.
        allowed, refused: cost, ever.
    """

    def __init__(
        self,
        name: str,
        report: Callable[[LimiterReport], object],
        *,
        rate: float,
        burst: int,
        every_seconds: float = 1.0,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Make one that allows ``burst`` at once.

        Args:
            name: what it limits.
            report: hears of refusals.
            rate: cost a second.
            burst: cost at once.
            every_seconds: from the first refusal after a report until the next report.
            clock: monotonic ns.

        Raises:
            ValueError: a limit makes no sense.
        """
        self.name = name
        self.allowed = 0
        self.refused = 0
        self._report = report
        self._bucket = TokenBucket(rate, burst, clock=clock)
        self._deadline = Deadline(every_seconds, clock)
        self._reported_allowed = 0
        self._reported_refused = 0

    def allows(self, cost: int = 1) -> bool:  # hot path
        """Take so much of the allowance and say so, or take nothing.

        Raises:
            ValueError: so much is never allowed.
        """
        if self._bucket.take(cost):
            self.allowed += cost
            return True
        self.refused += cost
        self._deadline.start()
        return False

    def wait_seconds(self, cost: int = 1) -> float:
        """Return the seconds until so much will be allowed; 0 for now.

        Raises:
            ValueError: so much is never allowed.
        """
        return self._bucket.wait_seconds(cost)

    def flush_if_due(self) -> None:
        """Report refusals, if they have waited long enough."""
        if self._deadline.passed:
            self.flush()

    def due_in(self) -> float:
        """Return the seconds until the next report; infinity when nothing was refused."""
        return self._deadline.due_in()

    def flush(self) -> None:
        """Report refusals, if there were any, now."""
        self._deadline.stop()
        refused = self.refused - self._reported_refused
        if not refused:
            return
        allowed = self.allowed - self._reported_allowed
        self._reported_allowed, self._reported_refused = self.allowed, self.refused
        self._report(LimiterReport(name=self.name, allowed=allowed, refused=refused))
