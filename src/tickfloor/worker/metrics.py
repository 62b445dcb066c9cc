"""A worker's metrics: counted here, and reported in one message for all that changed within a tenth of a second."""

import math
import time
from collections.abc import Callable

import msgspec

from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.telemetry import MetricsDelta
from tickfloor.worker.deadline import Deadline

_LONGEST_NAME = 120


class MetricsError(TickfloorError):
    """A metric cannot be counted as asked."""


class MetricsSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All metrics at one moment: ``counts`` since the start, newest ``gauges``."""

    counts: dict[str, float]
    gauges: dict[str, float]


class MetricsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How the metrics themselves are.

    Attributes:
        names: in use, of ``most_names``.
        updates: calls so far; pending: of them, not reported yet.
        messages: reports sent; without batching there would be one for each update.
        destroyed: whether nothing is counted any more.
    """

    names: int
    most_names: int
    updates: int
    pending: int
    messages: int
    destroyed: bool


class Metrics:
    """Counters and gauges of one worker; its loop calls :meth:`flush_if_due` and sleeps at most :meth:`due_in`."""

    def __init__(
        self,
        send: Callable[[MetricsDelta], object],
        *,
        every_seconds: float = 0.1,
        most_names: int = 1000,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Make metrics without names.

        Args:
            send: takes reports.
            every_seconds: from the first update after a report until the next report.
            most_names: distinct names allowed, so that a name made of data cannot fill the memory.
            clock: monotonic ns.
        """
        self._send = send
        self._most_names = most_names
        self._deadline = Deadline(every_seconds, clock)
        self._counts: dict[str, float] = {}
        self._gauges: dict[str, float] = {}
        self._changed_counts: dict[str, float] = {}
        self._changed_gauges: dict[str, float] = {}
        self._pending = 0
        self._reported = 0
        self._messages = 0
        self._destroyed = False

    def increment(self, name: str, by: float = 1) -> None:  # hot path
        """Add to a counter.

        Raises:
            MetricsError: the name is new and cannot be taken, or ``by`` is negative or no number.
        """
        if not 0 <= by < math.inf:
            raise MetricsError(f"metric {name!r} cannot be incremented by {by}: only a finite number from 0 on can")
        changed = self._changed_counts
        if name in changed:
            changed[name] += by
        else:
            if name not in self._counts:
                self._admit(name, self._counts)
            changed[name] = by
            self._deadline.start()
        self._pending += 1

    def gauge(self, name: str, value: float) -> None:  # hot path
        """Set what changes both ways to its newest value.

        Raises:
            MetricsError: the name is new and cannot be taken, or the value is no finite number.
        """
        if not math.isfinite(value):
            raise MetricsError(f"metric {name!r} cannot be {value}: leave out what has no finite value")
        changed = self._changed_gauges
        if name not in changed:
            if name not in self._gauges:
                self._admit(name, self._gauges)
            self._deadline.start()
        changed[name] = value
        self._pending += 1

    def flush_if_due(self) -> None:
        """Report what has changed, if it has waited long enough."""
        if self._deadline.passed:
            self.flush()

    def due_in(self) -> float:
        """Return the seconds until the next report; infinity when nothing has changed."""
        return self._deadline.due_in()

    def flush(self) -> None:
        """Report what has changed, now."""
        self._deadline.stop()
        if not self._pending:
            return
        # Taken away before it is sent: what sending itself counts belongs to the next report.
        counts, self._changed_counts = self._changed_counts, {}
        gauges, self._changed_gauges = self._changed_gauges, {}
        updates, self._pending = self._pending, 0
        for name, by in counts.items():
            self._counts[name] += by
        self._gauges.update(gauges)
        self._reported += updates
        self._messages += 1
        self._send(MetricsDelta(counts=counts, gauges=gauges, updates=updates))

    def snapshot(self) -> MetricsSnapshot:
        """Return all metrics, what is not reported yet included."""
        counts = dict(self._counts)
        for name, by in self._changed_counts.items():
            counts[name] += by
        return MetricsSnapshot(counts=counts, gauges=self._gauges | self._changed_gauges)

    def health(self) -> MetricsHealth:
        """Return how the metrics themselves are."""
        return MetricsHealth(
            names=len(self._counts) + len(self._gauges),
            most_names=self._most_names,
            updates=self._reported + self._pending,
            pending=self._pending,
            messages=self._messages,
            destroyed=self._destroyed,
        )

    def destroy(self) -> None:
        """Report what is left and forget everything; nothing can be counted afterwards."""
        self.flush()
        self._destroyed = True
        self._counts = {}
        self._gauges = {}

    def _admit(self, name: str, kind: dict[str, float]) -> None:
        """Take a new name into the counters or the gauges."""
        if self._destroyed:
            raise MetricsError(f"metric {name!r} cannot be counted: the metrics were destroyed")
        if not 0 < len(name) <= _LONGEST_NAME:
            raise MetricsError(f"metric {name[:_LONGEST_NAME]!r} needs a name of 1 to {_LONGEST_NAME} characters")
        if name in self._counts or name in self._gauges:
            raise MetricsError(f"metric {name!r} is both a counter and a gauge: give one of them another name")
        if len(self._counts) + len(self._gauges) >= self._most_names:
            raise MetricsError(
                f"metric {name!r} would be one more than {self._most_names:,}: do not build names from data"
            )
        kind[name] = 0.0
