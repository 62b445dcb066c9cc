"""The book of a capture as far as it was played, with prices and quantities as they were written."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from tickfloor.feeds.publishing.decimals import plain

SHOWN_LEVELS: Final = 10

Written = tuple[str, str]
"""Price and quantity; quantity 0 removes the level."""


class PlayedSide:
    """One side, best first for whoever asks."""

    def __init__(self, *, descending: bool) -> None:
        self._descending = descending
        self._levels: dict[Decimal, Written] = {}

    def update(self, levels: Iterable[Written], depth: int) -> None:
        """Set or remove levels, and forget those beyond a depth; 0: none."""
        for price, qty in levels:
            if Decimal(qty):
                self._levels[Decimal(price)] = price, qty
            else:
                self._levels.pop(Decimal(price), None)
        if depth and len(self._levels) > depth:
            for number in self._sorted()[depth:]:
                del self._levels[number]

    def levels(self) -> list[Written]:
        """Return all levels, best first."""
        return [self._levels[number] for number in self._sorted()]

    def shown(self) -> list[list[str]]:
        """Return the best levels as a ledger has them."""
        return [[plain(Decimal(price)), plain(Decimal(qty))] for price, qty in self.levels()[:SHOWN_LEVELS]]

    def _sorted(self) -> list[Decimal]:
        return sorted(self._levels, reverse=self._descending)


class PlayedBook:
    """Both sides.

    Attributes:
        stamp: when it changed last, as it was written; empty: nothing said so.
    """

    def __init__(self, depth: int = 0) -> None:
        """Begin empty.

        Args:
            depth: levels of a side that there are at most; 0: any number.
        """
        self._depth = depth
        self.stamp = ""
        self.bids = PlayedSide(descending=True)
        self.asks = PlayedSide(descending=False)

    def update(self, bids: Iterable[Written], asks: Iterable[Written], stamp: str) -> None:
        """Take in what a message says."""
        self.bids.update(bids, self._depth)
        self.asks.update(asks, self._depth)
        self.stamp = stamp or self.stamp

    def figures(self) -> dict[str, Any]:
        """Return the best levels."""
        return {"bids": self.bids.shown(), "asks": self.asks.shown()}
