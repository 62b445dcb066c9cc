"""What a worker that has let go of everything still holds."""

import os
import signal
import threading
from pathlib import Path

from tickfloor.contracts.events import CleanupComplete


def leftovers(expected: set[int]) -> CleanupComplete:
    """Return what is left besides the main thread and the expected descriptors."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    timers = [thread.name for thread in others if isinstance(thread, threading.Timer)]
    interval, _ = signal.getitimer(signal.ITIMER_REAL)
    if interval:
        timers.append("ITIMER_REAL")
    return CleanupComplete(
        threads=tuple(thread.name for thread in others if not isinstance(thread, threading.Timer)),
        timers=tuple(timers),
        descriptors=tuple(_open_descriptors(expected)),
        views=tuple(_mapped_segments()),
    )


def _open_descriptors(expected: set[int]) -> list[str]:
    found = []
    for path in Path("/proc/self/fd").iterdir():
        fd = int(path.name)
        try:
            os.fstat(fd)
            target = path.readlink()
        except OSError:
            # The one that the listing itself used.
            continue
        if fd not in expected:
            found.append(f"{fd} -> {target}")
    return sorted(found)


def _mapped_segments() -> list[str]:
    """Return the names of the shared-memory segments that are mapped, each once."""
    with Path("/proc/self/maps").open() as lines:
        return sorted({line.split("memfd:", 1)[1].split()[0] for line in lines if "/memfd:" in line})
