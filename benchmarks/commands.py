"""A command to a real worker: from the call until its answer, and how many a second with a full window.

Ours goes through the supervisor's own process object: numbered, kept for repetition, framed with a checksum and a
correlation id, applied by a worker's runtime and acknowledged. The baselines send the same bytes to a forked process
that sends them back: over a blocking socket pair, and over a pipe of multiprocessing. They number, keep and check
nothing. Ray and Celery are not run: their figures were measured on a like machine on 2026-11-21 (an actor's method
that returns nothing, and a task with a Redis-like broker and result backend), and stand here as constants.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from benchmarks.harness import Case, main
from tickfloor.contracts.commands import Configure, Init, Result
from tickfloor.contracts.settings import LoggerSettings
from tickfloor.supervisor.outbox import WINDOW
from tickfloor.supervisor.process import WorkerObserver, WorkerProcess
from tickfloor.supervisor.zygote_client import ZygoteClient, adopt_orphans
from tickfloor.worker import effects, vitals
from tickfloor.worker.vitals import Vitals

RAY_P50_US, RAY_P99_US = 1_451.0, 4_564.0
CELERY_P50_US, CELERY_P99_US = 4_845.0, 10_167.0

BODY = Configure(log_level="error")
BYTES = b"x" * 120
"""About as long as a command is on its way."""


# --- ours


def commanded(work: Callable[[WorkerProcess], Awaitable[float]]) -> float:
    """Return what is measured of a real worker that has just become ready."""

    async def run() -> float:
        adopt_orphans()
        zygote = ZygoteClient()
        ours, its = socket.socketpair()
        page, word = vitals.create("benchmark"), effects.create()
        pid = zygote.spawn(
            entry="tickfloor.logs.worker:make",
            slot="logger-1",
            incarnation=1,
            epoch=1,
            run_id=1,
            connection=its,
            descriptors={"vitals": page, "effects": word},
            from_template=False,
        )
        its.close()
        process = WorkerProcess(
            slot="logger-1",
            incarnation=1,
            epoch=lambda: 1,
            pid=pid,
            connection=ours,
            vitals=Vitals(page),
            observer=WorkerObserver(),
        )
        try:
            process.begin(Init(settings=LoggerSettings(level="error", form="text", path="")))
            await process.ready.wait()
            return await work(process)
        finally:
            await process.terminate(5.0)
            zygote.close()
            for fd in (page, word):
                os.close(fd)

    return asyncio.run(run())


def ours_us(commands: int, quantile: float) -> float:
    """Return a quantile of the time from the call to the answer, one command after the other, microseconds."""

    async def work(process: WorkerProcess) -> float:
        took = []
        for _ in range(commands):
            began = time.perf_counter()
            await process.command(BODY)
            took.append(time.perf_counter() - began)
        return quantile_us(took, quantile)

    return commanded(work)


def ours_per_second(commands: int) -> float:
    """Return the commands a second with as many under way as the window takes."""

    async def work(process: WorkerProcess) -> float:
        room = asyncio.Semaphore(WINDOW)

        def answered(done: "asyncio.Future[Result | None]") -> None:
            done.result()
            room.release()

        # What makes it ready has its place in the window, too.
        await process.command(BODY)
        began = time.perf_counter()
        for _ in range(commands):
            await room.acquire()
            process.command(BODY).add_done_callback(answered)
        for _ in range(WINDOW):
            await room.acquire()
        return commands / (time.perf_counter() - began)

    return commanded(work)


# --- baselines


@contextmanager
def forked(serve: Callable[[], None]) -> Iterator[None]:
    """Run something in a child that is killed at the end."""
    pid = os.fork()
    if pid == 0:
        try:
            serve()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def echoed_by_socket(rounds: int, window: int) -> list[float]:
    """Return the seconds of each round of so many messages over a blocking socket pair."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def serve() -> None:
        while True:
            its.send(its.recv(4096))

    with ours, its, forked(serve):
        return timed(rounds, window, lambda: ours.send(BYTES), lambda: ours.recv(4096))


def echoed_by_pipe(rounds: int, window: int) -> list[float]:
    """As :func:`echoed_by_socket`, over a pipe of multiprocessing."""
    ours, its = multiprocessing.Pipe()

    def serve(end: "Connection[bytes, bytes]") -> None:
        while True:
            end.send_bytes(end.recv_bytes())

    with ours, its, forked(lambda: serve(its)):
        return timed(rounds, window, lambda: ours.send_bytes(BYTES), ours.recv_bytes)


def timed(rounds: int, window: int, send: Callable[[], object], receive: Callable[[], object]) -> list[float]:
    """Return the seconds of each round: so many sent, and so many received."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(window):
            send()
        for _ in range(window):
            receive()
        took.append(time.perf_counter() - began)
    return took


def quantile_us(seconds: list[float], quantile: float) -> float:
    """Return a quantile, microseconds."""
    return sorted(seconds)[int(len(seconds) * quantile)] * 1e6


def latency(quantile: float, commands: int, *, target: float | None, ray: float, celery: float) -> Case:
    """Return the case of one quantile."""
    return Case(
        f"command to ack p{quantile * 100:.0f} us", "us", lambda: ours_us(commands, quantile),
        {
            "socket pair": lambda: quantile_us(echoed_by_socket(commands, 1), quantile),
            "mp.Pipe": lambda: quantile_us(echoed_by_pipe(commands, 1), quantile),
            "Ray": lambda: ray,
            "Celery": lambda: celery,
        },
        better="lower", target=target,
    )  # fmt: skip


def cases(quick: bool) -> list[Case]:
    """Return the cases, shorter ones if asked to be quick."""
    commands = 200 if quick else 20_000
    rounds = max(1, commands // WINDOW)
    return [
        latency(0.5, commands, target=200, ray=RAY_P50_US, celery=CELERY_P50_US),
        latency(0.99, commands, target=None, ray=RAY_P99_US, celery=CELERY_P99_US),
        Case(
            "commands/s, window full", "commands/s", lambda: ours_per_second(commands),
            {
                "socket pair": lambda: rounds * WINDOW / sum(echoed_by_socket(rounds, WINDOW)),
                "mp.Pipe": lambda: rounds * WINDOW / sum(echoed_by_pipe(rounds, WINDOW)),
            },
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main("commands", __doc__, cases)
