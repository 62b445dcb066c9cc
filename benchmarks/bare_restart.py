"""The least that the standard library needs: a process that is killed, noticed, and started again until it answers."""

import contextlib
import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection, wait


class BareRestart:
    """A child that answers over a pipe, and does nothing else; no state, no code of its own to load."""

    def __init__(self, method: str) -> None:
        self._context = multiprocessing.get_context(method)
        if method == "forkserver":
            self._context.set_forkserver_preload(["benchmarks.bare_restart"])
        self._start()

    def _start(self) -> None:
        ours, its = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(its,), daemon=True)  # type: ignore[attr-defined]
        self._process.start()
        its.close()
        ours.recv()
        self._pipe = ours

    def kill(self) -> tuple[float, float]:
        """Kill it; return the milliseconds until that was noticed, and until its successor has answered."""
        began = time.perf_counter()
        os.kill(self._process.pid, signal.SIGKILL)
        wait([self._process.sentinel])
        noticed = time.perf_counter()
        self._process.join()
        self._pipe.close()
        self._start()
        return (noticed - began) * 1000, (time.perf_counter() - began) * 1000


def _serve(pipe: Connection) -> None:
    pipe.send(os.getpid())
    # Its parent says nothing more, and hangs up at the end.
    with contextlib.suppress(EOFError):
        pipe.recv()
