"""The trades of a capture that were played so far, of one symbol."""

from collections.abc import Iterable
from decimal import Context, Decimal
from typing import Any, Final

import msgspec

from tickfloor.feeds.publishing.decimals import plain

EXACT: Final = Context(prec=100)


class _Event(msgspec.Struct, frozen=True, gc=False):
    """A ``trade`` or ``aggTrade`` event, or a row of ``aggTrades``."""

    p: str
    q: str
    T: int
    m: bool
    t: int = -1
    a: int = -1
    f: int = -1
    l: int = -1  # noqa: E741


class _Row(msgspec.Struct, frozen=True, gc=False):
    """A row of ``trades``."""

    id: int
    price: str
    qty: str
    time: int
    isBuyerMaker: bool  # noqa: N815


_EVENT: Final = msgspec.json.Decoder(_Event)
_EVENTS: Final = msgspec.json.Decoder(list[_Event])
_ROWS: Final = msgspec.json.Decoder(list[_Row])


class RecordedTrades:
    """Sums over the frames, exactly; and every trade by its id, for REST.

    Attributes:
        unread: events and answers that could not be read.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self.unread = 0
        self._by_id: dict[int, _Event] = {}
        self._count = 0
        self._id_gaps = 0
        self._qty = Decimal(0)
        self._notional = Decimal(0)
        self._first: _Event | None = None
        self._last: _Event | None = None
        self._least: Decimal | None = None
        self._most: Decimal | None = None

    def take_event(self, data: bytes) -> None:
        """Take in a trade as it is sent; what was malformed when it was recorded is sent all the same."""
        try:
            event = _EVENT.decode(data)
        except msgspec.MsgspecError:
            self.unread += 1
            return
        number = _id(event)
        if self._last is not None and number != _id(self._last) + 1:
            self._id_gaps += 1
        self._first = self._first or event
        self._last = event
        price, qty = Decimal(event.p), Decimal(event.q)
        self._count += 1
        self._qty = EXACT.add(self._qty, qty)
        self._notional = EXACT.fma(price, qty, self._notional)
        self._least = price if self._least is None else min(self._least, price)
        self._most = price if self._most is None else max(self._most, price)
        self._keep(event)

    def take_rows(self, body: bytes, *, orders: bool) -> None:
        """Take in what a recorded REST answer holds, so that it can be asked for again; errors were recorded too."""
        try:
            if orders:
                for event in _EVENTS.decode(body):
                    self._keep(event)
            else:
                for row in _ROWS.decode(body):
                    self._keep(_Event(p=row.price, q=row.qty, T=row.time, m=row.isBuyerMaker, t=row.id))
        except msgspec.MsgspecError:
            self.unread += 1

    def rows(self, first_id: int | None, limit: int, *, orders: bool) -> bytes:
        """Return a REST answer: the trades from an id on, or the newest."""
        known: Iterable[_Event] = (self._by_id[number] for number in sorted(self._by_id))
        if first_id is None:
            chosen = list(known)[-limit:]
        else:
            chosen = [event for event in known if _id(event) >= first_id][:limit]
        return msgspec.json.encode([_order_row(event) if orders else _trade_row(event) for event in chosen])

    def figures(self) -> dict[str, Any]:
        """Return count and sums of the frames."""
        return {
            "trades": self._count,
            "qty": plain(self._qty),
            "notional": plain(self._notional),
            "first": None if self._first is None else plain(Decimal(self._first.p)),
            "last": None if self._last is None else plain(Decimal(self._last.p)),
            "min": None if self._least is None else plain(self._least),
            "max": None if self._most is None else plain(self._most),
            "first_id": -1 if self._first is None else _id(self._first),
            "last_id": -1 if self._last is None else _id(self._last),
            "id_gaps": self._id_gaps,
            "unread": self.unread,
        }

    def day_row(self, symbol: str) -> bytes:
        """Return a row of ``ticker/24hr``, of what was played so far."""
        figures = self.figures()
        return msgspec.json.encode({
            "symbol": symbol, "lastPrice": figures["last"] or "0", "openPrice": figures["first"] or "0",
            "highPrice": figures["max"] or "0", "lowPrice": figures["min"] or "0", "volume": figures["qty"],
            "quoteVolume": figures["notional"], "priceChangePercent": "0.000", "count": self._count,
        })  # fmt: skip

    def _keep(self, event: _Event) -> None:
        self._by_id[_id(event)] = event
        if len(self._by_id) > self._kept:
            del self._by_id[next(iter(self._by_id))]


def _id(event: _Event) -> int:
    return event.a if event.a >= 0 else event.t


def _order_row(event: _Event) -> dict[str, Any]:
    first, last = (event.f, event.l) if event.a >= 0 else (event.t, event.t)
    return {"a": _id(event), "p": event.p, "q": event.q, "f": first, "l": last, "T": event.T, "m": event.m}


def _trade_row(event: _Event) -> dict[str, Any]:
    return {
        "id": _id(event), "price": event.p, "qty": event.q, "time": event.T, "isBuyerMaker": event.m,
    }  # fmt: skip
