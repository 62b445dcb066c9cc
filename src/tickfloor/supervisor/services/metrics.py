"""Every worker's metrics, added up over its incarnations."""

from dataclasses import dataclass, field

import msgspec

from tickfloor.contracts.telemetry import MetricsDelta
from tickfloor.supervisor.process import WorkerProcess


class SlotMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One slot's metrics.

    Attributes:
        counts: since the floor started, all incarnations together.
        gauges: newest values of the newest incarnation; empty while none has reported.
        updates: calls in the workers; messages: reports that brought them.
        refused: names of a report that were left out because the slot has too many, each time.
    """

    counts: dict[str, float]
    gauges: dict[str, float]
    updates: int
    messages: int
    refused: int


class MetricsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """How the metrics themselves are, all slots together.

    Attributes:
        saved: share of messages that batching saved, 0 to 1; 0 before the first.
    """

    slots: int
    names: int
    updates: int
    messages: int
    saved: float
    refused: int


class MetricsService:
    """The parent half of :class:`~tickfloor.worker.metrics.Metrics`."""

    def __init__(self, *, most_names: int = 1000) -> None:
        """Make one that has heard nothing; ``most_names`` are kept of each slot, counters and gauges each."""
        self._most_names = most_names
        self._slots: dict[str, _Slot] = {}

    def on_delta(self, process: WorkerProcess, message: MetricsDelta) -> None:  # hot path
        """Add a worker's report."""
        slot = self._slots.get(process.slot)
        if slot is None:
            slot = self._slots[process.slot] = _Slot()
        slot.updates += message.updates
        slot.messages += 1
        counts = slot.counts
        for name, by in message.counts.items():
            if name in counts:
                counts[name] += by
            elif len(counts) < self._most_names:
                counts[name] = by
            else:
                slot.refused += 1
        if process.incarnation > slot.incarnation:
            slot.incarnation = process.incarnation
            slot.gauges.clear()
        # A predecessor that still reports while its successor works must not hide what is newer.
        if process.incarnation == slot.incarnation:
            for name, value in message.gauges.items():
                if name in slot.gauges or len(slot.gauges) < self._most_names:
                    slot.gauges[name] = value
                else:
                    slot.refused += 1

    def worker_gone(self, process: WorkerProcess) -> None:
        """Forget a dead worker's gauges: they say how it is, and it is no more. Its counts stay."""
        slot = self._slots.get(process.slot)
        if slot is not None and slot.incarnation == process.incarnation:
            slot.gauges.clear()

    def snapshot(self) -> dict[str, SlotMetrics]:
        """Return every slot's metrics, by slot."""
        return {
            name: SlotMetrics(
                counts=dict(slot.counts),
                gauges=dict(slot.gauges),
                updates=slot.updates,
                messages=slot.messages,
                refused=slot.refused,
            )
            for name, slot in self._slots.items()
        }

    def summary(self) -> MetricsSummary:
        """Return how the metrics themselves are."""
        slots = self._slots.values()
        updates = sum(slot.updates for slot in slots)
        messages = sum(slot.messages for slot in slots)
        return MetricsSummary(
            slots=len(slots),
            names=sum(len(slot.counts) + len(slot.gauges) for slot in slots),
            updates=updates,
            messages=messages,
            saved=1 - messages / updates if updates else 0.0,
            refused=sum(slot.refused for slot in slots),
        )


@dataclass(slots=True)
class _Slot:
    counts: dict[str, float] = field(default_factory=dict)
    gauges: dict[str, float] = field(default_factory=dict)
    incarnation: int = -1
    updates: int = 0
    messages: int = 0
    refused: int = 0
