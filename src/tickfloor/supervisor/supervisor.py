"""Starts workers, hears of their deaths, starts them again, and ends them in order."""

import asyncio
import os
import socket
import time
import traceback

from tickfloor.contracts.errors import TickfloorError, WorkerError
from tickfloor.contracts.messages import FromWorker, Init, WorkerStatus
from tickfloor.contracts.states import SlotState, WorkerState
from tickfloor.supervisor.memory import proportional_share
from tickfloor.supervisor.process import WorkerDiedError, WorkerProcess
from tickfloor.supervisor.restarts import RestartPolicy
from tickfloor.supervisor.router import Router
from tickfloor.supervisor.slots import Slot, SlotSpec
from tickfloor.supervisor.zygote_client import ZygoteClient, ZygoteError, adopt_orphans
from tickfloor.worker.log import Log

_READY_SECONDS = 20.0
_ZYGOTES = 3
"""Zygotes that may die one after the other before a worker is given up."""


class Supervisor:
    """The parent of all workers. It holds no market data and opens no database.

    Attributes:
        failure: set when a slot had to be given up; the floor cannot go on.
    """

    def __init__(
        self,
        *,
        run_id: int,
        router: Router,
        log: Log,
        intensity: int,
        period: float,
        zygote: ZygoteClient | None = None,
    ) -> None:
        self._run_id = run_id
        self._router = router
        self._log = log
        self._intensity = intensity
        self._period = period
        self._zygote = zygote or ZygoteClient()
        self._slots: dict[str, Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.failure: asyncio.Future[WorkerError] = asyncio.get_running_loop().create_future()
        adopt_orphans()
        asyncio.get_running_loop().set_exception_handler(self._on_loop_error)

    async def start(self, spec: SlotSpec) -> Slot:
        """Fill a new slot and wait until its worker does what it is to do.

        Raises:
            WorkerError: it does not become ready, or keeps being killed before it is.
        """
        slot = Slot(spec, RestartPolicy(intensity=self._intensity, period=self._period, clock=time.monotonic))
        self._slots[spec.name] = slot
        while True:
            try:
                await self._fill(slot)
            except WorkerError:
                # One that says why it cannot start would say it again; one that was killed says nothing.
                process = slot.process
                if process is None or not process.was_killed:
                    raise
                delay = slot.restarts.after_death(was_ready=process.ready.is_set())
                if delay is None:
                    raise
                await asyncio.sleep(delay)
            else:
                slot.wanted = True
                if slot.process is not None and slot.process.dead.is_set():
                    # Its death was told before anybody wanted to know.
                    self._replace(slot, slot.process)
                return slot

    @property
    def zygote_pid(self) -> int:
        """Return the zygote's pid, or 0 while there is none."""
        return self._zygote.pid

    def slot(self, name: str) -> Slot:
        """Return a slot by name."""
        return self._slots[name]

    def processes(self, kind: str) -> list[WorkerProcess]:
        """Return the workers of a kind that are alive."""
        return [
            slot.process
            for slot in self._slots.values()
            if slot.spec.kind.name == kind and slot.process is not None and not slot.process.dead.is_set()
        ]

    def names(self, kind: str) -> list[str]:
        """Return the slots of a kind, in order of start, whether or not a worker fills them now."""
        return [name for name, slot in self._slots.items() if slot.spec.kind.name == kind]

    async def stop(self, name: str) -> None:
        """Clean a slot's worker up and leave the slot empty."""
        slot = self._slots[name]
        slot.wanted = False
        slot.state = SlotState.STOPPED
        process = slot.process
        if process is None or process.dead.is_set():
            return
        try:
            await process.terminate(slot.spec.kind.cleanup_seconds)
        finally:
            if process.state is not WorkerState.TERMINATED:
                self._log.warning("worker forced", worker=name, how=process.how_it_ended())
            elif process.clean is not None and (process.clean.leaked_threads or process.clean.leaked_descriptors):
                self._log.warning(
                    "worker leaked",
                    worker=name,
                    threads=",".join(process.clean.leaked_threads),
                    descriptors=process.clean.leaked_descriptors,
                )

    async def close(self, *, forced: bool = False) -> None:
        """End whatever is left: restarts under way, workers in reverse order of their start, the zygote.

        ``forced``: kill the workers without asking them.
        """
        for slot in self._slots.values():
            slot.wanted = False
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            for name, slot in reversed(self._slots.items()):
                process = slot.process
                if forced and process is not None and not process.dead.is_set():
                    self._log.warning("worker killed", worker=name)
                    await process.destroy()
                else:
                    await self.stop(name)
        finally:
            self._zygote.close()

    def statuses(self) -> tuple[WorkerStatus, ...]:
        """Return how every slot's worker is, in order of start; memory is read from the kernel."""
        return tuple(
            WorkerStatus(
                slot=name,
                kind=slot.spec.kind.name,
                pid=slot.process.pid,
                incarnation=slot.process.incarnation,
                state=str(slot.process.state),
                memory=0 if slot.process.dead.is_set() else proportional_share(slot.process.pid),
                restarts=slot.restarts.restarts,
            )
            for name, slot in self._slots.items()
            if slot.process is not None
        )

    async def _fill(self, slot: Slot) -> None:
        """Start an incarnation and see it through to its work."""
        slot.incarnations += 1
        spec = slot.spec
        pid, ours = self._spawn_somehow(slot)
        process = WorkerProcess(
            slot=spec.name,
            incarnation=slot.incarnations,
            pid=pid,
            connection=ours,
            on_message=self._on_message,
            on_death=self._on_death,
        )
        slot.process = process
        slot.state = SlotState.RUNNING
        process.command(Init(settings=spec.settings))
        waits = [asyncio.ensure_future(process.ready.wait()), asyncio.ensure_future(process.dead.wait())]
        try:
            await asyncio.wait(waits, timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if process.dead.is_set():
            raise WorkerDiedError(f"{spec.name} did not start: {process.how_it_ended()}")
        if not process.ready.is_set():
            await process.terminate(0.0)
            raise WorkerDiedError(f"{spec.name} was not ready within {_READY_SECONDS:.0f} s")
        self._log.info(
            "worker ready",
            worker=spec.name,
            incarnation=process.incarnation,
            worker_pid=pid,
            ms=round((time.monotonic() - process.started_at) * 1000, 1),
        )
        await spec.on_ready(process)

    def _spawn_somehow(self, slot: Slot) -> tuple[int, socket.socket]:
        """As :meth:`_spawn`, though a zygote may die at any moment, as a worker may: a fresh one is asked then."""
        for _ in range(_ZYGOTES - 1):
            try:
                return self._spawn(slot)
            except ZygoteError as error:
                self._log.warning("zygote lost", how=str(error))
        return self._spawn(slot)

    def _spawn(self, slot: Slot) -> tuple[int, socket.socket]:
        """Return a new worker's pid and our end of its channel, which no other process has."""
        spec = slot.spec
        ours, its = socket.socketpair()
        try:
            pid = self._zygote.spawn(
                entry=spec.kind.entry,
                slot=spec.name,
                incarnation=slot.incarnations,
                run_id=self._run_id,
                connection=its,
                descriptors=spec.descriptors,
                from_template=spec.kind.from_template,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        return pid, ours

    def _on_message(self, process: WorkerProcess, message: FromWorker) -> None:
        try:
            self._router.route(process, message)
        except Exception as error:  # noqa: BLE001 - whatever a handler meets, the floor ends and says why
            self._log.error("a message could not be handled", worker=process.slot, traceback=traceback.format_exc())
            self._give_up(WorkerError(f"a {type(message).__name__} of {process.slot} could not be handled: {error!r}"))

    def _on_death(self, process: WorkerProcess) -> None:
        slot = self._slots[process.slot]
        if slot.wanted and process is slot.process:
            self._replace(slot, process)

    def _replace(self, slot: Slot, process: WorkerProcess) -> None:
        """See to a successor of a process that is dead, unless that would only be a loop."""
        self._log.warning("worker died", worker=process.slot, how=process.how_it_ended())
        delay = slot.restarts.after_death(was_ready=process.ready.is_set())
        if delay is None:
            slot.state = SlotState.QUARANTINED
            slot.wanted = False
            self._do_without(slot, WorkerError(f"{process.slot} keeps dying, last by {process.how_it_ended()}"))
            return
        slot.state = SlotState.REPLACING
        task = asyncio.get_running_loop().create_task(self._refill(slot, delay))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
            self._do_without(slot, WorkerError(f"{slot.spec.name} could not be started: {error}"))

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """A callback or task failed that nobody waits for: what it was to do is not done, and that is no floor."""
        del loop
        error = context.get("exception")
        told = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
        self._log.error("internal error", what=str(context["message"]), traceback=told)
        self._give_up(WorkerError(f"internal error: {context['message']}: {error!r}"))

    def _do_without(self, slot: Slot, error: WorkerError) -> None:
        """Go on without a worker that the floor can do without; give up for any other."""
        if slot.spec.kind.vital:
            self._give_up(error)
        else:
            self._log.error("worker given up, the floor goes on", reason=str(error))

    def _give_up(self, error: WorkerError) -> None:
        self._log.error("floor cannot go on", reason=str(error))
        if not self.failure.done():
            self.failure.set_result(error)


def new_run_id() -> int:
    """Return a number that no other run has."""
    return int.from_bytes(os.urandom(8), "little") >> 1
