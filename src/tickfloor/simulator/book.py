"""One simulated order book: whole ticks and lots, and what changed since whom."""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

LEAST_LEVELS: Final = 40
MOST_LEVELS: Final = 150
"""Levels on a side; the deepest ones go and come at the far end."""
KEPT_CHANGES: Final = 100_000

Change = tuple[int, tuple[int, ...]]
"""What one update did: its id, and the prices touched; those of asks are negative."""


class SimulatedBook:
    """Bids and asks, each a queue of prices with the best at its right end, and lots by price."""

    __slots__ = ("_forgotten", "_gap", "_lots", "_uniform", "ask_lots", "asks", "bid_lots", "bids", "changes",
                 "update_id")  # fmt: skip

    def __init__(self, bid: int, ask: int, *, lots: float, update_id: int, uniform: Callable[[], float]) -> None:
        """Fill a book around its best prices.

        Args:
            bid, ask: best prices in ticks.
            lots: a usual size of a level.
            uniform: gives a random number from 0 to 1.
        """
        self._uniform = uniform
        self._lots = lots
        self._gap = max(1, ask - bid)
        self.update_id = update_id
        self.bids: deque[int] = deque()
        self.asks: deque[int] = deque()
        self.bid_lots: dict[int, int] = {}
        self.ask_lots: dict[int, int] = {}
        self.changes: deque[Change] = deque()
        self._forgotten = 0
        self.bids.append(bid)
        self.asks.append(ask)
        self.bid_lots[bid] = self._size()
        self.ask_lots[ask] = self._size()
        self._deepen([], 2 * LEAST_LEVELS)

    def requote(self, bid: int, ask: int, update_id: int) -> None:  # hot path
        """Make these the best prices; what was better is gone."""
        touched = []
        bids, bid_lots = self.bids, self.bid_lots
        while bids and bids[-1] > bid:
            price = bids.pop()
            del bid_lots[price]
            touched.append(price)
        if not bids or bids[-1] != bid:
            bids.append(bid)
        bid_lots[bid] = self._size()
        touched.append(bid)
        asks, ask_lots = self.asks, self.ask_lots
        while asks and asks[-1] < ask:
            price = asks.pop()
            del ask_lots[price]
            touched.append(-price)
        if not asks or asks[-1] != ask:
            asks.append(ask)
        ask_lots[ask] = self._size()
        touched.append(-ask)
        self._bound(touched)
        self._note(update_id, tuple(touched))

    def take(self, lots: int, update_id: int, *, bought: bool) -> int:  # hot path
        """Let a taker have so many lots at the best price, which somebody refills if need be; return the price."""
        side, sizes = (self.asks, self.ask_lots) if bought else (self.bids, self.bid_lots)
        price = side[-1]
        left = sizes[price] - lots
        sizes[price] = left if left > 0 else self._size()
        self._note(update_id, (-price if bought else price,))
        return price

    def position(self) -> int:
        """Return how many changes there have been, to ask for those that follow."""
        return self._forgotten + len(self.changes)

    def since(self, position: int) -> list[Change]:
        """Return the changes from a position on."""
        return list(islice(self.changes, max(0, position - self._forgotten), None))

    def forget(self, position: int) -> None:
        """Drop the changes before a position: everybody has had them."""
        changes = self.changes
        while self._forgotten < position and changes:
            changes.popleft()
            self._forgotten += 1

    def top_bids(self, depth: int) -> list[tuple[int, int]]:
        """Return the best bids, best first, in ticks and lots."""
        return [(price, self.bid_lots[price]) for price in islice(reversed(self.bids), depth)]

    def top_asks(self, depth: int) -> list[tuple[int, int]]:
        """Return the best asks, best first, in ticks and lots."""
        return [(price, self.ask_lots[price]) for price in islice(reversed(self.asks), depth)]

    def _size(self) -> int:
        return max(1, int(self._lots * (1.0 + 9.0 * self._uniform())))

    def _note(self, update_id: int, prices: tuple[int, ...]) -> None:
        self.update_id = update_id
        self.changes.append((update_id, prices))
        if len(self.changes) > KEPT_CHANGES:
            self.changes.popleft()
            self._forgotten += 1

    def _bound(self, touched: list[int]) -> None:
        if len(self.bids) > MOST_LEVELS:
            price = self.bids.popleft()
            del self.bid_lots[price]
            touched.append(price)
        if len(self.asks) > MOST_LEVELS:
            price = self.asks.popleft()
            del self.ask_lots[price]
            touched.append(-price)
        if len(self.bids) < LEAST_LEVELS or len(self.asks) < LEAST_LEVELS:
            self._deepen(touched, LEAST_LEVELS + 8)

    def _deepen(self, touched: list[int], levels: int) -> None:
        """Add levels behind the deepest ones."""
        while len(self.bids) < levels and self.bids[0] > self._gap:
            price = self.bids[0] - max(1, int(self._gap * (0.5 + self._uniform())))
            if price < 1:
                break
            self.bids.appendleft(price)
            self.bid_lots[price] = self._size()
            touched.append(price)
        while len(self.asks) < levels:
            price = self.asks[0] + max(1, int(self._gap * (0.5 + self._uniform())))
            self.asks.appendleft(price)
            self.ask_lots[price] = self._size()
            touched.append(-price)
