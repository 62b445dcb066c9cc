"""The supervisor's hold on the zygote."""

import ctypes
import os
import socket
import subprocess
import sys
from collections.abc import Mapping

import msgspec

from tickfloor.contracts.errors import WorkerError
from tickfloor.supervisor.zygote import SpawnRequest

_PR_SET_CHILD_SUBREAPER = 36
_START_TIMEOUT = 30.0
_SPAWN_TIMEOUT = 10.0


def adopt_orphans() -> None:
    """Make this process the parent of the workers that the zygote forks."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class ZygoteClient:
    """Starts workers; a zygote that has died is started again when one is wanted."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.restarts = 0

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
        run_id: int,
        connection: socket.socket,
        descriptors: Mapping[str, int],
        from_template: bool,
    ) -> int:
        """Return the pid of a new worker, a child of this process.

        Raises:
            WorkerError: the zygote does not start, or does not answer.
        """
        request = msgspec.msgpack.encode(
            SpawnRequest(entry, slot, incarnation, run_id, os.getpid(), tuple(descriptors), from_template)
        )
        fds = [connection.fileno(), *descriptors.values()]
        if self._process is not None and self._process.poll() is not None:
            self.close()
            self.restarts += 1
        control = self._control or self.start()
        try:
            socket.send_fds(control, [request], fds)
            answer = control.recv(64)
        except OSError as error:
            raise WorkerError(f"the zygote does not answer ({error}); {slot} was not started") from error
        if len(answer) != 8:
            raise WorkerError(f"the zygote has died; {slot} was not started")
        return int.from_bytes(answer, "little")

    def start(self) -> socket.socket:
        """Execute a fresh zygote and wait until it has loaded what it preloads."""
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # One thread, whatever a library would like: a process with threads cannot be forked safely.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-I", "-m", "tickfloor.supervisor.zygote", str(its.fileno()), str(os.getpid())],
            pass_fds=(its.fileno(),),
            stdin=subprocess.DEVNULL,
            env=environment,
            process_group=0,
        )
        its.close()
        ours.settimeout(_START_TIMEOUT)
        if ours.recv(64) != b"ready":
            raise WorkerError("the zygote did not start; what it said is on stderr")
        ours.settimeout(_SPAWN_TIMEOUT)
        self._control = ours
        return ours

    def close(self) -> None:
        """Hang up, which ends the zygote, and wait for it."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.wait()
            self._process = None
