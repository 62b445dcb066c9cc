"""A level-2 order book of one instrument."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence

Level = tuple[float, float]
"""Price and size."""


class BookSide:
    """One side of a book: size by price, and the prices in order. Sizes are absolute; zero removes a level."""

    __slots__ = ("_descending", "_prices", "_sizes")

    def __init__(self, *, descending: bool) -> None:
        self._descending = descending
        self._prices: list[float] = []
        self._sizes: dict[float, float] = {}

    def __len__(self) -> int:
        return len(self._prices)

    def apply(self, levels: Iterable[Level]) -> None:  # hot path: a book event is mostly this
        """Set or remove levels, in the order given. Removing a level that is not there is normal."""
        prices, sizes = self._prices, self._sizes
        for price, size in levels:
            if size:
                if price not in sizes:
                    insort(prices, price)
                sizes[price] = size
            elif sizes.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]

    def replace(self, levels: Iterable[Level]) -> None:
        """Forget every level and take these."""
        self._sizes = {price: size for price, size in levels if size}
        self._prices = sorted(self._sizes)

    def best(self) -> Level | None:
        """Return the best level, or None of an empty side."""
        if not self._prices:
            return None
        price = self._prices[-1 if self._descending else 0]
        return price, self._sizes[price]

    def top(self, count: int) -> list[Level]:
        """Return at most ``count`` levels, best first."""
        sizes = self._sizes
        if count <= 0:
            return []
        best = reversed(self._prices[-count:]) if self._descending else self._prices[:count]
        return [(price, sizes[price]) for price in best]


class OrderBook:
    """Both sides of a book. It knows nothing of sequences: whoever applies events keeps them whole."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = BookSide(descending=True)
        self.asks = BookSide(descending=False)

    def apply(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Set or remove levels of both sides."""
        self.bids.apply(bids)
        self.asks.apply(asks)

    def replace(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Start over from a snapshot."""
        self.bids.replace(bids)
        self.asks.replace(asks)

    def clear(self) -> None:
        """Forget everything."""
        self.replace((), ())

    def top(self, count: int) -> tuple[list[Level], list[Level]]:
        """Return at most ``count`` bids and asks, best first."""
        return self.bids.top(count), self.asks.top(count)
