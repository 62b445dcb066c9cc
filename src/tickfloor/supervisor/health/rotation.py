"""When a worker is replaced before it hurts: for its memory, for a leak, or for its age."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tickfloor.supervisor.health.leak_trend import LeakTrend, LeakVerdict, Trend

_MIB = 1 << 20


class RotationReason(StrEnum):
    """Why a worker should be replaced, the most pressing first."""

    MEMORY = "memory"
    LEAK = "leak"
    AGE = "age"


class RotationAction(StrEnum):
    """What is to be done about it.

    Replace it now; or tell people: that it needs it again so soon after the last time that replacing does not help
    (alarm), or that the host lacks the memory for a second worker beside it (refuse).
    """

    REPLACE = "replace"
    ALARM = "alarm"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationDecision:
    """What is to be done about a worker.

    Attributes:
        incarnation: that was looked at; if it has died since, there is nothing to be done.
        detail: the figures, for people.
    """

    slot: str
    incarnation: int
    action: RotationAction
    reason: RotationReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationSettings:
    """When workers of a pool are replaced; all times in seconds.

    Attributes:
        memory_limit: private bytes; 0 for no limit.
        samples_above: samples in a row above the limit that count as a need.
        leak_per_hour: growth in bytes an hour that is a leak; 0 to let leaks be.
        most_age: 0 for no limit.
        age_jitter: share of ``most_age`` by which a worker may be replaced sooner, so that not all fall due at once.
        least_age: no worker is replaced younger.
        pause: between the beginnings of two replacements of one slot.
        headroom: memory that the host must have available, in times the worker's own.
        fresh: a worker that was not looked at for longer is left alone; it may be gone.
    """

    memory_limit: int = 0
    samples_above: int = 5
    leak_per_hour: float = 16.0 * _MIB
    most_age: float = 0.0
    age_jitter: float = 0.1
    least_age: float = 300.0
    pause: float = 600.0
    headroom: float = 1.5
    fresh: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One look at a worker.

    Attributes:
        now: monotonic seconds.
        private: its own memory, bytes.
        age: seconds since it was started.
    """

    now: float
    incarnation: int
    private: int
    age: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RotationStatistics:
    """A pool's replacements.

    Attributes:
        began: replacements; failed: of these, those whose successor did not take over.
        alarms, refusals: decisions of that kind.
        rotating: the slot whose worker is being replaced; empty for none.
        needs: by slot, why its worker should be replaced.
    """

    began: int
    failed: int
    alarms: int
    refusals: int
    rotating: str
    needs: dict[str, RotationReason]


class _Watched:
    """One slot: its present worker, and what was done about the slot lately."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.alarmed = False
        self.refused: float | None = None
        self.outgoing = 0
        self.replaced = 0
        self.sample: Sample | None = None
        self.above = 0
        self.trend: LeakTrend | None = None
        self.most_age = 0.0


class RotationPolicy:
    """The planned replacements of a pool: one at a time, each slot seldom, and never what the host cannot bear."""

    def __init__(self, settings: RotationSettings, jitter: Callable[[], float] = random.random) -> None:
        """Begin without slots; ``jitter`` returns shares from 0 to 1."""
        self._settings = settings
        self._jitter = jitter
        self._slots: dict[str, _Watched] = {}
        self._rotating = ""
        self._began = self._failed = self._alarms = self._refusals = 0

    def observe(self, slot: str, sample: Sample) -> None:
        """Take a look at a slot's worker; nothing that was or is still seen of its predecessor counts."""
        watched = self._slots.setdefault(slot, _Watched())
        if sample.incarnation <= watched.replaced:
            return
        if watched.sample is None or watched.sample.incarnation != sample.incarnation:
            self._begin_anew(watched)
        watched.sample = sample
        over = self._settings.memory_limit > 0 and sample.private > self._settings.memory_limit
        watched.above = watched.above + 1 if over else 0
        if watched.trend is not None:
            watched.trend.add(sample.now, sample.private)

    def next(self, now: float, available: int) -> RotationDecision | None:
        """Return what to do now, the most pressing first; ``available`` is what the host can still give, bytes.

        A replacement is decided again until it :meth:`began`; an alarm is raised once after each replacement, and a
        refusal repeated once in a pause.
        """
        if self._rotating:
            return None
        order = list(RotationReason)
        needs = [
            (slot, watched, need)
            for slot, watched in self._slots.items()
            if (need := self._need(watched)) and self._is_fresh(watched, now)
        ]
        needs.sort(key=lambda each: order.index(each[2]))
        for slot, watched, reason in needs:
            action = self._action(watched, now, available)
            if action is not None:
                return self._decision(slot, watched, reason, action, available)
        return None

    def began(self, slot: str, now: float) -> None:
        """Note that a slot's worker is being replaced, whoever wished it.

        Raises:
            ValueError: another one is.
        """
        if self._rotating:
            raise ValueError(f"{self._rotating} is being replaced; wait until that has ended")
        watched = self._slots.setdefault(slot, _Watched())
        watched.began = now
        watched.alarmed = False
        watched.outgoing = 0 if watched.sample is None else watched.sample.incarnation
        self._rotating = slot
        self._began += 1

    def ended(self, slot: str, *, ok: bool) -> None:
        """Note that a replacement has ended, and whether the successor has taken over.

        Raises:
            ValueError: it is not this slot's worker that is being replaced.
        """
        if slot != self._rotating:
            raise ValueError(f"{slot} is not being replaced, so that cannot end")
        self._rotating = ""
        self._failed += not ok
        watched = self._slots.get(slot)
        if ok and watched is not None:
            watched.replaced = watched.outgoing
            if watched.sample is not None and watched.sample.incarnation <= watched.replaced:
                watched.sample = watched.trend = None

    def forget(self, slot: str) -> None:
        """Let go of a slot that is no more; a replacement that is under way has still to end."""
        self._slots.pop(slot, None)

    def trend(self, slot: str) -> LeakVerdict | None:
        """Return what the memory of a slot's worker has been doing; None if nobody watches it."""
        watched = self._slots.get(slot)
        return None if watched is None or watched.trend is None else watched.trend.verdict()

    def statistics(self) -> RotationStatistics:
        """Return a pool's replacements so far."""
        needs = {slot: need for slot, watched in self._slots.items() if (need := self._need(watched))}
        return RotationStatistics(
            began=self._began,
            failed=self._failed,
            alarms=self._alarms,
            refusals=self._refusals,
            rotating=self._rotating,
            needs=needs,
        )

    def _begin_anew(self, watched: _Watched) -> None:
        watched.above = 0
        watched.refused = None
        leak = self._settings.leak_per_hour
        watched.trend = LeakTrend(bytes_per_hour=leak) if leak > 0 else None
        watched.most_age = self._settings.most_age * (1 - self._settings.age_jitter * self._jitter())

    def _need(self, watched: _Watched) -> RotationReason | None:
        if watched.sample is None:
            return None
        if watched.above >= self._settings.samples_above:
            return RotationReason.MEMORY
        if watched.trend is not None and watched.trend.verdict().trend is Trend.LEAKING:
            return RotationReason.LEAK
        if 0 < watched.most_age <= watched.sample.age:
            return RotationReason.AGE
        return None

    def _is_fresh(self, watched: _Watched, now: float) -> bool:
        return watched.sample is not None and now - watched.sample.now <= self._settings.fresh

    def _action(self, watched: _Watched, now: float, available: int) -> RotationAction | None:
        """Return what to do about a worker that should be replaced, and count what is only told."""
        assert watched.sample is not None
        if watched.began is not None and now - watched.began < self._settings.pause:
            if watched.alarmed:
                return None
            watched.alarmed = True
            self._alarms += 1
            return RotationAction.ALARM
        if watched.sample.age < self._settings.least_age:
            return None
        if available >= self._settings.headroom * watched.sample.private:
            return RotationAction.REPLACE
        if watched.refused is not None and now - watched.refused < self._settings.pause:
            return None
        watched.refused = now
        self._refusals += 1
        return RotationAction.REFUSE

    def _decision(
        self, slot: str, watched: _Watched, reason: RotationReason, action: RotationAction, available: int
    ) -> RotationDecision:
        assert watched.sample is not None
        detail = self._why(watched, reason)
        if action is RotationAction.ALARM:
            detail += f"; it was replaced less than {self._settings.pause:.0f} s ago, which has not helped"
        elif action is RotationAction.REFUSE:
            needed = self._settings.headroom * watched.sample.private
            detail += f"; the host has {available / _MIB:.1f} MiB available, {needed / _MIB:.1f} MiB are needed"
        return RotationDecision(
            slot=slot, incarnation=watched.sample.incarnation, action=action, reason=reason, detail=detail
        )

    def _why(self, watched: _Watched, reason: RotationReason) -> str:
        assert watched.sample is not None
        private = f"{watched.sample.private / _MIB:.1f} MiB"
        if reason is RotationReason.MEMORY:
            limit = f"{self._settings.memory_limit / _MIB:.1f} MiB"
            return f"{private} of its own, in {watched.above} samples above the limit of {limit}"
        if reason is RotationReason.LEAK:
            assert watched.trend is not None
            slope = (watched.trend.verdict().bytes_per_hour or 0.0) / _MIB
            return f"its own memory, {private}, grows by {slope:.1f} MiB an hour"
        return f"it is {watched.sample.age:.0f} s old, {watched.most_age:.0f} s is the limit"
