"""The trades of one simulated instrument: those that REST can still answer for."""

from array import array
from bisect import bisect_left, bisect_right
from typing import Final, NamedTuple

_FIELDS: Final = 4


class LoggedTrade(NamedTuple):
    """One trade; time in ms UTC, price in ticks, quantity in lots."""

    trade_id: int
    time_ms: int
    ticks: int
    lots: int
    bought: bool


class LoggedOrder(NamedTuple):
    """The trades of one taker order, all at one price; time in ms UTC."""

    order_id: int
    first_id: int
    last_id: int
    time_ms: int
    ticks: int
    lots: int
    bought: bool


class TradeLog:
    """Bounded: the oldest trades go. Ids of trades and of orders are consecutive."""

    __slots__ = ("_first_order", "_first_trade", "_kept", "_rows", "_starts", "next_order", "next_trade")

    def __init__(self, next_trade: int, next_order: int, kept: int) -> None:
        """Begin with these ids.

        Args:
            kept: trades that are kept at least; up to a quarter more are.
        """
        self._kept = kept
        self.restart(next_trade, next_order)

    def restart(self, next_trade: int, next_order: int) -> None:
        """Forget everything and number anew."""
        self._rows = array("q")
        self._starts = array("q")
        self._first_trade = self.next_trade = next_trade
        self._first_order = self.next_order = next_order

    def add(self, time_ms: int, ticks: int, fills: list[int], *, bought: bool) -> None:  # hot path
        """Log one order's trades."""
        self._starts.append(self.next_trade)
        for lots in fills:
            self._rows.extend((time_ms, ticks, lots, bought))
        self.next_trade += len(fills)
        self.next_order += 1
        if self.next_trade - self._first_trade > self._kept * 5 // 4:
            self._forget()

    def _forget(self) -> None:
        # Whole orders only: the one that the oldest wanted trade belongs to stays.
        orders = max(0, bisect_right(self._starts, self.next_trade - self._kept) - 1)
        first = self._starts[orders]
        del self._rows[: (first - self._first_trade) * _FIELDS]
        del self._starts[:orders]
        self._first_trade = first
        self._first_order += orders

    def __len__(self) -> int:
        return self.next_trade - self._first_trade

    def trades(self, first_id: int, limit: int) -> list[LoggedTrade]:
        """Return up to so many trades from an id on, oldest first."""
        first = max(first_id, self._first_trade)
        return [self._trade(trade_id) for trade_id in range(first, min(first + limit, self.next_trade))]

    def newest(self, limit: int) -> list[LoggedTrade]:
        """Return the newest trades, oldest first."""
        return self.trades(self.next_trade - limit, limit)

    def orders(self, first_id: int, limit: int) -> list[LoggedOrder]:
        """Return up to so many orders from an id on, oldest first."""
        first = max(first_id, self._first_order)
        return [self._order(order_id) for order_id in range(first, min(first + limit, self.next_order))]

    def newest_orders(self, limit: int) -> list[LoggedOrder]:
        """Return the newest orders, oldest first."""
        return self.orders(self.next_order - limit, limit)

    def orders_between(self, start_ms: int, end_ms: int, limit: int) -> list[LoggedOrder]:
        """Return the orders of a time, both ends included, oldest first.

        Args:
            limit: at most so many, the oldest; negative: the newest.
        """
        known = range(self._first_order, self.next_order)
        first = bisect_left(known, start_ms, key=self._time_of)
        after = bisect_right(known, end_ms, key=self._time_of)
        chosen = known[first:after]
        return [self._order(order_id) for order_id in (chosen[:limit] if limit > 0 else chosen[limit:])]

    def _trade(self, trade_id: int) -> LoggedTrade:
        at = (trade_id - self._first_trade) * _FIELDS
        time_ms, ticks, lots, bought = self._rows[at : at + _FIELDS]
        return LoggedTrade(trade_id, time_ms, ticks, lots, bool(bought))

    def _time_of(self, order_id: int) -> int:
        return self._trade(self._starts[order_id - self._first_order]).time_ms

    def _order(self, order_id: int) -> LoggedOrder:
        index = order_id - self._first_order
        first = self._starts[index]
        after = self._starts[index + 1] if index + 1 < len(self._starts) else self.next_trade
        trades = [self._trade(trade_id) for trade_id in range(first, after)]
        lots = sum(trade.lots for trade in trades)
        return LoggedOrder(order_id, first, after - 1, trades[0].time_ms, trades[0].ticks, lots, trades[0].bought)
