"""Looks after every worker: asks whether it lives, watches its memory, and has it replaced before it hurts."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tickfloor.board.host_memory import available_memory
from tickfloor.contracts.commands import Ping, Pong
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.states import Health, SlotState, WorkerState
from tickfloor.contracts.traders import TradersHeld
from tickfloor.supervisor.health.leak_trend import LeakVerdict
from tickfloor.supervisor.health.memory import private_memory
from tickfloor.supervisor.health.pulse import PulseWatch
from tickfloor.supervisor.health.rotation import RotationAction, RotationPolicy, RotationStatistics, Sample
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.supervisor import SlotBusyError, Supervisor
from tickfloor.worker.log import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthSettings:
    """Seconds between pings (0 for none), until an unanswered one condemns, and between looks at memory."""

    ping_seconds: float
    stale_seconds: float
    memory_seconds: float


class HealthMonitor:
    """Condemns a worker that does not answer or does not get on, and replaces one that uses too much memory.

    Args:
        replace: puts a successor in a slot's place, for a reason.
        on_pong: hears what a trader worker runs.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        settings: HealthSettings,
        rotation: RotationPolicy,
        *,
        replace: Callable[[str, str], Awaitable[None]],
        on_pong: Callable[[WorkerProcess, TradersHeld | None], None],
        log: Log,
    ) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._rotation = rotation
        self._replace = replace
        self._on_pong = on_pong
        self._log = log
        self._look_seconds = min(1.0, settings.ping_seconds / 4 or 1.0)
        self._watches: dict[WorkerProcess, PulseWatch] = {}
        self._condemned: set[WorkerProcess] = set()
        self._memory: dict[WorkerProcess, int] = {}
        self._sampled = 0.0

    async def run(self) -> None:
        """Look, for as long as the floor runs."""
        while True:
            await asyncio.sleep(self._look_seconds)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Look at every worker once."""
        alive = [
            slot.process
            for slot in self._supervisor.slots()
            if slot.process is not None and slot.process.state in (WorkerState.READY, WorkerState.DRAINING)
        ]
        for gone in self._watches.keys() - set(alive):
            del self._watches[gone]
            self._memory.pop(gone, None)
            self._condemned.discard(gone)
        if self._settings.ping_seconds:
            for process in alive:
                self._look_at(process, now)
        if now - self._sampled >= self._settings.memory_seconds:
            self._sampled = now
            self._sample(alive, now)
            self._rotate(now)

    def _look_at(self, process: WorkerProcess, now: float) -> None:
        watch = self._watches.get(process)
        if watch is None:
            watch = self._watches[process] = PulseWatch(
                now,
                ping_seconds=self._settings.ping_seconds,
                stale_seconds=self._settings.stale_seconds,
                look_seconds=self._look_seconds,
            )
        if watch.ping_due(now):
            watch.pinged(now)
            self._supervisor.tasks.in_background(self._ping(process, watch))
        # What is under way is looked after by whoever it is that hands over or cleans up.
        if watch.health(now) is Health.STUCK and process not in self._condemned:
            self._condemned.add(process)
            self._supervisor.tasks.in_background(self._supervisor.condemn(process, watch.complaint(now)))

    async def _ping(self, process: WorkerProcess, watch: PulseWatch) -> None:
        try:
            pong = await process.command(Ping())
        except WorkerError as error:
            # Its death, or its being full of commands, is seen to elsewhere.
            self._log.debug("no pong", worker=process.slot, reason=str(error))
            return
        assert isinstance(pong, Pong)
        watch.pong(time.monotonic(), pong.progress.done, pong.progress.waiting)
        self._on_pong(process, pong.traders)

    # Memory

    def _sample(self, alive: list[WorkerProcess], now: float) -> None:
        for slot in self._rotation.statistics().needs.keys() - {each.spec.name for each in self._supervisor.slots()}:
            self._rotation.forget(slot)
        for process in alive:
            private = self._memory[process] = private_memory(process.pid)
            sample = Sample(now=now, incarnation=process.incarnation, private=private, age=now - process.started_at)
            self._rotation.observe(process.slot, sample)

    def _rotate(self, now: float) -> None:
        decision = self._rotation.next(now, available_memory())
        if decision is None or not self._is_running(decision.slot, decision.incarnation):
            return
        self._supervisor.lifecycle.threshold(decision.slot, f"{decision.action}: {decision.detail}")
        if decision.action is RotationAction.REPLACE:
            reason = f"{decision.reason}: {decision.detail}"
            self._supervisor.tasks.in_background(self._rotate_slot(decision.slot, reason))

    def _is_running(self, name: str, incarnation: int) -> bool:
        return any(
            slot.spec.name == name
            and slot.wanted
            and slot.state is SlotState.RUNNING
            and slot.process is not None
            and slot.process.incarnation == incarnation
            for slot in self._supervisor.slots()
        )

    async def _rotate_slot(self, name: str, reason: str) -> None:
        try:
            await self.replace(name, reason)
        except WorkerError as error:
            # The old worker goes on, and the lifecycle's log has said why.
            self._log.debug("rotation failed", worker=name, reason=str(error))

    async def replace(self, name: str, reason: str) -> None:
        """Put a successor in a slot's place, for whatever reason, and let the policy know.

        Raises:
            WorkerError: it could not be, or another replacement is under way.
        """
        try:
            self._rotation.began(name, time.monotonic())
        except ValueError as error:
            raise SlotBusyError(str(error)) from error
        ok = False
        try:
            await self._replace(name, reason)
            ok = True
        finally:
            self._rotation.ended(name, ok=ok)

    # What it looks like

    def health(self, process: WorkerProcess) -> Health:
        """Return how a worker is, as far as is known."""
        watch = self._watches.get(process)
        return Health.HEALTHY if watch is None else watch.health(time.monotonic())

    def last_pong(self, process: WorkerProcess) -> float | None:
        """Return the seconds since a worker last answered a ping; None before the first."""
        watch = self._watches.get(process)
        pong = None if watch is None else watch.statistics().last_pong
        return None if pong is None else time.monotonic() - pong

    def well_seconds(self, process: WorkerProcess) -> float:
        """Return how long a worker has been ready and has got on with its work."""
        watch = self._watches.get(process)
        return 0.0 if watch is None else watch.well_seconds(time.monotonic())

    def private(self, process: WorkerProcess) -> int:
        """Return a worker's own memory at the last look, bytes."""
        return self._memory.get(process, 0)

    def trend(self, slot: str) -> LeakVerdict | None:
        """Return what the memory of a slot's worker has been doing."""
        return self._rotation.trend(slot)

    def rotations(self) -> RotationStatistics:
        """Return the planned replacements so far."""
        return self._rotation.statistics()
