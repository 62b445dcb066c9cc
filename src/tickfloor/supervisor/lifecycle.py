"""What happens to workers, as structured log lines and as counts."""

import math
from collections import deque

import msgspec

from tickfloor.contracts.ports import FieldValue
from tickfloor.contracts.states import WorkerState
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.worker.log import Log

_KEPT = 256


class LifecycleStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the floor began; times in ms, of the last 256, None without any.

    Attributes:
        cleaned: workers that ended when they were asked to; forced: that had to be ended by signals.
        died: that ended unasked; condemned: of the forced, those that hung or were stuck.
        leaks: workers that left something behind.
        thresholds: memory limits or leak trends that called for a replacement.
    """

    started: int
    cleaned: int
    forced: int
    died: int
    condemned: int
    replaced: int
    replacements_failed: int
    quarantined: int
    recoveries: int
    leaks: int
    thresholds: int
    ready_ms_median: float | None
    cleanup_ms_median: float | None
    cleanup_ms_worst: float | None
    replacement_ms_median: float | None


class Lifecycle:
    """Hears of every change in a worker's life."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts = dict.fromkeys(
            ("started", "cleaned", "forced", "died", "condemned", "replaced", "replacements_failed",
             "quarantined", "recoveries", "leaks", "thresholds"),
            0,
        )  # fmt: skip
        self._ready: deque[float] = deque(maxlen=_KEPT)
        self._cleanups: deque[float] = deque(maxlen=_KEPT)
        self._replacements: deque[float] = deque(maxlen=_KEPT)

    def ready(self, process: WorkerProcess) -> None:
        """A worker has started."""
        self._counts["started"] += 1
        self._ready.append(process.ready_seconds)
        self._log.info(
            "worker ready",
            worker=process.slot,
            incarnation=process.incarnation,
            worker_pid=process.pid,
            ms=_ms(process.ready_seconds),
        )

    def ended(self, process: WorkerProcess) -> None:
        """A worker that was asked to has ended, by itself or by force."""
        clean = process.state is WorkerState.TERMINATED
        self._counts["cleaned" if clean else "forced"] += 1
        fields: dict[str, FieldValue] = {
            "worker": process.slot,
            "incarnation": process.incarnation,
            "ms": _ms(process.ended_seconds),
        }
        if not clean:
            self._log.warning("worker forced", correlation_id="", how=process.how_it_ended(), **fields)
            return
        self._cleanups.append(process.ended_seconds)
        self._log.info("worker cleaned up", correlation_id="", **fields)
        if process.clean is not None and process.clean.leaked:
            self._counts["leaks"] += 1
            self._log.warning("worker leaked", worker=process.slot, what="; ".join(process.clean.leaked))

    def died(self, process: WorkerProcess) -> None:
        """A worker has ended unasked."""
        self._counts["died"] += 1
        self._log.warning(
            "worker died", worker=process.slot, incarnation=process.incarnation, how=process.how_it_ended()
        )

    def condemned(self, process: WorkerProcess, reason: str) -> None:
        """A worker hangs or is stuck and will be ended."""
        self._counts["condemned"] += 1
        self._log.error("worker condemned", worker=process.slot, incarnation=process.incarnation, reason=reason)

    def replaced(self, slot: str, reason: str, seconds: float, traders: int) -> None:
        """A planned replacement is done; ``seconds`` from its beginning to the successor's work."""
        self._counts["replaced"] += 1
        self._replacements.append(seconds)
        self._log.info("worker replaced", worker=slot, reason=reason, ms=_ms(seconds), traders=traders, success=True)

    def replacement_failed(self, slot: str, reason: str, error: str) -> None:
        """A planned replacement was given up; the worker goes on."""
        self._counts["replacements_failed"] += 1
        self._log.warning("worker not replaced", worker=slot, reason=reason, error=error, success=False)

    def quarantined(self, slot: str, reason: str) -> None:
        """A slot is left empty for now."""
        self._counts["quarantined"] += 1
        self._log.error("slot quarantined", worker=slot, reason=reason)

    def recovered(self, reason: str, seconds: float, *, success: bool) -> None:
        """Everything was started anew."""
        self._counts["recoveries"] += 1
        say = self._log.warning if success else self._log.error
        say("emergency recovery", reason=reason, ms=_ms(seconds), success=success)

    def threshold(self, slot: str, reason: str) -> None:
        """A worker's memory calls for a replacement."""
        self._counts["thresholds"] += 1
        self._log.warning("worker memory", worker=slot, reason=reason)

    def statistics(self) -> LifecycleStatistics:
        """Return the counts so far."""
        return LifecycleStatistics(
            **self._counts,
            ready_ms_median=_median_ms(self._ready),
            cleanup_ms_median=_median_ms(self._cleanups),
            cleanup_ms_worst=_ms(max(self._cleanups)) if self._cleanups else None,
            replacement_ms_median=_median_ms(self._replacements),
        )


def _ms(seconds: float) -> float:
    return 0.0 if math.isnan(seconds) else round(seconds * 1000, 1)


def _median_ms(values: deque[float]) -> float | None:
    return _ms(sorted(values)[len(values) // 2]) if values else None
