"""The closed bars of one instrument as columns of numbers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tickfloor.contracts.intervals import Interval
from tickfloor.indicators.protocol import Values
from tickfloor.traders.history.errors import HistoryError

Times = NDArray[np.int64]
"""Milliseconds UTC, ascending."""

FIELDS = ("open", "high", "low", "close", "volume", "quote_volume", "buy_volume", "trades")


@dataclass(frozen=True, slots=True)
class BarHistory:
    """Closed bars of one interval, oldest first; where nothing was traded there is none.

    Attributes:
        start_ms: where each begins, a whole multiple of the interval.
        fields: every one of :data:`FIELDS`; NaN where the data does not say.
    """

    interval: Interval
    start_ms: Times
    fields: Mapping[str, Values]

    def __len__(self) -> int:
        return len(self.start_ms)

    @property
    def end_ms(self) -> Times:
        """When each has closed."""
        return self.start_ms + self.interval.ms

    def field(self, name: str) -> Values:
        """Return a bar field by the name that columns have for it."""
        if name in self.fields:
            return self.fields[name]
        if name == "start":
            return self.start_ms.astype(np.float64)
        bought = self.fields["buy_volume"]
        sold = self.fields["volume"] - bought
        return bought - sold if name == "delta" else sold


def folded(bars: BarHistory, interval: Interval) -> BarHistory:
    """Return the longer bars that have closed when the last of these has.

    The numbers are those of :func:`tickfloor.market.bars.fold`: sums add bar after bar, in the order of time.

    Raises:
        HistoryError: the interval is shorter than that of the bars.
    """
    if interval is bars.interval:
        return bars
    if interval < bars.interval:
        raise HistoryError(
            f"the rule reads {interval.label} bars and the data has those of {bars.interval.label}; "
            f"name {bars.interval.label} or a longer interval in the rule, or give data of {interval.label} or trades"
        )
    start_ms = bars.start_ms - bars.start_ms % interval.ms
    over = int(np.searchsorted(start_ms, bars.end_ms[-1] - interval.ms, side="right")) if len(bars) else 0
    start_ms = start_ms[:over]
    first = np.flatnonzero(np.diff(start_ms, prepend=-1))
    return BarHistory(interval, start_ms[first], _Folded(bars.fields, first, over))


class _Folded(Mapping[str, Values]):
    """The fields of longer bars, each computed when it is first read: few rules read them all."""

    def __init__(self, shorter: Mapping[str, Values], first: NDArray[np.intp], over: int) -> None:
        self._shorter = shorter
        self._first = first
        """per longer bar, the first of its shorter ones"""
        self._over = over
        """how many shorter bars there are in longer ones that have closed"""
        self._found: dict[str, Values] = {}

    def __getitem__(self, name: str) -> Values:
        if name not in self._found:
            self._found[name] = self._folded(name, self._shorter[name][: self._over])
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shorter)

    def __len__(self) -> int:
        return len(self._shorter)

    def _folded(self, name: str, values: Values) -> Values:
        first = self._first
        if not len(first):
            return np.zeros(0)
        match name:
            case "open":
                return values[first]
            case "high":
                return np.asarray(np.maximum.reduceat(values, first))
            case "low":
                return np.asarray(np.minimum.reduceat(values, first))
            case "close":
                return values[np.roll(first, -1) - 1]  # of the last one -1: there the values end
            case _:
                return _sums(values, first)


def _sums(values: Values, first: NDArray[np.intp]) -> Values:
    """Return the sums of runs, added one after the other: NumPy's own sums add in another order."""
    count = np.diff(first, append=len(values))
    total = values[first]
    for place in range(1, int(count.max())):
        longer = np.flatnonzero(count > place)
        total[longer] += values[first[longer] + place]
    return total
