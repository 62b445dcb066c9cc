"""The last log lines, kept for whoever asks, and passed on to whoever follows."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

from tickfloor.contracts.events import LogLine

_LARGEST_BATCH = 100


class LogTail:
    """A ring of log lines. Lines about a worker are those that it said and those that name it in ``worker``."""

    def __init__(self, lines: int = 1_000) -> None:
        self._lines: deque[LogLine] = deque(maxlen=lines)
        self._followers: set[LogSubscription] = set()

    @property
    def followers(self) -> int:
        """Subscriptions that are open."""
        return len(self._followers)

    def note(self, line: LogLine) -> None:
        """Keep a line and pass it on; never waits."""
        self._lines.append(line)
        for follower in self._followers:
            follower.take(line)

    def last(self, count: int, worker: str = "") -> tuple[LogLine, ...]:
        """Return up to ``count`` lines of a worker, or of all (empty), the oldest first."""
        found = [line for line in self._lines if is_about(line, worker)]
        return tuple(found[max(0, len(found) - count) :])

    def subscribe(self, last: int = 0, worker: str = "", bound: int = 1_000) -> "LogSubscription":
        """Return a subscription that begins with the last lines and holds up to ``bound`` that nobody has read."""
        subscription = LogSubscription(worker, bound, self._followers.discard)
        for line in self.last(last, worker):
            subscription.take(line)
        self._followers.add(subscription)
        return subscription


class LogSubscription:
    """The lines of one follower: what it does not read in time is dropped, the oldest first, and counted."""

    def __init__(self, worker: str, bound: int, on_close: "Callable[[LogSubscription], None]") -> None:
        self._worker = worker
        self._bound = bound
        self._on_close = on_close
        self._waiting: deque[LogLine] = deque()
        self._dropped = 0
        self._news = asyncio.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, line: LogLine) -> None:
        """Hold a line until it is read, if it is one that is followed."""
        if not is_about(line, self._worker):
            return
        if len(self._waiting) >= self._bound:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(line)
        self._news.set()

    async def read(self) -> tuple[tuple[LogLine, ...], int]:
        """Return the next lines, at least one, and how many were dropped before them."""
        await self._news.wait()
        lines = tuple(self._waiting.popleft() for _ in range(min(_LARGEST_BATCH, len(self._waiting))))
        if not self._waiting:
            self._news.clear()
        dropped, self._dropped = self._dropped, 0
        return lines, dropped

    def close(self) -> None:
        """Take no more lines."""
        self._on_close(self)


def is_about(line: LogLine, worker: str) -> bool:
    """Return whether a line is of a worker, or about it; every line is for an empty name."""
    return worker in ("", line.slot) or line.fields.get("worker") == worker
