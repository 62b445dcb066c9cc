"""Waiting for a condition, never for a time."""

import asyncio
import os
import select
from collections.abc import Callable
from time import monotonic

PATIENCE = 30.0
"""Seconds after which a condition that does not come is a failure; no test waits so long when all is well."""
_LOOK_AGAIN_MS = 2


def until(condition: Callable[[], object], what: str, within: float = PATIENCE) -> None:
    """Return when ``condition`` holds; for what the kernel cannot tell us of."""
    deadline = monotonic() + within
    pause = select.poll()
    while not condition():
        assert monotonic() < deadline, f"not within {within} s: {what}"
        pause.poll(_LOOK_AGAIN_MS)


async def until_async(condition: Callable[[], object], what: str, within: float = PATIENCE) -> None:
    """As :func:`until`, while the event loop goes on."""
    deadline = monotonic() + within
    while not condition():
        assert monotonic() < deadline, f"not within {within} s: {what}"
        await asyncio.sleep(_LOOK_AGAIN_MS / 1000)


def until_dead(pid: int, within: float = PATIENCE) -> None:
    """Return when a process has ended, whether or not somebody has waited for it."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        assert poll.poll(within * 1000), f"process {pid} is alive after {within} s"
    finally:
        os.close(pidfd)
