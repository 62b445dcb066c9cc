"""The first steps of a worker process: bound to its supervisor's life, alone in its process group."""

import ctypes
import faulthandler
import importlib
import os
import signal
import socket
from collections.abc import Mapping

from tickfloor.worker.runtime import Runtime, WorkerFactory

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent: int, *, forked_by: int) -> None:
    """Ask the kernel for SIGKILL when ``parent`` ends, and end at once if it has ended already.

    The kernel ties this to the parent of the moment, so a process that was forked twice waits here until the
    process that forked it is gone and it has been given to its real parent.
    """
    while os.getppid() == forked_by:
        os.sched_yield()
    die_with_parent_now(parent)


def die_with_parent_now(parent: int) -> None:
    """As :func:`die_with_parent`, for a process whose parent forked it itself."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def run_worker(
    *,
    entry: str,
    slot: str,
    incarnation: int,
    epoch: int,
    run_id: int,
    supervisor: int,
    forked_by: int,
    connection: socket.socket,
    descriptors: Mapping[str, int],
) -> int:
    """Become the worker that ``entry`` (``module:factory``) makes; return the exit code."""
    os.setpgid(0, 0)
    die_with_parent(supervisor, forked_by=forked_by)
    _libc.prctl(_PR_SET_NAME, slot.encode()[:15], 0, 0, 0)
    # Ctrl-C is for the supervisor, which shuts its workers down in order; SIGTERM is an escalation, and ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    faulthandler.enable()
    runtime = Runtime(
        slot=slot,
        incarnation=incarnation,
        epoch=epoch,
        run_id=run_id,
        connection=connection,
        descriptors=descriptors,
    )

    def load() -> WorkerFactory:
        # By name, and only here, so that the supervisor and the zygote never load domain code.
        module, _, name = entry.partition(":")
        factory: WorkerFactory = getattr(importlib.import_module(module), name)
        return factory

    return runtime.run(load)
