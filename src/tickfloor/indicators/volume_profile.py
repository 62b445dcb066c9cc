"""A market profile: how much was traded at which price."""

import math
from itertools import pairwise

BIN_WIDTH = math.log(1.001)
"""Bins are 0.1 % wide: the same number of them for every price, and none that depends on the first one seen."""

_UNITS = 2.0**80
"""Volume is counted in whole units, so that what was added can be taken away without a trace."""

Level = tuple[int, int, int]
"""First bin, the bin after the last one, and the volume of each bin between them."""


def bin_of(price: float) -> int:
    """Return the bin that holds a price above zero."""
    return math.floor(math.log(price) / BIN_WIDTH)


def price_of(edge: float) -> float:
    """Return the price at the lower edge of a bin, or within it for fractions."""
    return math.exp(edge * BIN_WIDTH)


class VolumeProfile:
    """Volume per bin, kept as the steps where it changes from one bin to the next.

    A bar adds the same volume to every bin from its low to its high, so it is two steps however far it reaches.
    """

    __slots__ = ("_steps", "total")

    def __init__(self) -> None:
        self._steps: dict[int, int] = {}
        self.total = 0

    def change(self, low: float, high: float, volume: float, sign: int) -> None:
        """Add a bar's volume, or take it away again with a sign of -1."""
        first, end = bin_of(low), bin_of(high) + 1
        share = sign * int(volume / (end - first) * _UNITS)
        self.total += share * (end - first)
        for edge, step in ((first, share), (end, -share)):
            left = self._steps.pop(edge, 0) + step
            if left:
                self._steps[edge] = left

    def levels(self) -> list[Level]:
        """Return the runs of bins with the same volume, from the lowest price to the highest, without a gap."""
        found = []
        volume = 0
        for first, end in pairwise(sorted(self._steps)):
            volume += self._steps[first]
            found.append((first, end, volume))
        return found
