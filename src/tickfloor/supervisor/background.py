"""What the supervisor does beside what somebody waits for."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from tickfloor.contracts.errors import WorkerError

T = TypeVar("T")


class InterruptedByRecoveryError(WorkerError):
    """An emergency recovery came between; ask again."""


class BackgroundTasks:
    """Work that goes on though nobody waits for it, until it is cancelled."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    async def see_through(self, work: Coroutine[None, None, T]) -> T:
        """Return what work gives, and let it go on to its end if nobody waits for it any more.

        Raises:
            InterruptedByRecoveryError: it was cancelled, and not because everything ends.
        """
        task = self._start(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # The work's own end, and not that of whoever waits for it.
            if task.cancelled() and not self._closing:
                raise InterruptedByRecoveryError("everything was started anew meanwhile; ask again") from None
            raise

    def in_background(self, work: Coroutine[None, None, None]) -> None:
        """Do something that nobody waits for; a failure is the event loop's to tell."""
        self._start(work)

    def cancel(self) -> None:
        """Cancel everything but the task that asks for it."""
        for task in self._tasks - {asyncio.current_task()}:
            task.cancel()

    async def close(self) -> None:
        """Cancel everything and wait until it has ended."""
        self._closing = True
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[None, None, T]) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
