"""Every worker's circuit breakers, and the newest failures that they have counted."""

import time
from collections import deque
from collections.abc import Callable

import msgspec

from tickfloor.contracts.telemetry import BreakerReport, BreakerState
from tickfloor.supervisor.process import WorkerProcess


class BreakerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's breaker, as it last reported.

    Attributes:
        name: what it protects.
        failures: in a row; total_failures, openings: of this incarnation.
        retry_ts: when it lets the next attempt through, ns UTC; None while it is not open.
    """

    slot: str
    incarnation: int
    name: str
    state: BreakerState
    failures: int
    total_failures: int
    openings: int
    retry_ts: int | None


class BreakerFailure(msgspec.Struct, frozen=True, kw_only=True):
    """One failure; ``ts`` is when it was heard of, ns UTC."""

    ts: int
    slot: str
    name: str
    error: str


class BreakerStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """All breakers.

    Attributes:
        breakers: that have ever failed, of workers that live, by slot and name.
        recent: the newest failures, oldest first.
        failures: heard of, ever.
        left_out: reports of breakers beyond the bound; their failures are counted all the same.
    """

    breakers: tuple[BreakerStatus, ...]
    recent: tuple[BreakerFailure, ...]
    failures: int
    left_out: int


class BreakerService:
    """The parent half of :class:`~tickfloor.worker.breaker.Breaker`."""

    def __init__(
        self, *, most_breakers: int = 1000, most_recent: int = 100, now: Callable[[], int] = time.time_ns
    ) -> None:
        """Make one that has heard nothing; ``now`` is ns UTC."""
        self._most_breakers = most_breakers
        self._now = now
        self._breakers: dict[tuple[str, str], BreakerStatus] = {}
        self._recent: deque[BreakerFailure] = deque(maxlen=most_recent)
        self._failures = 0
        self._left_out = 0

    def on_report(self, process: WorkerProcess, message: BreakerReport) -> None:
        """Take a worker's report."""
        ts = self._now()
        if message.error:
            self._failures += 1
            self._recent.append(BreakerFailure(ts=ts, slot=process.slot, name=message.name, error=message.error))
        key = process.slot, message.name
        before = self._breakers.get(key)
        if before is None and len(self._breakers) >= self._most_breakers:
            self._left_out += 1
            return
        # A predecessor that still reports while its successor works must not hide what is newer.
        if before is not None and before.incarnation > process.incarnation:
            return
        self._breakers[key] = BreakerStatus(
            slot=process.slot,
            incarnation=process.incarnation,
            name=message.name,
            state=message.state,
            failures=message.failures,
            total_failures=message.total_failures,
            openings=message.openings,
            retry_ts=ts + round(message.retry_seconds * 1e9) if message.state is BreakerState.OPEN else None,
        )

    def worker_gone(self, process: WorkerProcess) -> None:
        """Forget a dead worker's breakers: its successor's begin closed."""
        self._breakers = {
            key: status
            for key, status in self._breakers.items()
            if (status.slot, status.incarnation) != (process.slot, process.incarnation)
        }

    def statistics(self) -> BreakerStatistics:
        """Return all breakers."""
        return BreakerStatistics(
            breakers=tuple(self._breakers[key] for key in sorted(self._breakers)),
            recent=tuple(self._recent),
            failures=self._failures,
            left_out=self._left_out,
        )
