"""Who hears of an instrument."""

from collections.abc import Sequence

from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.traders.strategies.instrument_bars import InstrumentBars
from tickfloor.traders.strategies.running import RunningStrategy


class Audience:
    """The strategies that hear of an instrument, in order of name, and its bars.

    Attributes:
        key: ``venue:symbol``.
        by_interval: those who hear of bars, per interval.
    """

    __slots__ = ("bars", "by_interval", "key", "strategies")

    def __init__(self, key: str, bars: InstrumentBars, strategies: Sequence[RunningStrategy]) -> None:
        self.key = key
        self.bars = bars
        self.strategies = tuple(strategies)
        self.by_interval = {
            interval: tuple(each for each in strategies if BY_LABEL[each.spec.interval] is interval)
            for interval in Interval
        }
