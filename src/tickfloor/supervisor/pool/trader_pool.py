"""The trader workers as one pool: what shall run where, told to whoever runs it."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from tickfloor.contracts.commands import (
    AddTrader,
    Begin,
    CheckTraders,
    CommandBody,
    Drain,
    RemoveTrader,
    RuleProblem,
    RunTraders,
    SyncTraders,
    TradersChecked,
    TradersRun,
    TradersSynced,
    UpdateTrader,
)
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.settings import TraderSettings
from tickfloor.contracts.traders import TraderSet, TradersHeld, TraderSpec, trader_number
from tickfloor.supervisor.floor_memory import FloorMemory
from tickfloor.supervisor.health.blame import BlameLedger, Harm
from tickfloor.supervisor.outbox import BackpressureError, CommandError
from tickfloor.supervisor.pool.placement import place
from tickfloor.supervisor.pool.strategy_file import renewed
from tickfloor.supervisor.process import WorkerDiedError, WorkerProcess
from tickfloor.supervisor.seats import Seat
from tickfloor.supervisor.slots import Kind, Slot, SlotSpec
from tickfloor.supervisor.supervisor import Supervisor
from tickfloor.worker.log import Log


class RulesError(WorkerError):
    """Some traders cannot run."""

    def __init__(self, problems: Sequence[RuleProblem]) -> None:
        names = [problem.trader for problem in problems]
        told = f"trader {names[0]!r} cannot run" if len(names) == 1 else f"{len(names)} of the rules cannot run"
        super().__init__(told)
        self.problems = tuple(problems)


class UnknownTraderError(WorkerError):
    """There is no trader of that name."""


class TraderExistsError(WorkerError):
    """There is a trader of that name already."""


_PREPARE_SECONDS = 1.0
"""How long a change of traders waits for others before the workers' template is prepared for all of them."""


@dataclass(slots=True)
class Member:
    """A worker's place in the pool.

    Attributes:
        seat: at the tape; wanted: what shall run there.
        differed: times in a row that what runs was not that.
        begun: incarnation that has been told to begin; working: that has begun.
    """

    slot: Slot
    seat: Seat
    wanted: TraderSet
    differed: int = 0
    begun: int = 0
    working: int = 0


class TraderPool:
    """Holds what is wanted, and makes it so.

    Attributes:
        members: by name of the slot.
        changing: held while traders change or change places.
        columns: per trader, what its rule needs, for whoever places it.
        locked_up: traders in quarantine, by name.
        unstored: gives the signals that wait to be stored.
    """

    def __init__(
        self,
        *,
        kind: Kind,
        supervisor: Supervisor,
        memory: FloorMemory,
        settings: Callable[[int], TraderSettings],
        ledger: BlameLedger,
        unstored: Callable[[], int],
        log: Log,
    ) -> None:
        self.kind = kind
        self.supervisor = supervisor
        self.memory = memory
        self.settings = settings
        self.members: dict[str, Member] = {}
        self.columns: dict[str, tuple[str, ...]] = {}
        self.changing = asyncio.Lock()
        self.locked_up: dict[str, TraderSpec] = {}
        self.unstored = unstored
        self._ledger = ledger
        self._log = log
        self._placed = False
        self._preparing: asyncio.TimerHandle | None = None
        self._undrained: set[str] = set()

    # Start

    async def open(self, workers: int) -> None:
        """Start workers that have no traders yet."""
        for number in range(1, workers + 1):
            seat = self.memory.seats.take()
            slot = self.supervisor.add(self.spec_of(name_of(number)))
            self.members[name_of(number)] = Member(slot, seat, TraderSet())
            await self.supervisor.fill(slot)

    def spec_of(self, name: str) -> SlotSpec:
        """Return what belongs in a slot of this pool."""
        return SlotSpec(
            name,
            self.kind,
            lambda: self.settings(self.members[name].seat.index),
            lambda: self.members[name].seat.descriptors(),
            self._on_ready,
        )

    async def check(self, specs: Sequence[TraderSpec]) -> None:
        """See that traders can run; they are checked where they will run, not in this process.

        Raises:
            RulesError: some cannot.
        """
        if not specs:
            return
        checked = await self.supervisor.ask(next(iter(self.members)), CheckTraders(specs=tuple(specs)))
        assert isinstance(checked, TradersChecked)
        if checked.problems:
            raise RulesError(checked.problems)
        self.columns.update(checked.columns)

    async def begin(self, specs: Sequence[TraderSpec]) -> None:
        """Spread checked traders over the workers and let them read the tape."""
        names = list(self.members)
        placed = place({spec.name: self.columns[spec.name] for spec in specs}, len(names))
        for spec in specs:
            self.members[names[placed[spec.name]]].wanted.put(spec)
        self._placed = True
        self._prepare_soon()
        for member in self.members.values():
            process = member.slot.process
            if process is not None:
                with contextlib.suppress(WorkerDiedError):
                    await self._begin(member, process)

    def _prepare_soon(self) -> None:
        """Have successors begin with the rules of all traders parsed, whichever of them they are to run."""
        if self._preparing is None:
            self._preparing = asyncio.get_running_loop().call_later(_PREPARE_SECONDS, self._prepare)

    def _prepare(self) -> None:
        self._preparing = None
        rules = [spec for member in self.members.values() for spec in member.wanted.specs() if not spec.strategy]
        self.supervisor.prepare(self.kind, msgspec.msgpack.encode(rules))

    async def _on_ready(self, process: WorkerProcess) -> None:
        """Tell a successor what is wanted; before traders are placed there is nothing to tell."""
        if self._placed:
            await self._begin(self.members[process.slot], process)

    async def _begin(self, member: Member, process: WorkerProcess) -> None:
        # Once for each incarnation: one that is started while the traders are placed is told of from two sides.
        if member.begun == process.incarnation:
            return
        member.begun = process.incarnation
        await self.sync_with(process, member.wanted)
        await process.command(Begin(restore=("checkpoint",)))
        member.working = process.incarnation

    async def sync_with(self, process: WorkerProcess, wanted: TraderSet, seconds: float = math.inf) -> None:
        """Have a worker run exactly what is wanted of it; what cannot run is wanted no more, and said."""
        synced = await process.command(SyncTraders(specs=wanted.specs(), revision=wanted.revision), seconds=seconds)
        assert isinstance(synced, TradersSynced)
        for name, reason in synced.refused.items():
            self._ledger.quarantine(name, time.monotonic(), reason)
            self._lock_up(wanted, name, reason)

    # Changes

    async def add(self, spec: TraderSpec) -> str:
        """Run another trader; return the slot of its worker.

        Raises:
            RulesError, TraderExistsError, WorkerError: it does not run.
        """
        async with self.changing:
            if self.find(spec.name) is not None:
                raise TraderExistsError(f"there is a trader {spec.name} already; update it, or choose another name")
            if spec.name in self.locked_up:
                raise TraderExistsError(f"trader {spec.name} is in quarantine; pardon it, or remove it first")
            await self.check([spec])
            member = self._best_for(spec.name)
            await self._change(member, spec.name, spec, lambda revision: AddTrader(spec=spec, revision=revision))
            self._log.info("trader added", trader=spec.name, worker=member.slot.spec.name)
            return member.slot.spec.name

    async def update(self, spec: TraderSpec) -> str:
        """Change a trader; return the slot of its worker. Its revision grows by itself.

        Raises:
            RulesError, UnknownTraderError, WorkerError: the old one goes on.
        """
        async with self.changing:
            self._member_of(spec.name)
            await self.check([spec])
            return await self._update(spec, "trader updated")

    async def reload(self, name: str) -> str:
        """Run a strategy as its file is now; return the slot of its worker. One in quarantine is pardoned by it.

        Raises:
            UnknownTraderError: there is none of that name.
            NoStrategyError: it is a rule.
            RulesError, WorkerError: the file cannot be read or run; the strategy goes on as it was.
        """
        async with self.changing:
            before = self.locked_up.get(name) or self._member_of(name).wanted.get(name)
            assert before is not None
            spec = renewed(before)
            await self.check([spec])
            # A worker that has died since the file changed has a successor that refuses it: look only now.
            if name not in self.locked_up:
                return await self._update(spec, "strategy reloaded")
        self.locked_up[name] = spec
        return await self.pardon(name)

    async def _update(self, spec: TraderSpec, said: str) -> str:
        """Have a checked description take the place of the one before."""
        member = self._member_of(spec.name)
        before = member.wanted.get(spec.name)
        assert before is not None
        spec = msgspec.structs.replace(spec, revision=before.revision + 1)
        await self._change(member, spec.name, spec, lambda revision: UpdateTrader(spec=spec, revision=revision))
        self._log.info(said, trader=spec.name, worker=member.slot.spec.name, revision=spec.revision)
        return member.slot.spec.name

    async def pardon(self, name: str) -> str:
        """Run a trader again that was quarantined; return the slot of its worker.

        Raises:
            UnknownTraderError: none of that name is in quarantine.
            RulesError, WorkerError: it does not run.
        """
        spec = self.locked_up.pop(name, None)
        if spec is None:
            raise UnknownTraderError(f"no trader {name} is in quarantine")
        reason = next((each.reason for each in self._ledger.quarantined() if each.name == name), "")
        self._ledger.pardon(name)
        try:
            return await self.add(spec)
        except BaseException:
            self._ledger.quarantine(name, time.monotonic(), reason)
            self.locked_up[name] = spec
            raise

    async def remove(self, name: str) -> str:
        """Run a trader no more, and forget it if it is in quarantine; return the slot of the worker that ran it.

        Raises:
            UnknownTraderError: there is none.
        """
        async with self.changing:
            if self.locked_up.pop(name, None) is not None:
                self._ledger.pardon(name)
                return ""
            member = self._member_of(name)
            await self._change(member, name, None, lambda revision: RemoveTrader(name=name, revision=revision))
            self.columns.pop(name, None)
            self._log.info("trader removed", trader=name, worker=member.slot.spec.name)
            return member.slot.spec.name

    async def _change(
        self, member: Member, name: str, spec: TraderSpec | None, command: Callable[[int], CommandBody]
    ) -> None:
        """Want a trader as it is described, or no more, and have its worker told of that revision."""
        wanted = member.wanted
        before = wanted.get(name)
        # Wanted first: should the worker die meanwhile, its successor is told of it.
        _want(wanted, name, spec)
        wanted.revision += 1
        try:
            await self.supervisor.ask(member.slot.spec.name, command(wanted.revision))
        except (BackpressureError, CommandError):
            # It was refused, or never said; whoever dies on the way has a successor that is told what is wanted.
            _want(wanted, name, before)
            wanted.revision -= 1
            raise
        self._prepare_soon()

    async def run(self, names: Sequence[str]) -> TradersRun:
        """Return what the traders match now.

        Raises:
            UnknownTraderError: one of the names is none.
        """
        for name in names:
            self._member_of(name)
        matches: dict[str, tuple[str, ...]] = {}
        evaluations = 0
        for slot, member in list(self.members.items()):
            here = tuple(name for name in names if name in member.wanted)
            if names and not here:
                continue
            result = await self.supervisor.ask(slot, RunTraders(names=here))
            assert isinstance(result, TradersRun)
            matches |= result.matches
            evaluations += result.evaluations
        return TradersRun(matches=matches, evaluations=evaluations)

    def find(self, name: str) -> Member | None:
        """Return the place of a trader, or None."""
        return next((member for member in self.members.values() if name in member.wanted), None)

    def _member_of(self, name: str) -> Member:
        member = self.find(name)
        if member is None and name in self.locked_up:
            raise UnknownTraderError(f"trader {name} is in quarantine and does not run; pardon it first")
        if member is None:
            raise UnknownTraderError(f"there is no trader {name}")
        return member

    def _best_for(self, name: str) -> Member:
        """Return the place where a trader adds the fewest columns, among those that have the fewest traders."""
        needed = set(self.columns[name])
        fewest = min(len(member.wanted) for member in self.members.values())
        open_ones = [member for member in self.members.values() if len(member.wanted) <= fewest + 8]
        return min(open_ones, key=lambda member: (len(needed - self.columns_of(member)), len(member.wanted)))

    def columns_of(self, member: Member) -> set[str]:
        """Return the columns that a worker's traders need."""
        return {column for spec in member.wanted.specs() for column in self.columns.get(spec.name, ())}

    # What happens

    def blame(self, process: WorkerProcess) -> None:
        """Take a worker's death into account: the trader whose own code ran then may be wanted no more."""
        member = self.members.get(process.slot)
        if member is None or not process.blamed:
            return
        name = next((spec.name for spec in member.wanted.specs() if trader_number(spec.name) == process.blamed), None)
        if name is None:
            return
        harm = Harm.HUNG if process.condemned else Harm.DIED
        self._log.warning("trader blamed", trader=name, worker=process.slot, how=process.how_it_ended())
        quarantine = self._ledger.blame(name, time.monotonic(), harm, process.how_it_ended())
        if quarantine is not None:
            self._lock_up(member.wanted, name, quarantine.reason)
            member.wanted.revision += 1

    def _lock_up(self, wanted: TraderSet, name: str, reason: str) -> None:
        spec = wanted.get(name)
        if spec is None:
            # It was removed while its worker was asked.
            self._ledger.pardon(name)
            return
        wanted.drop(name)
        self.locked_up[name] = spec
        self._log.error("trader quarantined", trader=name, reason=reason)

    def on_pong(self, process: WorkerProcess, held: TradersHeld | None) -> None:
        """Compare what runs with what is wanted; if it differs twice, say what is wanted as a whole."""
        member = self.members.get(process.slot)
        if member is None or held is None or member.slot.process is not process or member.begun != process.incarnation:
            return
        if held == member.wanted.held() or self.changing.locked():
            member.differed = 0
            return
        member.differed += 1
        if member.differed >= 2:
            member.differed = 0
            if held.count < len(member.wanted) and any(spec.strategy for spec in member.wanted.specs()):
                self._log.info("fewer traders run than are wanted", worker=process.slot, running=held.count)
            else:
                self._log.warning("traders differ from what is wanted", worker=process.slot, running=held.count)
            self.supervisor.tasks.in_background(self._mend(member, process))

    async def _mend(self, member: Member, process: WorkerProcess) -> None:
        async with self.changing:
            try:
                await self.sync_with(process, member.wanted)
            except WorkerError as error:
                # It has died, or cannot take it now: the next pongs differ again.
                self._log.warning("traders not set right", worker=process.slot, reason=str(error))

    # End

    async def drain(self, through: int) -> None:
        """Return when every trader has read the tape up to ``through`` and every signal of it is stored.

        That ends the traders' work: one that dies afterwards is not started again.
        """
        async with self.changing:
            self._undrained = set(self.members)
            await asyncio.gather(*(self._drained(name, through) for name in self.members))

    def undrained(self) -> list[str]:
        """Return who has not read the tape to its end yet."""
        return sorted(self._undrained)

    async def _drained(self, name: str, through: int) -> None:
        await self.supervisor.ask(name, Drain(through=through))
        # A successor would begin at the last checkpoint and raise again what is stored.
        self.supervisor.slot(name).wanted = False
        self._undrained.discard(name)


def _want(wanted: TraderSet, name: str, spec: TraderSpec | None) -> None:
    if spec is None:
        wanted.drop(name)
    else:
        wanted.put(spec)


def name_of(number: int) -> str:
    """Return the name of a trader worker's slot."""
    return f"trader-{number}"
