"""The supervisor's hold on the zygote."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tickfloor.contracts.errors import WorkerError
from tickfloor.supervisor.requests import SpawnRequest, encode, send_payload

_PR_SET_CHILD_SUBREAPER = 36
_START_TIMEOUT = 30.0
_SPAWN_TIMEOUT = 2.0
"""Seconds in which a fork must be answered; the supervisor does nothing else meanwhile."""
_END_TIMEOUT = 1.0


class ZygoteError(WorkerError):
    """The zygote did not do what it was asked; a fresh one may."""


def adopt_orphans() -> None:
    """Make this process the parent of the workers that the zygote forks."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans() -> None:
    """Kill and wait for every child that is left: what workers have started escapes their process groups.

    Only for a process that has no other children.
    """
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while left := [int(pid) for pid in children.read_text().split()]:
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        for pid in left:
            # Its own children come to this process when it is gone, and are seen in the next round.
            os.waitpid(pid, 0)


class ZygoteClient:
    """Starts workers; a zygote that has died is started again when one is wanted.

    ``path`` adds folders to where workers' modules are looked for, besides the installed packages.

    Attributes:
        starts: zygotes executed so far; more than one means that one has died.
    """

    def __init__(self, path: Sequence[str] = ()) -> None:
        self._path = tuple(path)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._payloads: dict[str, bytes] = {}
        self.starts = 0

    @property
    def pid(self) -> int:
        """Return the zygote's pid, or 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def spawn(
        self,
        *,
        entry: str,
        slot: str,
        incarnation: int,
        epoch: int,
        run_id: int,
        connection: socket.socket,
        descriptors: Mapping[str, int],
        from_template: bool,
    ) -> int:
        """Return the pid of a new worker, a child of this process.

        Raises:
            ZygoteError: the zygote does not start, does not answer, or was disturbed. Ask again with another
                connection: a worker that holds this one may be there or not.
        """
        request = encode(
            SpawnRequest(entry, slot, incarnation, epoch, run_id, os.getpid(), tuple(descriptors), from_template)
        )
        fds = [connection.fileno(), *descriptors.values()]
        if self._process is not None and self._process.poll() is not None:
            self._kill()
        control = self._control or self.start()
        try:
            socket.send_fds(control, [request], fds)
            answer = control.recv(64)
        except OSError as error:
            # It may answer later, and its answer would be taken for another's.
            self._kill()
            raise ZygoteError(f"the zygote does not answer ({error}); {slot} was not started") from error
        if len(answer) != 8:
            self._kill()
            raise ZygoteError(f"the zygote has died; {slot} was not started")
        pid = int.from_bytes(answer, "little")
        if not pid:
            raise ZygoteError(f"a process was killed while it forked {slot}")
        return pid

    def prepare(self, entry: str, payload: bytes) -> None:
        """Have workers of an entry forked from a process in which ``prepare(payload)`` of its module has run.

        Nothing waits for that, and until it is so, or if it fails, they are forked as before. A zygote that has died
        is told when it is started again.
        """
        self._payloads[entry] = payload
        if self._control is not None:
            # Whether it is there is seen when the next worker is wanted.
            with contextlib.suppress(OSError):
                send_payload(self._control, entry, payload)

    def start(self) -> socket.socket:
        """Execute a fresh zygote and wait until it has loaded what it preloads.

        Raises:
            ZygoteError: it does not start.
        """
        self.starts += 1
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # One thread, whatever a library would like: a process with threads cannot be forked safely.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-I", "-m", "tickfloor.supervisor.zygote", str(its.fileno()), str(os.getpid())]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*command, *self._path],
            pass_fds=(its.fileno(),),
            stdin=subprocess.DEVNULL,
            env=environment,
            process_group=0,
        )
        its.close()
        self._control = ours
        ours.settimeout(_START_TIMEOUT)
        try:
            said = ours.recv(64)
        except OSError as error:
            said = str(error).encode()
        if said != b"ready":
            self._kill()
            raise ZygoteError("the zygote did not start; what it said is on stderr")
        ours.settimeout(_SPAWN_TIMEOUT)
        for entry, payload in self._payloads.items():
            # If it dies already, the next one is told.
            with contextlib.suppress(OSError):
                send_payload(ours, entry, payload)
        return ours

    def close(self) -> None:
        """Hang up, which ends the zygote, and wait for it; one that does not hear is killed."""
        self._hang_up()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_TIMEOUT)
        self._kill()

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None

    def _kill(self) -> None:
        self._hang_up()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
