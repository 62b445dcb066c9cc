"""What every worker's rate limiters have let through and refused."""

from dataclasses import dataclass

import msgspec

from tickfloor.contracts.telemetry import LimiterReport
from tickfloor.supervisor.process import WorkerProcess


class LimiterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One limiter of one slot, all incarnations together.

    Attributes:
        name: what it limits.
        allowed: cost that was let through, as far as reported: a limiter reports only once it has refused.
        refused: cost that was not.
        reports: messages that brought this.
    """

    slot: str
    name: str
    allowed: int
    refused: int
    reports: int


class LimitStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """All limiters that have refused something, by slot and name; ``left_out``: reports of those beyond the bound."""

    limiters: tuple[LimiterStatus, ...]
    left_out: int


class LimitService:
    """The parent half of :class:`~tickfloor.worker.limiter.Limiter`."""

    def __init__(self, *, most_limiters: int = 1000) -> None:
        self._most_limiters = most_limiters
        self._limiters: dict[tuple[str, str], _Limiter] = {}
        self._left_out = 0

    def on_report(self, process: WorkerProcess, message: LimiterReport) -> None:
        """Add a worker's report."""
        key = process.slot, message.name
        limiter = self._limiters.get(key)
        if limiter is None:
            if len(self._limiters) >= self._most_limiters:
                self._left_out += 1
                return
            limiter = self._limiters[key] = _Limiter()
        limiter.allowed += message.allowed
        limiter.refused += message.refused
        limiter.reports += 1

    def statistics(self) -> LimitStatistics:
        """Return all limiters."""
        return LimitStatistics(
            limiters=tuple(
                LimiterStatus(
                    slot=slot, name=name, allowed=limiter.allowed, refused=limiter.refused, reports=limiter.reports
                )
                for (slot, name), limiter in sorted(self._limiters.items(), key=lambda item: item[0])
            ),
            left_out=self._left_out,
        )


@dataclass(slots=True)
class _Limiter:
    allowed: int = 0
    refused: int = 0
    reports: int = 0
