"""How a worker waits when its tape has nothing for it: a strategy, chosen per worker."""

import os
import select
import time
from collections.abc import Sequence
from typing import Protocol

from tickfloor.board.tape_reader import TapeReader


class WaitStrategy(Protocol):
    """Waits for a tape or for a descriptor, whichever comes first."""

    def wait(self, reader: TapeReader, timeout: float) -> None:
        """Return when there may be something to read, or after ``timeout`` seconds."""


class Doorbell:
    """Sleeps in the kernel until the writer rings; the least CPU, and its wake is the latency of an idle floor."""

    def __init__(self, eventfd: int, descriptors: Sequence[int]) -> None:
        self._eventfd = eventfd
        self._poll = select.poll()
        for fd in (eventfd, *descriptors):
            self._poll.register(fd, select.POLLIN)

    def wait(self, reader: TapeReader, timeout: float) -> None:
        """Sleep until rung, a descriptor is readable, or the timeout."""
        if reader.announce_sleep():
            ready = self._poll.poll(timeout * 1000)
            reader.announce_wake()
            if any(fd == self._eventfd for fd, _ in ready):
                os.eventfd_read(self._eventfd)


class Timer:
    """Looks again after a fixed time, as displays do: nobody sees more than 60 frames a second."""

    def __init__(self, period: float, descriptors: Sequence[int]) -> None:
        self._period = period
        self._poll = select.poll()
        for fd in descriptors:
            self._poll.register(fd, select.POLLIN)

    def wait(self, reader: TapeReader, timeout: float) -> None:
        """Sleep one period, less if a descriptor is readable or the timeout is shorter."""
        del reader
        self._poll.poll(min(self._period, timeout) * 1000)


class Spin:
    """Looks at the head without sleeping for a while before it asks another strategy; one core for the latency."""

    def __init__(self, seconds: float, then: WaitStrategy) -> None:
        self._seconds = seconds
        self._then = then

    def wait(self, reader: TapeReader, timeout: float) -> None:
        """Spin, then wait as the strategy given."""
        until = time.monotonic() + min(self._seconds, timeout)
        position = reader.position
        while time.monotonic() < until:
            if reader.head() > position:
                return
        self._then.wait(reader, timeout)
