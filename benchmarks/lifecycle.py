"""Trader workers that are replaced, cleaned up, killed: 250 traders, 100 instruments with two hours of bars each.

All the while a feed writes 2,000 trades a second. A replacement is timed from the order until the successor has taken
over and its predecessor is gone; meanwhile the predecessor works. Cleanup is timed from the order to the end of the
process. A killed worker works again when its successor, started from the same traders and the last checkpoint, has
decided its first records; it has caught up when it has read everything that was published before the kill, and more.

The baselines ``spawn`` and ``forkserver`` are a bare child of multiprocessing that is killed, noticed by its sentinel,
started again and asked over a pipe: without traders, state or a tape. What Ray and Celery take was measured elsewhere
on the same kind of machine: an actor, or a child of the worker pool, that answers again, without state either.
"""

import gc
from functools import cache

from benchmarks.bare_restart import BareRestart
from benchmarks.harness import Case, Measure, main
from benchmarks.trader_floor import TICKS_PER_SECOND, TraderFloor
from tickfloor.supervisor.health.memory import private_memory

TRADERS = 250
MANY_TRADERS = 1_000
EXTRA_WORKERS = 8
FEWER_TICKS = 200

RAY_NOTICED_MS = 13.0
RAY_WORKING_AGAIN_MS = 717.0
CELERY_NOTICED_MS = 93.0
"""Typically; up to 4,700 ms. A child that answers again was not timed apart."""
RAY_ACTOR_READY_MS = 543.0
CELERY_CHILD_READY_MS = 766.0


def replacement_ms(floor: TraderFloor) -> float:
    """Return the milliseconds of a planned replacement."""
    return floor.timed(floor.replace())[0]


def cleanup_ms(floor: TraderFloor) -> float:
    """Return the milliseconds from the order to clean up to the end of the process."""
    _, gone = floor.timed(floor.replace())
    return gone.ended_seconds * 1000


def working_again_ms(floor: TraderFloor, *, caught_up: bool) -> float:
    """Return the milliseconds from a kill until the successor works."""
    return floor.timed(floor.kill(caught_up=caught_up))[0]


def noticed_ms(floor: TraderFloor) -> float:
    """Return the milliseconds from a kill until the supervisor knows of it."""
    _, killed_at = floor.timed(floor.kill(caught_up=False))
    return (floor.noticed - killed_at) * 1000


def supervisor_kb_per_worker(floor: TraderFloor) -> float:
    """Return the kilobytes of its own memory that the supervisor needs for a worker more."""
    gc.collect()
    before = private_memory(floor.pid)
    floor.run(floor.scale(1 + EXTRA_WORKERS))
    gc.collect()
    after = private_memory(floor.pid)
    floor.run(floor.scale(1))
    return (after - before) / EXTRA_WORKERS / 1e3


def cases(quick: bool) -> list[Case]:
    """Return the cases; the floors that they need are started when they are."""
    few, many = (20, 40) if quick else (TRADERS, MANY_TRADERS)

    floors: dict[int, TraderFloor] = {}

    def floor(traders: int) -> TraderFloor:
        if traders not in floors:
            # One at a time: a market that goes on beside another is not what is measured.
            while floors:
                floors.popitem()[1].close()
            # A thousand column-hungry traders are more than one worker can serve at the full pace yet.
            ticks = TICKS_PER_SECOND if traders < MANY_TRADERS else FEWER_TICKS
            floors[traders] = TraderFloor(traders, ticks_per_second=ticks)
        return floors[traders]

    @cache
    def bare(method: str) -> BareRestart:
        return BareRestart(method)

    def restarted(method: str) -> Measure:
        return lambda: bare(method).kill()[1]

    def noticed(method: str) -> Measure:
        return lambda: bare(method).kill()[0]

    again: dict[str, Measure] = {
        "spawn": restarted("spawn"),
        "forkserver": restarted("forkserver"),
        "Ray": lambda: RAY_WORKING_AGAIN_MS,
    }
    created: dict[str, Measure] = {"Ray": lambda: RAY_ACTOR_READY_MS, "Celery": lambda: CELERY_CHILD_READY_MS}
    seen: dict[str, Measure] = {
        "spawn": noticed("spawn"),
        "forkserver": noticed("forkserver"),
        "Ray": lambda: RAY_NOTICED_MS,
        "Celery": lambda: CELERY_NOTICED_MS,
    }
    return [
        Case("replacement ms", "ms", lambda: replacement_ms(floor(few)), created, better="lower", target=50),
        Case("cleanup ms", "ms", lambda: cleanup_ms(floor(few)), better="lower", target=20),
        Case(
            "killed worker working again ms", "ms", lambda: working_again_ms(floor(few), caught_up=False), again,
            better="lower", target=50,
        ),
        Case(
            "killed worker caught up ms", "ms", lambda: working_again_ms(floor(few), caught_up=True), again,
            better="lower",
        ),
        Case("death noticed ms", "ms", lambda: noticed_ms(floor(few)), seen, better="lower", target=3),
        Case("supervisor KB per worker", "KB", lambda: supervisor_kb_per_worker(floor(few)), better="lower"),
        Case("replacement with 1,000 traders ms", "ms", lambda: replacement_ms(floor(many)), better="lower"),
    ]  # fmt: skip


if __name__ == "__main__":
    main("lifecycle", __doc__, cases)
