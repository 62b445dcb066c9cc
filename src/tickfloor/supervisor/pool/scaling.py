"""How many workers a pool should have, by its traders and its load."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class ScalingReason(StrEnum):
    """Why the number changes."""

    TRADERS = "traders"
    LOAD = "load"
    LIMITS = "limits"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingDecision:
    """Another number of workers.

    Attributes:
        workers: now; wanted: from now on.
        detail: the figures, for people.
    """

    workers: int
    wanted: int
    reason: ScalingReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingSettings:
    """Between which bounds, and when, the number of workers changes.

    Attributes:
        least, most: workers, 1 to 16.
        traders_per_worker: more are not placed in one.
        grow_above: busy share (0 to 1) of the busiest worker above which there are too few.
        grow_looks: looks in a row that must show it.
        shrink_below: busy share that all but one worker would have, with all the work; below it there are too many.
        shrink_looks: looks in a row that must show it.
        cooldown: seconds between a change and the next one because of load.
        spare: share of ``traders_per_worker`` that is left free when the number shrinks, so that a few more traders
            do not make it grow again.
    """

    least: int = 1
    most: int = 16
    traders_per_worker: int = 250
    grow_above: float = 0.7
    grow_looks: int = 5
    shrink_below: float = 0.35
    shrink_looks: int = 60
    cooldown: float = 300.0
    spare: float = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingStatistics:
    """A pool's changes.

    Attributes:
        grown, shrunk: decisions.
        last: the last one; None before the first.
    """

    grown: int
    shrunk: int
    last: ScalingDecision | None


class ScalingPolicy:
    """Looks at a pool now and then; not while its number is being changed.

    The bounds, and the most traders that a worker may have, are kept at once. Load changes the number by one worker,
    and slowly. It grows only if the mean is so high that the larger pool would not shrink again: one busy worker among
    idle ones has traders that another worker cannot share, or that should be placed anew.
    """

    def __init__(self, settings: ScalingSettings) -> None:
        self._settings = settings
        self._high = self._low = 0
        self._decided: float | None = None
        self._last: ScalingDecision | None = None
        self._grown = self._shrunk = 0

    def look(self, now: float, traders: int, busy: Sequence[float]) -> ScalingDecision | None:
        """Return the change that is due, or None; one that is not carried out is decided again after the cooldown.

        Args:
            now: monotonic seconds.
            traders: that the pool runs.
            busy: each worker's busy share since the last look, 0 to 1; one that has just started has 0.
        """
        workers = len(busy)
        decision = self._by_bounds(workers, traders) or self._by_load(now, traders, busy)
        if decision is None or (self._cooling(now) and self._is_last(decision)):
            return None
        self._decided = now
        self._last = decision
        self._high = self._low = 0
        if decision.wanted > workers:
            self._grown += 1
        else:
            self._shrunk += 1
        return decision

    def statistics(self) -> ScalingStatistics:
        """Return a pool's changes so far."""
        return ScalingStatistics(grown=self._grown, shrunk=self._shrunk, last=self._last)

    def _bounds(self, traders: int) -> tuple[int, int]:
        """Return the fewest and the most workers for so many traders: never more than traders, but always one."""
        most = max(1, min(self._settings.most, traders))
        needed = -(-traders // self._settings.traders_per_worker)
        return min(most, max(1, self._settings.least, needed)), most

    def _by_bounds(self, workers: int, traders: int) -> ScalingDecision | None:
        fewest, most = self._bounds(traders)
        wanted = min(max(workers, fewest), most)
        if wanted == workers:
            return None
        settings = self._settings
        if settings.least <= workers <= settings.most:
            reason = ScalingReason.TRADERS
            detail = f"{traders} traders, at most {settings.traders_per_worker} and at least one in a worker"
        else:
            reason = ScalingReason.LIMITS
            detail = f"{settings.least} to {settings.most} workers are allowed"
        return ScalingDecision(workers=workers, wanted=wanted, reason=reason, detail=detail)

    def _by_load(self, now: float, traders: int, busy: Sequence[float]) -> ScalingDecision | None:
        workers, settings, total = len(busy), self._settings, sum(busy)
        fewest, most = self._bounds(traders)
        too_few = workers < most and max(busy) > settings.grow_above and total >= settings.shrink_below * workers
        carried = (workers - 1) * settings.traders_per_worker * (1 - settings.spare)
        too_many = workers > fewest and traders <= carried and total < settings.shrink_below * (workers - 1)
        self._high = self._high + 1 if too_few else 0
        self._low = self._low + 1 if too_many else 0
        if self._cooling(now):
            return None
        if self._high >= settings.grow_looks:
            detail = f"the busiest worker was busy for more than {settings.grow_above:.0%} in {self._high} looks"
            return ScalingDecision(workers=workers, wanted=workers + 1, reason=ScalingReason.LOAD, detail=detail)
        if self._low >= settings.shrink_looks:
            detail = f"{workers - 1} would be busy for less than {settings.shrink_below:.0%} in {self._low} looks"
            return ScalingDecision(workers=workers, wanted=workers - 1, reason=ScalingReason.LOAD, detail=detail)
        return None

    def _cooling(self, now: float) -> bool:
        return self._decided is not None and now - self._decided < self._settings.cooldown

    def _is_last(self, decision: ScalingDecision) -> bool:
        last = self._last
        return last is not None and (last.workers, last.wanted) == (decision.workers, decision.wanted)
