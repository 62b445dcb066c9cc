"""A book that knows how far a snapshot has told it.

A snapshot holds the best thousand levels of a side, or as many as were asked for. What rests behind them is unknown
until it changes: when the price has moved there, levels are missing from a book that has every event.
"""

from collections.abc import Sequence

from tickfloor.market.book import BookSide, Level, OrderBook


class ToldSide(BookSide):
    """One side, and the worst price up to which every level of it is known."""

    __slots__ = ("_told_to",)

    def __init__(self, *, descending: bool) -> None:
        super().__init__(descending=descending)
        self._told_to: float | None = None

    @property
    def best_price(self) -> float | None:
        """The price of the best level, or None of an empty side."""
        if not self._prices:
            return None
        return self._prices[-1 if self._descending else 0]

    def begin(self, levels: Sequence[Level], most: int | None) -> None:
        """Start over from a snapshot's side, which is whole if it has fewer levels than it could have had."""
        self.replace(levels)
        self._told_to = None
        if most is not None and len(levels) >= most and self._prices:
            self._told_to = self._prices[0 if self._descending else -1]

    def knows(self, count: int) -> bool:  # hot path: after every book event
        """Say whether so many of the best levels are all that there are."""
        told_to, prices = self._told_to, self._prices
        if told_to is None:
            return True
        if len(prices) < count:
            return False
        return prices[-count] >= told_to if self._descending else prices[count - 1] <= told_to

    def may_be_whole(self, count: int) -> bool:
        """Say whether there is no proof that one of so many of the best levels is missing."""
        return self._told_to is None or len(self._prices) >= count

    def believe(self, count: int) -> None:
        """Take so many of the best levels for all that there are, as if a snapshot had told them."""
        if not self.knows(count):
            best = self._prices[-count:] if self._descending else self._prices[:count]
            self._told_to = best[0 if self._descending else -1]


class ToldBook(OrderBook):
    """Both sides."""

    __slots__ = ()

    bids: ToldSide
    asks: ToldSide

    def __init__(self) -> None:
        self.bids = ToldSide(descending=True)
        self.asks = ToldSide(descending=False)

    @property
    def crossed(self) -> bool:
        """Whether somebody would sell for no more than another bids, so that the levels cannot all be there."""
        bid, ask = self.bids.best_price, self.asks.best_price
        return bid is not None and ask is not None and bid >= ask

    def begin(self, bids: Sequence[Level], asks: Sequence[Level], most: int | None) -> None:
        """Start over from a snapshot.

        Args:
            most: levels that each side of it could have had; None: all that there are.
        """
        self.bids.begin(bids, most)
        self.asks.begin(asks, most)

    def knows(self, count: int) -> bool:
        """Say whether so many of the best levels of each side are all that there are."""
        return self.bids.knows(count) and self.asks.knows(count)

    def may_be_whole(self, count: int) -> bool:
        """Say whether there is no proof that one of so many of the best levels of a side is missing."""
        return self.bids.may_be_whole(count) and self.asks.may_be_whole(count)

    def believe(self, count: int) -> None:
        """Take so many of the best levels of each side for all that there are, as if a snapshot had told them."""
        self.bids.believe(count)
        self.asks.believe(count)
