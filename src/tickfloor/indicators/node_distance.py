"""How far the price is from where much was traded."""

import math
from bisect import bisect_left
from itertools import pairwise
from typing import ClassVar

from tickfloor.indicators.closed_profile import ClosedProfile
from tickfloor.indicators.protocol import LIMIT, NAN
from tickfloor.indicators.volume_profile import Level, price_of


def nodes(levels: list[Level], total: int) -> list[float]:
    """Return the prices of the high-volume nodes, ascending.

    A node is the middle of a run of bins that hold more than the bins on both sides of it, and at least the mean of
    all bins from the lowest price to the highest.
    """
    if not levels:
        return []
    bins = levels[-1][1] - levels[0][0]
    volumes = [0, *(volume for _, _, volume in levels), 0]
    rising = [one < other for one, other in pairwise(volumes)]
    return [
        price_of((first + end) / 2)
        for (first, end, volume), (rises, goes_on) in zip(levels, pairwise(rising), strict=True)
        if rises and not goes_on and volume * bins >= total
    ]


class NodeDistance(ClosedProfile):
    """Close less the price of the nearest high-volume node: above zero above it. The lower of two equally near ones.

    The nodes are those of the :class:`ClosedProfile`; the close is that of the forming bar.
    """

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "volume", "close")
    __slots__ = ("_nodes",)

    def _read(self, levels: list[Level], total: int) -> None:
        self._nodes = nodes(levels, total)

    def value_now(self, high: float, low: float, volume: float, *rest: float) -> float:  # noqa: ARG002  hot path
        """Return the distance as if the bar closed at the last input."""
        prices = self._nodes
        (close,) = rest
        if not prices or not -LIMIT < close < LIMIT:
            return NAN
        at = bisect_left(prices, close)
        above = prices[at] - close if at < len(prices) else math.inf
        below = close - prices[at - 1] if at else math.inf
        return below if below <= above else -above

    def sensitivity(self) -> float:
        """Return 1 with a single node; with several, infinity: half way between two the distance changes its sign."""
        return 1.0 if len(self._nodes) <= 1 else math.inf
