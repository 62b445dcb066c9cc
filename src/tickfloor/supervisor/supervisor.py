"""Starts workers, hears of their deaths, starts them again, and ends them in order."""

import asyncio
import os
import socket
import time

from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.messages import FromWorker, Init, WorkerStatus
from tickfloor.contracts.states import SlotState, WorkerState
from tickfloor.supervisor.memory import proportional_share
from tickfloor.supervisor.process import WorkerDiedError, WorkerProcess
from tickfloor.supervisor.restarts import RestartPolicy
from tickfloor.supervisor.router import Router
from tickfloor.supervisor.slots import Slot, SlotSpec
from tickfloor.supervisor.zygote_client import ZygoteClient, adopt_orphans
from tickfloor.worker.log import Log

_READY_SECONDS = 20.0


class Supervisor:
    """The parent of all workers. It holds no market data and opens no database.

    Attributes:
        failure: set when a slot had to be given up; the floor cannot go on.
    """

    def __init__(self, *, run_id: int, router: Router, log: Log, intensity: int, period: float) -> None:
        self._run_id = run_id
        self._router = router
        self._log = log
        self._intensity = intensity
        self._period = period
        self._zygote = ZygoteClient()
        self._slots: dict[str, Slot] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.failure: asyncio.Future[WorkerError] = asyncio.get_running_loop().create_future()
        self.zygote_pid = 0
        adopt_orphans()

    async def start(self, spec: SlotSpec) -> Slot:
        """Fill a new slot and wait until its worker does what it is to do.

        Raises:
            WorkerError: it does not become ready.
        """
        slot = Slot(spec, RestartPolicy(intensity=self._intensity, period=self._period, clock=time.monotonic))
        self._slots[spec.name] = slot
        await self._fill(slot)
        slot.wanted = True
        return slot

    def slot(self, name: str) -> Slot:
        """Return a slot by name."""
        return self._slots[name]

    def processes(self, kind: str) -> list[WorkerProcess]:
        """Return the workers of a kind that are alive."""
        return [
            slot.process
            for slot in self._slots.values()
            if slot.spec.kind == kind and slot.process is not None and not slot.process.dead.is_set()
        ]

    async def stop(self, name: str) -> None:
        """Clean a slot's worker up and leave the slot empty."""
        slot = self._slots[name]
        slot.wanted = False
        slot.state = SlotState.STOPPED
        process = slot.process
        if process is None or process.dead.is_set():
            return
        try:
            await process.terminate(slot.spec.cleanup_seconds)
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

    async def close(self) -> None:
        """End whatever is left: restarts under way, workers, the zygote."""
        for slot in self._slots.values():
            slot.wanted = False
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for name in list(self._slots):
            await self.stop(name)
        self._zygote.close()

    def statuses(self) -> tuple[WorkerStatus, ...]:
        """Return how every slot's worker is, in order of start; memory is read from the kernel."""
        return tuple(
            WorkerStatus(
                slot=name,
                kind=slot.spec.kind,
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
        ours, its = socket.socketpair()
        try:
            pid = self._zygote.spawn(
                entry=spec.entry,
                slot=spec.name,
                incarnation=slot.incarnations,
                run_id=self._run_id,
                connection=its,
                descriptors=spec.descriptors,
                from_template=spec.from_template,
            )
        finally:
            its.close()
        self.zygote_pid = self._zygote.pid
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
            raise WorkerError(f"{spec.name} did not start: {process.how_it_ended()}")
        if not process.ready.is_set():
            await process.terminate(0.0)
            raise WorkerError(f"{spec.name} was not ready within {_READY_SECONDS:.0f} s")
        self._log.info(
            "worker ready",
            worker=spec.name,
            incarnation=process.incarnation,
            worker_pid=pid,
            ms=round((time.monotonic() - process.started_at) * 1000, 1),
        )
        await spec.on_ready(process)

    def _on_message(self, process: WorkerProcess, message: FromWorker) -> None:
        self._router.route(process, message)

    def _on_death(self, process: WorkerProcess) -> None:
        slot = self._slots[process.slot]
        if not slot.wanted or process is not slot.process:
            return
        self._log.warning("worker died", worker=process.slot, how=process.how_it_ended())
        delay = slot.restarts.after_death(was_ready=process.ready.is_set())
        if delay is None:
            slot.state = SlotState.QUARANTINED
            slot.wanted = False
            self._give_up(WorkerError(f"{process.slot} keeps dying, last by {process.how_it_ended()}"))
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
            # It died while it was told what to do: its death has been heard of, and decides what follows.
            self._log.warning("worker died while starting", worker=slot.spec.name, how=str(error))
        except WorkerError as error:
            self._log.warning("worker did not start", worker=slot.spec.name, how=str(error))
            if slot.process is None or not slot.process.dead.is_set():
                self._give_up(error)

    def _give_up(self, error: WorkerError) -> None:
        self._log.error("floor cannot go on", reason=str(error))
        if not self.failure.done():
            self.failure.set_result(error)


def new_run_id() -> int:
    """Return a number that no other run has."""
    return int.from_bytes(os.urandom(8), "little") >> 1
