"""How often, and when, a venue lets itself be connected to, over all connections from here."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable


class ConnectBudget:
    """At most so many attempts within any so many seconds; who comes when there is none left waits for his turn.

    Attributes:
        barred_until_ns: the venue wants no connection before.
    """

    def __init__(
        self,
        attempts: int,
        seconds: float,
        *,
        clock: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Begin with the whole budget; ``clock`` is ns that never go back."""
        self.barred_until_ns = 0
        self._attempts = attempts
        self._window_ns = round(seconds * 1e9)
        self._clock = clock
        self._sleep = sleep
        self._taken: deque[int] = deque()
        self._turn = asyncio.Lock()

    async def take(self) -> None:
        """Wait until one more attempt is allowed, and count it."""
        async with self._turn:
            while (wait_ns := self._wait_ns()) > 0:
                await self._sleep(wait_ns / 1e9)
            self._taken.append(self._clock())

    def bar(self, seconds: float) -> None:
        """Take in that the venue wants to be left alone for so long; whoever connects is to wait until then."""
        self.barred_until_ns = max(self.barred_until_ns, self._clock() + round(seconds * 1e9))

    def lift(self) -> None:
        """Forget that."""
        self.barred_until_ns = 0

    def _wait_ns(self) -> int:
        now = self._clock()
        while self._taken and now - self._taken[0] >= self._window_ns:
            self._taken.popleft()
        return self._taken[0] + self._window_ns - now if len(self._taken) >= self._attempts else 0
