"""What a strategy may cost its worker, and the measuring of it."""

from collections.abc import Callable
from time import monotonic_ns, thread_time_ns
from typing import NamedTuple

import msgspec

WINDOW = 1_000
"""Calls over which the mean is taken, and in which slow calls are counted."""

SLOW_CALLS = 3
"""Slow calls in a window that are too many: one alone may be a first use, or the collection of everybody's garbage."""

_PATIENCE = 10
"""Longest call by the clock, as a multiple of the longest by processor time: what waits holds its worker up, too."""

_SHORT_NS = 1_000_000
"""A call of at most this by the clock is not asked for its processor time, which costs more than most calls do."""


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy may cost; breaking it stops the strategy for good.

    Attributes:
        max_call_ms: processor time of one call; the third call in 1,000 that takes more is too many. So is the third
            that takes ten times as long by the clock.
        max_mean_us: processor time of a call, as the mean of 1,000 in a row.
        max_memory_mib: memory of what the strategy keeps, as it is looked at and estimated every ten seconds.
    """

    max_call_ms: float = 50.0
    max_mean_us: float = 1_000.0
    max_memory_mib: float = 256.0


class Clocks(NamedTuple):
    """Where the time is read: by the clock, and of this thread's processor; ns."""

    wall: Callable[[], int] = monotonic_ns
    cpu: Callable[[], int] = thread_time_ns


class CallMeter:
    """Measures calls and says when they break a budget.

    A short call counts by the clock. A longer one counts by the processor time that it has used at least: so a
    worker that gets no processor is not its strategy's fault.

    Attributes:
        calls: measured; spent_ns: by all of them; slow: calls above the budget of one.
    """

    __slots__ = (
        "_began", "_cpu", "_cpu_base", "_longest_ns", "_longest_wall_ns", "_mean_ns", "_wall", "_wall_base",
        "_window_calls", "_window_ns", "_window_slow", "calls", "slow", "spent_ns",
    )  # fmt: skip

    def __init__(self, budget: Budget, clocks: Clocks) -> None:
        self._wall, self._cpu = clocks
        self._longest_ns = budget.max_call_ms * 1e6
        self._longest_wall_ns = _PATIENCE * self._longest_ns
        self._mean_ns = budget.max_mean_us * 1e3
        self._began = 0
        self._wall_base, self._cpu_base = -_SHORT_NS, 0
        self._window_calls = self._window_ns = self._window_slow = 0
        self.calls = self.spent_ns = self.slow = 0

    def begin(self) -> None:  # hot path
        """Note that a call begins."""
        began = self._began = self._wall()
        if began - self._wall_base >= _SHORT_NS:
            self._wall_base, self._cpu_base = began, self._cpu()

    def end(self) -> str:  # hot path
        """Note that it has ended; return how it breaks the budget, or nothing."""
        spent = wall = self._wall() - self._began
        if wall > _SHORT_NS:
            # What was used between the base and the call is at most the time between them.
            spent = max(0, self._cpu() - self._cpu_base - (self._began - self._wall_base))
        self.calls += 1
        self.spent_ns += spent
        self._window_calls += 1
        self._window_ns += spent
        broken = ""
        if spent > self._longest_ns or wall > self._longest_wall_ns:
            broken = self._slow(spent, wall)
        if self._window_calls >= WINDOW:
            mean = self._window_ns / self._window_calls
            if not broken and mean > self._mean_ns:
                broken = (
                    f"{WINDOW:,} calls took {mean / 1e3:,.0f} us each on the mean; "
                    f"its budget is {self._mean_ns / 1e3:,.0f} us"
                )
            self._window_calls = self._window_ns = self._window_slow = 0
        return broken

    def _slow(self, spent: int, wall: int) -> str:
        self.slow += 1
        self._window_slow += 1
        if self._window_slow < SLOW_CALLS:
            return ""
        return (
            f"{SLOW_CALLS} of {self._window_calls:,} calls took too long, the last one {spent / 1e6:,.0f} ms of "
            f"processor time in {wall / 1e6:,.0f} ms; its budget is {self._longest_ns / 1e6:g} ms, "
            f"or {_PATIENCE} times that by the clock"
        )


OWN_CLOCKS = Clocks()
"""Those of this machine."""
