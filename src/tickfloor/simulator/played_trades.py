"""The trades of a capture that were played so far, of one symbol."""

from collections.abc import Iterable
from decimal import Context, Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

from tickfloor.feeds.publishing.decimals import plain

EXACT: Final = Context(prec=100)
MINUTE_MS: Final = 60_000
NS_PER_MS: Final = 1_000_000
NONE_YET: Final = -1


class PlayedTrade(NamedTuple):
    """A trade.

    Attributes:
        time_ns: of the venue, ns UTC.
        price, qty: as they were written.
        item: all of it, as the venue's frames have it.
    """

    trade_id: int
    time_ns: int
    price: str
    qty: str
    item: bytes


class PlayedTrades:
    """Every trade by its id, whatever brought it, and exact sums over those that a client can have.

    A client that listens from the beginning has all trades from the first live one on: what a snapshot or a REST
    answer brought later counts, what was traded before does not.
    """

    def __init__(self) -> None:
        self._by_id: dict[int, PlayedTrade] = {}
        self._first = NONE_YET
        self._newest = NONE_YET

    def know(self, trades: Iterable[PlayedTrade]) -> None:
        """Take in what recorded REST answers hold: it can be asked for when the frames have come so far."""
        self._by_id.update((trade.trade_id, trade) for trade in trades)

    def play(self, trades: Iterable[PlayedTrade], *, live: bool) -> None:
        """Take in the trades of a frame, live or of a snapshot."""
        for trade in trades:
            self._by_id[trade.trade_id] = trade
            self._newest = max(self._newest, trade.trade_id)
            if live and self._first == NONE_YET:
                self._first = trade.trade_id

    def so_far(self) -> list[PlayedTrade]:
        """Return what is known up to the newest that was played, by id."""
        return [self._by_id[number] for number in sorted(self._by_id) if number <= self._newest]

    def figures(self) -> dict[str, Any]:
        """Return count, sums and minute bars."""
        trades = [] if self._first == NONE_YET else [each for each in self.so_far() if each.trade_id >= self._first]
        prices = [Decimal(trade.price) for trade in trades]
        ids = [trade.trade_id for trade in trades]
        return {
            "trades": len(trades),
            "qty": plain(_sum(Decimal(trade.qty) for trade in trades)),
            "notional": plain(
                _sum(EXACT.multiply(Decimal(trade.qty), price) for trade, price in zip(trades, prices, strict=True))
            ),
            "first": plain(prices[0]) if prices else None,
            "last": plain(prices[-1]) if prices else None,
            "min": plain(min(prices)) if prices else None,
            "max": plain(max(prices)) if prices else None,
            "first_id": ids[0] if ids else NONE_YET,
            "last_id": ids[-1] if ids else NONE_YET,
            "id_gaps": sum(later != earlier + 1 for earlier, later in pairwise(ids)),
            "bars_1m": _bars(trades),
        }


def _bars(trades: list[PlayedTrade]) -> list[dict[str, Any]]:
    """Return a bar for every minute with trades; the earliest by the venue's time opens it, the latest closes it."""
    minutes: dict[int, list[PlayedTrade]] = {}
    for trade in sorted(trades, key=lambda each: (each.time_ns, each.trade_id)):
        time_ms = trade.time_ns // NS_PER_MS
        minutes.setdefault(time_ms - time_ms % MINUTE_MS, []).append(trade)
    found = []
    for start_ms, of_minute in minutes.items():
        prices = [Decimal(trade.price) for trade in of_minute]
        found.append({
            "start_ms": start_ms, "open": plain(prices[0]), "high": plain(max(prices)), "low": plain(min(prices)),
            "close": plain(prices[-1]), "volume": plain(_sum(Decimal(trade.qty) for trade in of_minute)),
            "trades": len(of_minute),
        })  # fmt: skip
    return found


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = EXACT.add(total, number)
    return total
