"""From a slot's description to a process that is on its way: descriptors, fork, channel, first command."""

import os
import socket
from collections.abc import Callable, Mapping

from tickfloor.contracts.commands import Init
from tickfloor.contracts.settings import WorkerSettings
from tickfloor.supervisor.process import WorkerObserver, WorkerProcess
from tickfloor.supervisor.slots import Kind, SlotSpec
from tickfloor.supervisor.zygote_client import ZygoteClient, ZygoteError
from tickfloor.worker import vitals
from tickfloor.worker.log import Log
from tickfloor.worker.vitals import Vitals

_ZYGOTES = 3
"""Zygotes that may die one after the other before a worker is given up."""


class Launcher:
    """Has workers forked.

    Args:
        effects: descriptor of the emergency stop's word, for workers to read.
    """

    def __init__(self, zygote: ZygoteClient, *, run_id: int, effects: int, log: Log) -> None:
        self._zygote = zygote
        self._run_id = run_id
        self._effects = effects
        self._log = log

    @property
    def zygote_pid(self) -> int:
        """Return the zygote's pid, or 0 while there is none."""
        return self._zygote.pid

    def prepare(self, kind: Kind, payload: bytes) -> None:
        """Have a kind's template prepare what its workers will need; that it could is never said, nor waited for."""
        if kind.from_template:
            self._zygote.prepare(kind.entry, payload)

    def launch(
        self,
        spec: SlotSpec,
        incarnation: int,
        settings: WorkerSettings,
        descriptors: Mapping[str, int],
        *,
        epoch: Callable[[], int],
        observer: WorkerObserver,
    ) -> WorkerProcess:
        """Return a worker that has been told what it is to become.

        Raises:
            ZygoteError: one zygote after the other could not fork it.
            OutOfMemoryError: the host lacks the memory for its vital signs.
        """
        page = vitals.create(spec.name)
        try:
            handed = {**descriptors, "vitals": page, "effects": self._effects}
            pid, ours = self._fork_somehow(spec, incarnation, epoch(), handed)
            process = WorkerProcess(
                slot=spec.name,
                incarnation=incarnation,
                epoch=epoch,
                pid=pid,
                connection=ours,
                vitals=Vitals(page),
                observer=observer,
            )
        finally:
            os.close(page)
        process.begin(Init(settings=settings))
        return process

    def close(self) -> None:
        """End the zygote."""
        self._zygote.close()

    def _fork_somehow(
        self, spec: SlotSpec, incarnation: int, epoch: int, descriptors: Mapping[str, int]
    ) -> tuple[int, socket.socket]:
        """As :meth:`_fork`, though a zygote may die at any moment, as a worker may: a fresh one is asked then."""
        for _ in range(_ZYGOTES - 1):
            try:
                return self._fork(spec, incarnation, epoch, descriptors)
            except ZygoteError as error:
                self._log.warning("zygote lost", how=str(error))
        return self._fork(spec, incarnation, epoch, descriptors)

    def _fork(
        self, spec: SlotSpec, incarnation: int, epoch: int, descriptors: Mapping[str, int]
    ) -> tuple[int, socket.socket]:
        """Return a new worker's pid and our end of its channel, which no other process has."""
        ours, its = socket.socketpair()
        try:
            pid = self._zygote.spawn(
                entry=spec.kind.entry,
                slot=spec.name,
                incarnation=incarnation,
                epoch=epoch,
                run_id=self._run_id,
                connection=its,
                descriptors=descriptors,
                from_template=spec.kind.from_template,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        return pid, ours
