"""The task in which a venue's feed lives: it ends by being closed, by being cancelled, or by what it fails of."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final

CLOSE_SECONDS: Final = 0.8


class FeedTask:
    """Runs a feed's work, and ends it from outside.

    Attributes:
        ended: :meth:`end` was called.
    """

    def __init__(self, venue: str) -> None:
        """Run nothing yet."""
        self.ended = False
        self._venue = venue
        self._work: asyncio.Task[None] | None = None

    async def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Work until :meth:`end` or until cancelled.

        Raises:
            Exception: what it failed of; a group if that are several things.
        """
        self._work = asyncio.create_task(work, name=f"feed-{self._venue}")
        try:
            await self._work
        except asyncio.CancelledError:
            if not self.ended:
                raise
        except BaseExceptionGroup as group:
            raise _first_of(group) from group

    async def end(self) -> None:
        """End the work, and wait a moment for it."""
        self.ended = True
        if self._work is not None and not self._work.done():
            self._work.cancel()
            await asyncio.wait({self._work}, timeout=CLOSE_SECONDS)


def _first_of(error: BaseException) -> BaseException:
    """Return what a group of tasks failed of, if it is one thing."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
