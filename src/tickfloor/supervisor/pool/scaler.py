"""How many trader workers there are: looked at now and then, changed without a gap."""

import asyncio
import time
from collections.abc import Sequence

from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.states import WorkerState
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.pool import handover
from tickfloor.supervisor.pool.placement import spread
from tickfloor.supervisor.pool.scaling import ScalingPolicy, ScalingStatistics
from tickfloor.supervisor.pool.trader_pool import TraderPool, name_of
from tickfloor.supervisor.process import WorkerProcess
from tickfloor.supervisor.supervisor import SlotBusyError
from tickfloor.worker.log import Log

MOST_WORKERS = 16


class ScalingError(WorkerError):
    """The pool cannot have so many workers."""


class Scaler:
    """Follows a policy, or an order from outside."""

    def __init__(self, pool: TraderPool, policy: ScalingPolicy, log: Log, look_seconds: float = 1.0) -> None:
        self._pool = pool
        self._policy = policy
        self._log = log
        self._look_seconds = look_seconds
        self._busy: dict[WorkerProcess, tuple[float, float]] = {}

    async def run(self) -> None:
        """Look, for as long as the floor runs."""
        while True:
            await asyncio.sleep(self._look_seconds)
            processes = [member.slot.process for member in self._pool.members.values()]
            working = [each for each in processes if each is not None and each.state is WorkerState.READY]
            # While one is being replaced its load says nothing.
            if len(working) == len(processes) and not self._pool.changing.locked():
                await self._look(working)

    async def _look(self, working: list[WorkerProcess]) -> None:
        now = time.monotonic()
        shares = [self._share(process, now) for process in working]
        self._busy = {process: (now, _busy_seconds(process)) for process in working}
        traders = sum(len(member.wanted) for member in self._pool.members.values())
        decision = self._policy.look(now, traders, shares)
        if decision is None:
            return
        self._log.info("scaling", workers=decision.wanted, reason=str(decision.reason), detail=decision.detail)
        try:
            await self.scale(decision.wanted, f"scaling for {decision.reason}")
        except WorkerError as error:
            self._log.warning("not scaled", workers=decision.wanted, reason=str(error))

    def _share(self, process: WorkerProcess, now: float) -> float:
        """Return the share of the time since the last look that a worker was busy; 0 at the first."""
        at, before = self._busy.get(process, (now, 0.0))
        return 0.0 if now <= at else min(1.0, max(0.0, _busy_seconds(process) - before) / (now - at))

    async def scale(self, workers: int, reason: str) -> int:
        """Spread the traders over so many workers; return how many have another one than before.

        Raises:
            WorkerError: it is not possible; the traders stay where they are.
        """
        if not 1 <= workers <= MOST_WORKERS:
            raise ScalingError(f"a floor has 1 to {MOST_WORKERS} trader workers, not {workers}")
        if workers == len(self._pool.members):
            return 0
        async with self._pool.changing:
            return await self._spread([name_of(number) for number in range(1, workers + 1)], reason)

    async def leave(self, name: str, reason: str) -> int:
        """Spread the traders over all workers but this one, whose place is gone then; return how many have moved.

        Raises:
            SlotBusyError: there is no such worker any more, or no other.
            WorkerError: it is not possible; the traders stay where they are.
        """
        async with self._pool.changing:
            others = [each for each in self._pool.members if each != name]
            if not others or len(others) == len(self._pool.members):
                raise SlotBusyError(f"{name} cannot go by now: the trader workers are {', '.join(self._pool.members)}")
            return await self._spread(others, reason)

    async def _spread(self, names: Sequence[str], reason: str) -> int:
        pool = self._pool
        present = {name: [spec.name for spec in member.wanted.specs()] for name, member in pool.members.items()}
        placed = spread(present, pool.columns, names)
        specs = {spec.name: spec for member in pool.members.values() for spec in member.wanted.specs()}
        wanted: dict[str, list[TraderSpec]] = {name: [] for name in names}
        for trader, name in placed.items():
            wanted[name].append(specs[trader])
        await handover.spread(pool, wanted, reason)
        return sum(trader not in present.get(name, ()) for trader, name in placed.items())

    def statistics(self) -> ScalingStatistics:
        """Return the policy's changes so far."""
        return self._policy.statistics()


def _busy_seconds(process: WorkerProcess) -> float:
    """Return how long a worker has worked, with the step that is under way."""
    began = process.vitals.step_began_ns
    under_way = max(0, time.monotonic_ns() - began) if began else 0
    return (process.vitals.busy_ns + under_way) / 1e9
