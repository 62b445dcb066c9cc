"""A real trader worker: from the request until it says that it is ready, and its memory once it is.

Ours is forked from its kind's template. The baselines start the very same worker, with the same segments and the
same first command, through multiprocessing's spawn and forkserver (the latter with the worker's module
preloaded). Memory is the proportional set size with four workers alive: a page shared by n processes counts 1/n.
"""

import contextlib
import time
from collections.abc import Iterator

from benchmarks.harness import Case, main
from benchmarks.worker_starts import Multiprocessing, Segments, Started, Templates
from tickfloor.supervisor.health.memory import proportional_share

ALIVE = 4


def ready_ms(way: Templates | Multiprocessing) -> float:
    """Return the milliseconds from the request until the worker is ready."""
    began = time.perf_counter()
    worker = way.start()
    took = (time.perf_counter() - began) * 1000
    worker.end()
    return took


def memory_mb(way: Templates | Multiprocessing) -> float:
    """Return a worker's proportional memory, megabytes, with four of them alive."""
    with _alive(way) as workers:
        return sum(proportional_share(worker.pid) for worker in workers) / len(workers) / 1e6


@contextlib.contextmanager
def _alive(way: Templates | Multiprocessing) -> Iterator[list[Started]]:
    workers = [way.start() for _ in range(ALIVE)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.end()


def cases(quick: bool) -> list[Case]:
    """Return the cases, with every way of starting warmed up once; quick or not, they are short."""
    del quick
    segments = Segments()
    ours = Templates(segments)
    spawn, forkserver = Multiprocessing(segments, "spawn"), Multiprocessing(segments, "forkserver")
    return [
        Case(
            "ready ms", "ms", lambda: ready_ms(ours),
            {"spawn": lambda: ready_ms(spawn), "forkserver": lambda: ready_ms(forkserver)}, better="lower", target=5,
        ),
        Case(
            "PSS MB", "MB", lambda: memory_mb(ours),
            {"spawn": lambda: memory_mb(spawn), "forkserver": lambda: memory_mb(forkserver)}, better="lower", target=10,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    main("workers", __doc__, cases)
