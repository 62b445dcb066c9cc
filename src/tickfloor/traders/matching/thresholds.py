"""All constants that rules compare one column with, as one sorted list."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from math import inf
from operator import itemgetter

from tickfloor.traders.columns.slots import Columns
from tickfloor.traders.language.nodes import Column
from tickfloor.traders.matching.reading import reading
from tickfloor.traders.matching.regions import Region


class Thresholds:
    """Which bits one column sets, by where its value lies.

    Between two neighbouring cuts nothing changes, so for each gap between them the bits are known beforehand.

    Attributes:
        slot: of the column.
        column, reading: whose values these are, and what it takes to look at them.
        cuts: the values at which a bit changes, ascending; a value that equals a cut lies above it.
        sets: the bits set below the first cut, between each two, and from the last on.
        unknown: the bits set while the column is unknown.
    """

    __slots__ = ("_regions", "_uses", "column", "cuts", "reading", "sets", "slot", "unknown")

    def __init__(self, column: Column, columns: Columns) -> None:
        self.slot = columns.slot(column)
        self.column = column
        self.reading = reading((column,), columns)
        self.cuts: list[float] = []
        self.sets: list[int] = [0]
        self.unknown = 0
        self._regions: dict[int, list[Region]] = {}
        """by bit, where it is set; several comparisons may set the same"""
        self._uses: Counter[float] = Counter()

    def __bool__(self) -> bool:
        return bool(self._regions)

    def add(self, bit: int, regions: Iterable[Region], *, unknown: bool) -> None:
        """Set a bit where the value lies in one of the regions, and where it is unknown if asked."""
        mask = 1 << bit
        if unknown:
            self.unknown |= mask
        mine = self._regions.setdefault(bit, [])
        sets = self.sets
        for region in regions:
            mine.append(region)
            first, end = (self._cut(value) for value in region)
            for gap in range(first, end):
                sets[gap] |= mask

    def _cut(self, value: float) -> int:
        """Return the first gap from a value on, after making one begin there."""
        cuts = self.cuts
        if value == -inf:
            return 0
        if value == inf:
            return len(cuts) + 1
        self._uses[value] += 1
        place = bisect_left(cuts, value)
        if place == len(cuts) or cuts[place] != value:
            cuts.insert(place, value)
            self.sets.insert(place, self.sets[place])
        return place + 1

    def add_all(self, added: Iterable[tuple[int, list[Region], bool]]) -> None:
        """As :meth:`add` for many bits, in one pass over all cuts."""
        for bit, regions, unknown in added:
            if unknown:
                self.unknown |= 1 << bit
            self._regions.setdefault(bit, []).extend(regions)
            self._uses.update(value for region in regions for value in region if abs(value) != inf)
        changes = [
            (value, bit, step)
            for bit, regions in self._regions.items()
            for region in regions
            for value, step in zip(region, (1, -1), strict=True)
        ]
        changes.sort(key=itemgetter(0))
        now, held = 0, Counter[int]()
        self.cuts, self.sets = [], []
        last = -inf
        for value, bit, step in changes:
            if value != last:
                self.cuts.append(value)
                self.sets.append(now)
                last = value
            before = held[bit]
            held[bit] = before + step
            if not before or before + step == 0:
                now ^= 1 << bit
        if last == inf:
            self.cuts.pop()
        else:
            self.sets.append(now)

    def remove(self, bit: int) -> None:
        """Set a bit nowhere any more."""
        if bit not in self._regions:
            return
        mask = 1 << bit
        self.unknown &= ~mask
        self.sets = [bits & ~mask for bits in self.sets]
        for region in self._regions.pop(bit):
            for value in region:
                self._uncut(value)

    def _uncut(self, value: float) -> None:
        if value in self._uses:
            self._uses[value] -= 1
            if not self._uses[value]:
                del self._uses[value]
                place = bisect_left(self.cuts, value)
                del self.cuts[place]
                del self.sets[place]

    def at(self, value: float) -> int:
        """Return the bits set at a value."""
        return self.sets[bisect_right(self.cuts, value)] if value == value else self.unknown
