"""What a feed worker holds, as its own allocators count it, and whether that grows.

From outside a process shows more than it holds. Allocators keep what was freed: half-empty pools of small objects, and
the top of the heap, which the C library gives back the later the larger the buffers are that were ever freed. Pages
shared with the template become the worker's own by and by, because counting references writes to them. All of that
ends at the worst moment's size, in steps that come whenever a moment is worse than those before; a leak of some
megabytes a day is lost in it. What is in use shows none of it.
"""

import ctypes
import gc
import itertools
import statistics
import sys
from collections.abc import Sequence
from typing import NamedTuple

from tickfloor.contracts.settings import WorkerSettings
from tickfloor.feeds import worker as feed_worker
from tickfloor.worker.runtime import Runtime, Worker

ENTRY = f"{__name__}:make"
BLOCKS, HEAP = "blocks", "heap"


class Held(NamedTuple):
    """What is in use at a moment.

    Attributes:
        hours: of the market, since the beginning.
        blocks: of memory that Python objects hold, each up to 512 bytes; what is as old as the template included.
        heap: bytes in use that the C library gave out, for larger objects and for extensions.
    """

    hours: float
    blocks: float
    heap: float


def make(runtime: Runtime, settings: WorkerSettings) -> Worker:
    """Make the worker of a feed slot, which also says what is in use when its figures are asked for."""
    worker = feed_worker.make(runtime, settings)
    figures = worker.details
    worker.details = lambda: {**figures(), **_in_use()}  # type: ignore[method-assign]
    return worker


def growth(values: Sequence[tuple[float, float]]) -> float:
    """Return by how much a straight line through points rises from the first to the last.

    Its slope is the median of all pairs' (Theil and Sen): single moments with much under way do not count.

    Args:
        values: hours, and what was held then.
    """
    slope = statistics.median(
        (late - early) / (to_hours - from_hours)
        for (from_hours, early), (to_hours, late) in itertools.combinations(values, 2)
    )
    return slope * (values[-1][0] - values[0][0])


class _Heap(ctypes.Structure):
    """``struct mallinfo2`` of the C library, bytes and counts."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


def _in_use() -> dict[str, float]:
    # What nobody refers to is not held, however long the collector takes to come.
    gc.collect()
    mallinfo = ctypes.CDLL(None).mallinfo2
    mallinfo.restype = _Heap
    heap = mallinfo()
    return {BLOCKS: sys.getallocatedblocks(), HEAP: heap.uordblks + heap.hblkhd}
