"""A book of limited depth that can tell its checksum.

Kraken numbers no book events. Every message brings the CRC32 of the ten best asks and bids after it, made of the
digits of price and quantity as they are written on the wire, trailing zeros included: a float has lost them. So
each level keeps its digits, made once when it is set.
"""

import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.venues.kraken.frames import BookLevel
from tickfloor.feeds.venues.kraken.written import MAX_NUMBER, text_of
from tickfloor.market.book import BookSide, OrderBook

CHECKED_LEVELS: Final = 10
"""Levels of each side that are in the checksum, whatever the depth."""

WrittenLevel = tuple[float, float, str]
"""Price, quantity, and the digits of both as the checksum wants them; quantity 0 removes the level."""


def written(levels: Iterable[BookLevel]) -> list[WrittenLevel]:  # hot path: every level of every message
    """Return levels with their digits.

    Raises:
        FrameError: a price or quantity is no number, or absurd.
    """
    found = []
    for level in levels:
        price_text, qty_text = level.price, level.qty
        if type(price_text) is not str:
            price_text = text_of(price_text)
        if type(qty_text) is not str:
            qty_text = text_of(qty_text)
        try:
            price, qty = float(price_text), float(qty_text)
        except ValueError as error:
            raise FrameError(f"level {price_text[:32]!r}, {qty_text[:32]!r} is not a pair of numbers") from error
        if not (0.0 < price < MAX_NUMBER and 0.0 <= qty < MAX_NUMBER):
            raise FrameError(f"level of {qty_text[:32]} at {price_text[:32]} cannot be")
        digits = ""
        if qty:
            digits = price_text.replace(".", "").lstrip("0") + qty_text.replace(".", "").lstrip("0")
            if not digits.isdecimal():
                digits = _plain_digits(price_text) + _plain_digits(qty_text)
        found.append((price, qty, digits))
    return found


class ChecksumSide(BookSide):
    """One side of a book whose levels have digits, kept to a depth.

    Attributes:
        depth: levels that the venue keeps us informed of.
    """

    __slots__ = ("_digits", "depth")

    def __init__(self, depth: int, *, descending: bool) -> None:
        super().__init__(descending=descending)
        self.depth = depth
        self._digits: dict[float, str] = {}

    def begin(self, levels: Iterable[WrittenLevel]) -> None:
        """Forget every level and take these."""
        self.replace(())
        self._digits = {}
        self.update(levels)

    def update(self, levels: Iterable[WrittenLevel]) -> None:  # hot path: a book message is mostly this
        """Set or remove levels, in the order given. Removing a level that is not there is normal."""
        prices, sizes, digits = self._prices, self._sizes, self._digits
        for price, qty, written_digits in levels:
            if qty:
                if price not in sizes:
                    insort(prices, price)
                sizes[price] = qty
                digits[price] = written_digits
            elif sizes.pop(price, None) is not None:
                del prices[bisect_left(prices, price)]
                del digits[price]
        if len(prices) > self.depth:
            self._truncate()

    def checked_digits(self) -> Iterable[str]:
        """Return the digits of the best levels, best first."""
        prices = self._prices
        best = prices[: -CHECKED_LEVELS - 1 : -1] if self._descending else prices[:CHECKED_LEVELS]
        return map(self._digits.__getitem__, best)

    def _truncate(self) -> None:
        """Forget the worst levels: the venue does not say when they end."""
        worst = slice(None, len(self._prices) - self.depth) if self._descending else slice(self.depth, None)
        for price in self._prices[worst]:
            del self._sizes[price], self._digits[price]
        del self._prices[worst]


class ChecksumBook(OrderBook):
    """Both sides. Levels are set by :meth:`begin` and :meth:`update`, which know their digits."""

    __slots__ = ()

    bids: ChecksumSide
    asks: ChecksumSide

    def __init__(self, depth: int) -> None:
        self.bids = ChecksumSide(depth, descending=True)
        self.asks = ChecksumSide(depth, descending=False)

    @property
    def depth(self) -> int:
        """Levels of a side that the venue keeps us informed of."""
        return self.bids.depth

    @depth.setter
    def depth(self, depth: int) -> None:
        self.bids.depth = self.asks.depth = depth

    def begin(self, bids: Sequence[WrittenLevel], asks: Sequence[WrittenLevel]) -> None:
        """Start over from a snapshot."""
        self.bids.begin(bids)
        self.asks.begin(asks)

    def update(self, bids: Sequence[WrittenLevel], asks: Sequence[WrittenLevel]) -> None:
        """Take in one message."""
        if bids:
            self.bids.update(bids)
        if asks:
            self.asks.update(asks)

    def clear(self) -> None:
        """Forget everything."""
        self.begin((), ())

    def checksum(self) -> int:
        """Return the CRC32 of the ten best asks, low to high, then the ten best bids, high to low."""
        digits = "".join([*self.asks.checked_digits(), *self.bids.checked_digits()])
        return zlib.crc32(digits.encode())


def _plain_digits(text: str) -> str:
    """Return the digits of a number that is written with an exponent."""
    return f"{Decimal(text):f}".replace(".", "").lstrip("0")
