"""How the zygote and its templates fork: children that end where they end, and workers that others adopt."""

import contextlib
import os
import socket
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

from tickfloor.supervisor.requests import SpawnRequest
from tickfloor.worker.start import run_worker


class Closable(Protocol):
    """What a child inherits and must not keep."""

    def close(self) -> None:
        """Close the descriptor."""


def leave(work: Callable[[], int]) -> NoReturn:
    """Run a child's whole life: the frames below belong to its parent and are never returned to."""
    code = 1
    try:
        code = work()
    except Exception:  # noqa: BLE001 - the last place that can say why the child ends
        traceback.print_exc()
    finally:
        # A reader that has gone away must not keep a child from ending here.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def fork_twice(not_its: Iterable[Closable], request: SpawnRequest, descriptors: list[int]) -> int:
    """Return the pid of a worker whose parent is, or will be in a moment, the supervisor."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        forked_by = os.getpid()
        pid = os.fork()
        if pid:
            os.write(writing, pid.to_bytes(8, "little"))
            os._exit(0)
        os.close(reading)
        os.close(writing)
        for other in not_its:
            other.close()
        leave(lambda: _become_worker(request, descriptors, forked_by))
    os.close(writing)
    os.waitpid(between, 0)
    with os.fdopen(reading, "rb") as pipe:
        return int.from_bytes(pipe.read(8), "little")


def _become_worker(request: SpawnRequest, descriptors: list[int], forked_by: int) -> int:
    return run_worker(
        entry=request.entry,
        slot=request.slot,
        incarnation=request.incarnation,
        epoch=request.epoch,
        run_id=request.run_id,
        supervisor=request.supervisor,
        forked_by=forked_by,
        connection=socket.socket(fileno=descriptors[0]),
        descriptors=dict(zip(request.names, descriptors[1:], strict=True)),
    )
