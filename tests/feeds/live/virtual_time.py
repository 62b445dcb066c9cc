"""A loop that never waits, and clocks that go by it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START_NS = 1_700_000_040_000_000_000
"""A whole minute of the venue's clock, ns UTC."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """When there is nothing to do, it is later."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        select = self._selector.select

        def later(timeout=None):
            events = select(0)
            if not events and timeout:
                self.now += timeout
            return events

        self._selector.select = later

    def time(self) -> float:
        return self.now

    def utc_ns(self) -> int:
        return START_NS + round(self.now * 1e9)


def run(main: Callable[[VirtualLoop], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine made from its loop to the end."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main(runner.get_loop()))
