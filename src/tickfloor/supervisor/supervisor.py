"""Starts workers, hears of their deaths, starts them again, and ends them in order."""

import asyncio
import os
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

from tickfloor.contracts.commands import CommandBody, Result
from tickfloor.contracts.errors import TickfloorError, WorkerError
from tickfloor.contracts.messages import FromWorker
from tickfloor.contracts.settings import WorkerSettings
from tickfloor.contracts.states import SlotState, WorkerState
from tickfloor.supervisor.background import BackgroundTasks
from tickfloor.supervisor.launcher import Launcher
from tickfloor.supervisor.lifecycle import Lifecycle
from tickfloor.supervisor.process import WorkerDiedError, WorkerObserver, WorkerProcess
from tickfloor.supervisor.restarts import RecoveryPolicy, RestartPolicy
from tickfloor.supervisor.services.message_flow import MessageFlow
from tickfloor.supervisor.services.router import Router
from tickfloor.supervisor.slots import Kind, Slot, SlotSpec
from tickfloor.supervisor.zygote_client import ZygoteClient, adopt_orphans
from tickfloor.worker.channel import Unintelligible
from tickfloor.worker.correlation import current
from tickfloor.worker.log import Log

T = TypeVar("T")

_READY_SECONDS = 20.0
_LOOK_SECONDS = 0.002
_LAST_WORDS = 0.5


class SlotBusyError(WorkerError):
    """A slot is being replaced, or is not running, so that it cannot be replaced now."""


class Supervisor(WorkerObserver):
    """The parent of all workers. It holds no market data and opens no database.

    Args:
        effects: descriptor of the emergency stop's word, for workers to read.
        restarts: makes a slot's restart policy; recoveries: when everything may be started anew.
        on_death: hears of each death of a worker that was wanted, before its successor is started.
        well_seconds: gives how long a worker had been ready and progressing.

    Attributes:
        epoch: of this floor in its database; 0 before it is known.
        tasks: what is done beside what somebody waits for.
        failure: set when a slot had to be given up; the floor cannot go on.
    """

    def __init__(
        self,
        *,
        run_id: int,
        router: Router,
        flow: MessageFlow,
        lifecycle: Lifecycle,
        log: Log,
        effects: int,
        restarts: Callable[[], RestartPolicy],
        recoveries: RecoveryPolicy,
        on_death: Callable[[WorkerProcess], None],
        well_seconds: Callable[[WorkerProcess], float],
        zygote: ZygoteClient | None = None,
    ) -> None:
        self._router = router
        self._flow = flow
        self.lifecycle = lifecycle
        self._log = log
        self._restarts = restarts
        self._recoveries = recoveries
        self._on_death = on_death
        self._well_seconds = well_seconds
        self._launcher = Launcher(zygote or ZygoteClient(), run_id=run_id, effects=effects, log=log)
        self._slots: dict[str, Slot] = {}
        self._incarnations: Counter[str] = Counter()
        self._alive: set[WorkerProcess] = set()
        self.tasks = BackgroundTasks()
        self._recovering = False
        self.epoch = 0
        self.failure: asyncio.Future[WorkerError] = asyncio.get_running_loop().create_future()
        adopt_orphans()
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)

    # Slots

    async def start(self, spec: SlotSpec) -> Slot:
        """Fill a new slot and wait until its worker does what it is to do.

        Raises:
            WorkerError: it does not become ready, or keeps being killed before it is.
        """
        slot = self.add(spec)
        await self.fill(slot)
        return slot

    async def fill(self, slot: Slot) -> None:
        """Fill a slot; one that is killed before it can say why is started again."""
        while True:
            try:
                await self._fill(slot)
            except WorkerError:
                # One that says why it cannot start would say it again; one that was killed says nothing.
                process = slot.process
                if process is None or not process.was_killed:
                    raise
                delay = slot.restarts.after_death(
                    was_ready=process.ready.is_set(), worked_seconds=0.0, error=process.how_it_ended()
                )
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            else:
                slot.wanted = True
                if slot.process is not None and slot.process.dead.is_set():
                    # Its death was told before anybody wanted to know.
                    self._succeed(slot, slot.process)
                return

    def add(self, spec: SlotSpec) -> Slot:
        """Make a slot that somebody else will fill."""
        slot = self._slots[spec.name] = Slot(spec, self._restarts(), incarnations=self._incarnations[spec.name])
        return slot

    def remove(self, name: str) -> None:
        """Forget a slot whose worker is gone, but not how many it has had: one of its name may come again."""
        self._incarnations[name] = self._slots.pop(name).incarnations

    def prepare(self, kind: Kind, payload: bytes) -> None:
        """Have the workers of a kind share what its module makes of ``payload``; nothing waits for that or needs it.

        Only of a kind that is forked from a template; each payload takes the place of the one before.
        """
        self._launcher.prepare(kind, payload)

    @property
    def zygote_pid(self) -> int:
        """Return the zygote's pid, or 0 while there is none."""
        return self._launcher.zygote_pid

    def slot(self, name: str) -> Slot:
        """Return a slot by name.

        Raises:
            KeyError: there is none of that name.
        """
        return self._slots[name]

    def slots(self) -> tuple[Slot, ...]:
        """Return all slots, in order of start."""
        return tuple(self._slots.values())

    def processes(self, kind: str) -> list[WorkerProcess]:
        """Return the workers of a kind that fill a slot and are alive."""
        return [
            slot.process
            for slot in self._slots.values()
            if slot.spec.kind.name == kind and slot.process is not None and not slot.process.dead.is_set()
        ]

    def names(self, kind: str) -> list[str]:
        """Return the slots of a kind, in order of start, whether or not a worker fills them now."""
        return [name for name, slot in self._slots.items() if slot.spec.kind.name == kind]

    # One worker

    async def spawn(self, slot: Slot, settings: WorkerSettings, descriptors: Mapping[str, int]) -> WorkerProcess:
        """Start another incarnation and wait until it is ready; it does not fill the slot yet.

        Raises:
            WorkerDiedError: it is not ready in time.
        """
        process = self._launch(slot, settings, descriptors)
        try:
            await self._until_ready(slot, process)
        except BaseException:
            process.kill(signal.SIGKILL)
            raise
        return process

    async def _until_ready(self, slot: Slot, process: WorkerProcess) -> None:
        waits = [asyncio.ensure_future(process.ready.wait()), asyncio.ensure_future(process.dead.wait())]
        try:
            await asyncio.wait(waits, timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if process.dead.is_set():
            raise WorkerDiedError(f"{slot.spec.name} did not start: {process.how_it_ended()}")
        if not process.ready.is_set():
            await process.terminate(0.0)
            raise WorkerDiedError(f"{slot.spec.name} was not ready within {_READY_SECONDS:.0f} s")
        self.lifecycle.ready(process)

    async def retire(self, slot: Slot, process: WorkerProcess) -> None:
        """End a worker that does not fill its slot any more."""
        if process.dead.is_set():
            return
        try:
            await process.terminate(slot.spec.kind.cleanup_seconds)
        finally:
            if process.dead.is_set():
                self.lifecycle.ended(process)

    async def ask(self, name: str, body: CommandBody) -> Result | None:
        """Return a slot's answer, from the first incarnation that lives long enough to give it.

        Raises:
            CommandError: the worker refuses.
            WorkerError: the floor cannot go on.
        """
        while True:
            if self.failure.done():
                raise self.failure.result()
            slot = self._slots[name]
            process = slot.process
            if slot.state is SlotState.STOPPED or (slot.state is SlotState.QUARANTINED and not slot.spec.kind.vital):
                raise SlotBusyError(f"{name} is {slot.state}: replace it to fill its place again")
            if process is not None and process.state is WorkerState.READY and not slot.starting:
                with suppress(WorkerDiedError):
                    return await process.command(body)
            await asyncio.sleep(_LOOK_SECONDS)

    async def stop(self, name: str) -> None:
        """Clean a slot's worker up and leave the slot empty."""
        slot = self._slots[name]
        slot.wanted = False
        slot.state = SlotState.STOPPED
        if slot.process is not None:
            await self.retire(slot, slot.process)

    async def replace(self, name: str, reason: str) -> None:
        """Put a successor in a worker's place: started before the old one ends, unless there can be only one.

        Raises:
            SlotBusyError: the slot is not running.
            WorkerError: the successor does not start; the old worker goes on, or is started again.
        """
        slot = self._slots.get(name)
        if slot is None:
            raise WorkerError(f"there is no worker {name}; there are {', '.join(self._slots)}")
        began = time.monotonic()
        with self.handing_over([slot], reason):
            old = slot.process
            assert old is not None
            if slot.spec.kind.overlaps:
                new = await self.spawn(slot, slot.spec.settings(), slot.spec.descriptors())
                slot.process = new
                try:
                    await slot.spec.on_ready(new)
                except TickfloorError:
                    slot.process = old
                    await new.destroy()
                    raise
                await self.retire(slot, old)
            else:
                await self.retire(slot, old)
                await self._fill(slot)
        slot.replacements += 1
        self.lifecycle.replaced(name, reason, time.monotonic() - began, 0)

    async def fill_again(self, slot: Slot) -> None:
        """Fill a slot that was stopped or given up, with clean hands.

        Raises:
            WorkerError: it does not become ready; the slot stays empty.
        """
        state, reason = slot.state, slot.reason
        slot.restarts = self._restarts()
        slot.reason = ""
        try:
            await self.fill(slot)
        except BaseException:
            # As empty as before: it can be tried again, and what probes it goes on.
            slot.state, slot.reason = state, reason
            raise

    async def renew(self, slot: Slot) -> None:
        """Have a slot's worker clean up and exit, and start the next.

        Raises:
            SlotBusyError: the slot is not running.
            WorkerError: the next does not become ready.
        """
        with self.handing_over([slot], "cleanup"):
            if slot.process is not None:
                await self.retire(slot, slot.process)
            await self._fill(slot)

    @contextmanager
    def handing_over(self, slots: list[Slot], reason: str) -> Iterator[None]:
        """See that nobody else starts workers for these slots; afterwards, who is dead has a successor.

        Raises:
            SlotBusyError: one of them is not running.
        """
        for slot in slots:
            if slot.handing_over or slot.state is not SlotState.RUNNING or not slot.wanted:
                state = "being handed over" if slot.handing_over else slot.state if slot.wanted else "at its end"
                raise SlotBusyError(f"{slot.spec.name} is {state}; try again when it is running")
        for slot in slots:
            slot.handing_over = True
            slot.state = SlotState.REPLACING
        try:
            yield
        except WorkerError as error:
            for slot in slots:
                self.lifecycle.replacement_failed(slot.spec.name, reason, str(error))
            raise
        finally:
            for slot in slots:
                slot.handing_over = False
                if slot.wanted:
                    slot.state = SlotState.RUNNING
                    if slot.process is not None and slot.process.dead.is_set():
                        self._succeed(slot, slot.process)

    async def condemn(self, process: WorkerProcess, reason: str) -> None:
        """End a worker that hangs, by force; its successor follows as after any death."""
        process.condemned = reason
        self.lifecycle.condemned(process, reason)
        await process.force(hung=True)

    # Everything

    async def recover(self, reason: str) -> None:
        """Start every worker anew, in the order of the first start, and have each told what it is to do.

        Raises:
            SlotBusyError: that is under way already.
            WorkerError: one of those that the floor needs does not start: it cannot go on.
        """
        if self._recovering:
            raise SlotBusyError("everything is being started anew already; try again when that has ended")
        self._recovering = True
        began = time.monotonic()
        try:
            wanted = [slot for slot in self._slots.values() if slot.wanted or slot.state is SlotState.QUARANTINED]
            for slot in wanted:
                slot.wanted = False
                slot.state = SlotState.REPLACING
            self.tasks.cancel()
            # Whom the floor can do without may still be of use: a logger has lines to write.
            await asyncio.gather(*(self._end_for_recovery(process) for process in list(self._alive)))
            for slot in wanted:
                slot.restarts = self._restarts()
                slot.reason = ""
                await self._fill_if_needed(slot)
        except WorkerError as error:
            self.lifecycle.recovered(reason, time.monotonic() - began, success=False)
            self._give_up(WorkerError(f"emergency recovery failed: {error}; it was to mend: {reason}"))
            raise
        finally:
            self._recovering = False
        self.lifecycle.recovered(reason, time.monotonic() - began, success=True)
        for slot in wanted:
            # It was filled, and was given up again before the others were.
            if slot.spec.kind.vital and slot.state is SlotState.QUARANTINED:
                self._recover_or_give_up(WorkerError(slot.reason))
                break

    async def _fill_if_needed(self, slot: Slot) -> None:
        """Fill a slot; one that the floor can do without stays in quarantine if it cannot be filled."""
        try:
            await self.fill(slot)
        except WorkerError as error:
            if slot.spec.kind.vital:
                raise
            self._quarantine(slot, error)

    async def _end_for_recovery(self, process: WorkerProcess) -> None:
        slot = self._slots.get(process.slot)
        if slot is None or slot.spec.kind.vital or process.state is not WorkerState.READY:
            await process.destroy()
        else:
            await process.terminate(_LAST_WORDS)

    async def close(self, *, forced: bool = False) -> None:
        """End whatever is left: restarts under way, workers in reverse order of their start, the zygote.

        ``forced``: kill the workers without asking them.
        """
        for slot in self._slots.values():
            slot.wanted = False
        await self.tasks.close()
        try:
            for name, slot in reversed(self._slots.items()):
                process = slot.process
                if forced and process is not None and not process.dead.is_set():
                    self._log.warning("worker killed", worker=name)
                    await process.destroy()
                else:
                    await self.stop(name)
            for process in list(self._alive):
                await process.destroy()
        finally:
            self._launcher.close()

    async def _fill(self, slot: Slot) -> None:
        """Start an incarnation and see it through to its work."""
        process = slot.process = self._launch(slot, slot.spec.settings(), slot.spec.descriptors())
        slot.state = SlotState.RUNNING
        slot.starting = True
        try:
            await self._until_ready(slot, process)
            # Whoever asks this worker something is heard after it has been told what to do.
            await slot.spec.on_ready(process)
        except TickfloorError:
            # One that could not be told must not stay beside its slot.
            process.kill(signal.SIGKILL)
            raise
        finally:
            slot.starting = False

    def _launch(self, slot: Slot, settings: WorkerSettings, descriptors: Mapping[str, int]) -> WorkerProcess:
        slot.incarnations += 1
        process = self._launcher.launch(
            slot.spec, slot.incarnations, settings, descriptors, epoch=lambda: self.epoch, observer=self
        )
        self._alive.add(process)
        return process

    # What workers do

    def heard(self, process: WorkerProcess, correlation_id: str, message: FromWorker | Unintelligible) -> None:
        """Route what a worker says."""
        if isinstance(message, Unintelligible):
            self._log.warning("a message was not understood", worker=process.slot, reason=message.reason)
            return
        try:
            self._router.route(process, message, correlation_id=correlation_id)
        except Exception as error:  # noqa: BLE001 - whatever a handler meets, the floor ends and says why
            self._log.error("a message could not be handled", worker=process.slot, traceback=traceback.format_exc())
            self._give_up(WorkerError(f"a {type(message).__name__} of {process.slot} could not be handled: {error!r}"))

    def passed(self, process: WorkerProcess, outward: bool, correlation_id: str, message: object) -> None:
        """Keep what passes, for whoever traces it."""
        self._flow.note(process.slot, process.incarnation, outward, correlation_id, message)

    def died(self, process: WorkerProcess) -> None:
        """See to a successor, if one is wanted and nobody else does."""
        self._alive.discard(process)
        # What follows from a death carries one id, until its successor works.
        current.set(f"death-{process.slot}.{process.incarnation}")
        slot = self._slots.get(process.slot)
        if slot is None or process is not slot.process or not slot.wanted:
            return
        self._on_death(process)
        if not slot.handing_over:
            self._succeed(slot, process)

    def _succeed(self, slot: Slot, process: WorkerProcess) -> None:
        """See to a successor of a process that is dead, unless that would only be a loop."""
        self.lifecycle.died(process)
        error = process.how_it_ended()
        delay = slot.restarts.after_death(
            was_ready=process.ready.is_set(), worked_seconds=self._well_seconds(process), error=error
        )
        if delay is None:
            self._quarantine(slot, WorkerError(f"{process.slot} keeps dying, last by {error}"))
            return
        slot.state = SlotState.REPLACING
        self.tasks.in_background(self._refill(slot, delay))

    async def _refill(self, slot: Slot, delay: float) -> None:
        await asyncio.sleep(delay)
        if not slot.wanted:
            return
        try:
            await self._fill(slot)
        except WorkerDiedError as error:
            # Its death has been heard of, and decides what follows: another may be on its way by now.
            self._log.warning("worker died while starting", worker=slot.spec.name, how=str(error))
        except (TickfloorError, OSError) as error:
            self._quarantine(slot, WorkerError(f"{slot.spec.name} could not be started: {error}"))

    def _quarantine(self, slot: Slot, error: WorkerError) -> None:
        """Leave a slot empty: the floor goes on without it and tries again now and then, or recovers as a whole."""
        slot.state = SlotState.QUARANTINED
        slot.wanted = False
        slot.reason = str(error)
        self.lifecycle.quarantined(slot.spec.name, str(error))
        if not slot.spec.kind.vital:
            self.tasks.in_background(self._probe(slot))
        elif not self._recovering:
            self._recover_or_give_up(error)

    def _recover_or_give_up(self, error: WorkerError) -> None:
        if self._recoveries.allows():
            self.tasks.in_background(self._recover_in_background(str(error)))
        else:
            self._give_up(error)

    async def _probe(self, slot: Slot) -> None:
        await asyncio.sleep(slot.restarts.probe_seconds)
        if slot.state is not SlotState.QUARANTINED:
            return
        slot.wanted = True
        await self._refill(slot, 0.0)

    async def _recover_in_background(self, reason: str) -> None:
        try:
            await self.recover(reason)
        except WorkerError as error:
            # The floor has been given up already, and says so.
            self._log.error("no recovery", reason=str(error))

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A callback or task failed that nobody waits for: what it was to do is not done, and that is no floor."""
        del loop
        error = context.get("exception")
        told = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
        self._log.error("internal error", what=str(context["message"]), traceback=told)
        self._give_up(WorkerError(f"internal error: {context['message']}: {error!r}"))

    def _give_up(self, error: WorkerError) -> None:
        self._log.error("floor cannot go on", reason=str(error))
        if not self.failure.done():
            self.failure.set_result(error)


def new_run_id() -> int:
    """Return a number that no other run has."""
    return int.from_bytes(os.urandom(8), "little") >> 1
