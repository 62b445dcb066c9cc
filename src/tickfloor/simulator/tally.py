"""What one instrument has traded, exactly: sums in ticks and lots, and a bar for every minute."""

from dataclasses import dataclass
from typing import Final

MINUTE_MS: Final = 60_000


@dataclass(slots=True)
class Minute:
    """The trades of one minute (or, summed, of a longer interval); notionals are ticks times lots.

    The earliest trade by the venue's time opens it and the latest closes it, even where that time went back.
    """

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    first_id: int
    last_id: int = -1
    lots: int = 0
    notional: int = 0
    bought_lots: int = 0
    bought_notional: int = 0
    trades: int = 0
    first_ms: int = -1
    last_ms: int = -1


class Tally:
    """Sums over all trades; ``minutes`` holds every minute that had one."""

    __slots__ = (
        "first_id",
        "first_order",
        "first_ticks",
        "high",
        "last_id",
        "last_lots",
        "last_order",
        "last_ticks",
        "lots",
        "low",
        "minute",
        "minutes",
        "notional",
        "orders",
        "trades",
    )

    def __init__(self) -> None:
        self.trades = 0
        self.orders = 0
        self.lots = 0
        self.notional = 0
        self.first_id = self.first_order = self.first_ticks = -1
        self.last_id = self.last_order = self.last_ticks = -1
        self.last_lots = 1
        self.high = 0
        self.low = 1 << 62
        self.minutes: dict[int, Minute] = {}
        self.minute = Minute(-1, 0, 0, 0, 0, 0)

    def add(
        self, time_ms: int, first_id: int, order_id: int, ticks: int, count: int, lots: int, *, bought: bool
    ) -> None:  # hot path
        """Take in one order's trades, all at one price."""
        notional = ticks * lots
        if self.first_id < 0:
            self.first_id, self.first_order, self.first_ticks = first_id, order_id, ticks
        self.trades += count
        self.orders += 1
        self.lots += lots
        self.notional += notional
        self.last_id, self.last_order, self.last_ticks = first_id + count - 1, order_id, ticks
        self.last_lots = lots // count
        if ticks > self.high:
            self.high = ticks
        if ticks < self.low:
            self.low = ticks
        minute = self.minute
        start_ms = time_ms - time_ms % MINUTE_MS
        if minute.start_ms != start_ms:
            minute = self.minutes.get(start_ms) or Minute(start_ms, ticks, ticks, ticks, ticks, first_id)
            minute.first_ms = minute.first_ms if minute.trades else time_ms
            self.minutes[start_ms] = self.minute = minute
        if ticks > minute.high:
            minute.high = ticks
        elif ticks < minute.low:
            minute.low = ticks
        if time_ms >= minute.last_ms:
            minute.close, minute.last_ms = ticks, time_ms
        if time_ms < minute.first_ms:
            minute.open, minute.first_ms = ticks, time_ms
        minute.last_id = first_id + count - 1
        minute.lots += lots
        minute.notional += notional
        minute.trades += count
        if bought:
            minute.bought_lots += lots
            minute.bought_notional += notional

    def bar(self, start_ms: int, length_ms: int) -> Minute | None:
        """Return the trades of an interval as one bar, or None where there are none."""
        if length_ms == MINUTE_MS:
            return self.minutes.get(start_ms)
        whole: Minute | None = None
        for at in range(start_ms, start_ms + length_ms, MINUTE_MS):
            minute = self.minutes.get(at)
            if minute is None:
                continue
            if whole is None:
                whole = Minute(start_ms, minute.open, minute.high, minute.low, minute.close, minute.first_id)
            whole.high = max(whole.high, minute.high)
            whole.low = min(whole.low, minute.low)
            whole.close = minute.close
            whole.last_id = minute.last_id
            whole.lots += minute.lots
            whole.notional += minute.notional
            whole.bought_lots += minute.bought_lots
            whole.bought_notional += minute.bought_notional
            whole.trades += minute.trades
        return whole
