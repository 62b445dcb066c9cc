"""Bars of one instrument from its trades: the same arithmetic, in the same order, wherever bars are built.

Only the minute bar is touched by a trade. A longer bar is kept as the fold of its closed minutes and is
completed by the forming minute when somebody asks for it, so a trade costs the same for one interval or six,
and the feed, the traders and history give the same floats.
"""

from collections.abc import Sequence

from tickfloor.contracts.bars import Bar, BarField
from tickfloor.contracts.intervals import Interval

MINUTE_MS = Interval.M1.ms
LONGER = tuple(interval for interval in Interval if interval is not Interval.M1)

START_MS, OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, BUY_VOLUME, TRADES, FIRST_MS, LAST_MS = BarField


def start_of(interval: Interval, ts_ms: int) -> int:
    """Return the start of the bar that holds a venue time, ms UTC."""
    return ts_ms - ts_ms % interval.ms


def bar_of_trade(start_ms: int, ts_ms: int, price: float, qty: float, bought: bool) -> Bar:
    """Return the bar that holds one trade and nothing else."""
    return [
        float(start_ms), price, price, price, price, qty, price * qty, qty if bought else 0.0, 1.0,
        float(ts_ms), float(ts_ms),
    ]  # fmt: skip


def add_trade(bar: Bar, ts_ms: int, price: float, qty: float, bought: bool, overtaken: bool = False) -> None:
    """Add a trade to a bar in place. The earliest trade sets open and the latest close, however they arrive.

    Of trades of one millisecond the last to come is the latest, unless newer ones have overtaken it.
    """
    if price > bar[HIGH]:
        bar[HIGH] = price
    if price < bar[LOW]:
        bar[LOW] = price
    if ts_ms >= bar[LAST_MS]:
        if not overtaken or ts_ms > bar[LAST_MS]:
            bar[LAST_MS] = ts_ms
            bar[CLOSE] = price
    elif ts_ms < bar[FIRST_MS]:
        bar[FIRST_MS] = ts_ms
        bar[OPEN] = price
    bar[VOLUME] += qty
    bar[QUOTE_VOLUME] += price * qty
    if bought:
        bar[BUY_VOLUME] += qty
    bar[TRADES] += 1.0


def fold(base: Bar | None, bar: Bar, start_ms: int) -> Bar:
    """Return the longer bar that starts at ``start_ms`` and holds ``base`` followed by ``bar``."""
    if base is None:
        return [float(start_ms), *bar[1:]]
    return [
        base[START_MS],
        base[OPEN],
        bar[HIGH] if bar[HIGH] > base[HIGH] else base[HIGH],
        bar[LOW] if bar[LOW] < base[LOW] else base[LOW],
        bar[CLOSE],
        base[VOLUME] + bar[VOLUME],
        base[QUOTE_VOLUME] + bar[QUOTE_VOLUME],
        base[BUY_VOLUME] + bar[BUY_VOLUME],
        base[TRADES] + bar[TRADES],
        base[FIRST_MS],
        bar[LAST_MS],
    ]


def revise(
    bars: Sequence[Bar], interval: Interval, ts_ms: int, price: float, qty: float, bought: bool, overtaken: bool
) -> tuple[int, list[Bar]]:
    """Return where a late trade changes a run of closed bars, and the bars from there on.

    A minute that had no trade gets its bar now, so later bars move up by one. The bars given are not changed.
    """
    start_ms = start_of(interval, ts_ms)
    index = len(bars)
    while index > 0 and bars[index - 1][START_MS] > start_ms:
        index -= 1
    if index > 0 and bars[index - 1][START_MS] == start_ms:
        index -= 1
        revised = list(bars[index])
        add_trade(revised, ts_ms, price, qty, bought, overtaken)
        return index, [revised, *bars[index + 1 :]]
    return index, [bar_of_trade(start_ms, ts_ms, price, qty, bought), *bars[index:]]


class FormingBars:
    """The forming bars of one instrument, all intervals.

    Attributes:
        minute: the forming minute bar, or None before the first trade after a close.
        closed_part: per longer interval, the fold of the closed minutes of its forming bar, or None.
    """

    __slots__ = ("closed_part", "minute")

    def __init__(self) -> None:
        self.minute: Bar | None = None
        self.closed_part: list[Bar | None] = [None] * len(Interval)

    def add_trade(self, ts_ms: int, price: float, qty: float, bought: bool, overtaken: bool = False) -> None:
        """Add a trade of the forming minute; whoever calls has closed what ended before it."""
        minute = self.minute
        if minute is None:
            self.minute = bar_of_trade(ts_ms - ts_ms % MINUTE_MS, ts_ms, price, qty, bought)
        else:
            add_trade(minute, ts_ms, price, qty, bought, overtaken)

    def add_late_trade(
        self, interval: Interval, ts_ms: int, price: float, qty: float, bought: bool, overtaken: bool = False
    ) -> None:
        """Add a trade of a closed minute to a longer bar that is still forming."""
        part = self.closed_part[interval]
        if part is None:
            self.closed_part[interval] = bar_of_trade(start_of(interval, ts_ms), ts_ms, price, qty, bought)
        else:
            add_trade(part, ts_ms, price, qty, bought, overtaken)

    def forming(self, interval: Interval) -> Bar | None:
        """Return the forming bar of an interval as it stands now, or None where no trade has come yet."""
        minute = self.minute
        if interval is Interval.M1 or minute is None:
            return minute if interval is Interval.M1 else self.closed_part[interval]
        return fold(self.closed_part[interval], minute, start_of(interval, int(minute[START_MS])))

    def close(self, interval: Interval) -> Bar:
        """Close the forming bar of an interval and return it; close minutes before longer bars.

        Raises:
            LookupError: nothing is forming.
        """
        if interval is Interval.M1:
            minute = self.minute
            if minute is None:
                raise LookupError("no minute bar is forming")
            self.minute = None
            start_ms = int(minute[START_MS])
            for longer in LONGER:
                self.closed_part[longer] = fold(self.closed_part[longer], minute, start_of(longer, start_ms))
            return minute
        part = self.closed_part[interval]
        if part is None:
            raise LookupError(f"no {interval.label} bar is forming")
        self.closed_part[interval] = None
        return part

    def ends(self) -> list[tuple[int, Interval]]:
        """Return the end, ms UTC, of every bar that is forming, earliest and shortest first."""
        minute = self.minute
        if minute is None:
            found = []
            at = None
        else:
            at = int(minute[START_MS])
            found = [(at + MINUTE_MS, Interval.M1)]
        for longer in LONGER:
            part = self.closed_part[longer]
            start_ms = int(part[START_MS]) if part is not None else at
            if start_ms is not None:
                found.append((start_of(longer, start_ms) + longer.ms, longer))
        return sorted(found)
