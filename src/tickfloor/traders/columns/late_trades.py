"""What a trade of a closed minute does to the bars of longer intervals."""

from collections.abc import Collection

from tickfloor.contracts.intervals import Interval
from tickfloor.market.bars import LONGER, FormingBars, start_of
from tickfloor.traders.state.checkpoint import LateTrade


def note_revised(closed_until_ms: list[int], interval: Interval, late: LateTrade) -> None:
    """Note that the bar that has taken a late trade in is closed; ``closed_until_ms`` is by interval, ms UTC."""
    end_ms = start_of(interval, late.ts_ms) + interval.ms
    closed_until_ms[interval] = max(closed_until_ms[interval], end_ms)


def add_to_forming(forming: FormingBars, late: LateTrade, closed_until_ms: list[int], revised: Collection[int]) -> None:
    """Add a late trade to the longer bars that are still forming: not closed, and not among those ``revised``."""
    for interval in LONGER:
        begun = start_of(interval, late.ts_ms) >= closed_until_ms[interval]
        if begun and interval not in revised:
            forming.add_late_trade(interval, late.ts_ms, late.price, late.qty, late.bought, late.overtaken)
