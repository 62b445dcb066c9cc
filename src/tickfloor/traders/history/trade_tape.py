"""One instrument's trades as the records that a feed would have published for them."""

from collections.abc import Iterator
from typing import NamedTuple

from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Flag, Kind, Quality, Side
from tickfloor.market.bars import MINUTE_MS, FormingBars, start_of

_MORE, _LATE, _BUY = int(Flag.MORE), int(Flag.LATE), int(Side.BUY)
_NEVER_MS = -(1 << 62)


class Trade(NamedTuple):
    """One trade.

    Attributes:
        ts_event: venue time, ns UTC.
        side: the taker's, a :class:`~tickfloor.contracts.records.Side`.
    """

    ts_event: int
    price: float
    qty: float
    side: int


class TapeEvent(NamedTuple):
    """Records that belong together.

    Attributes:
        ts_event: venue time, ns UTC: the trade's, or the bars' end.
        closed: the intervals whose bars close; of a trade, none.
        records: whole records.
    """

    ts_event: int
    closed: tuple[Interval, ...]
    records: bytes


class TradeTape:
    """Makes records of trades in the order in which they came: bars close, and trades are late, as in a feed.

    The data counts as live from the first trade on. A bar closes when a trade shows that its time has passed, so the
    last bars never do.

    Attributes:
        late: trades so far whose minute had closed.
    """

    def __init__(self, row: int = 0) -> None:
        self._row = row
        self._sequence = 0
        self._forming = FormingBars()
        self._minute_ms = _NEVER_MS
        """start of the minute that is forming, or would be"""
        self.late = 0

    def events(self, trade: Trade) -> Iterator[TapeEvent]:
        """Return what a trade leads to: bars that close before it, each end of bars an event, and then the trade."""
        ts_ms = trade.ts_event // 1_000_000
        if ts_ms < self._minute_ms:
            yield self._late_trade(trade, ts_ms)
            return
        before = b""
        if ts_ms >= self._minute_ms + MINUTE_MS:
            first = self._minute_ms == _NEVER_MS
            self._minute_ms = ts_ms - ts_ms % MINUTE_MS
            yield from self._closing(self._minute_ms)
            if first:
                before = self._record(trade.ts_event, Kind.QUALITY, Quality.LIVE, _MORE)
        yield TapeEvent(trade.ts_event, (), before + self._trade(trade, 0))
        self._forming.add_trade(ts_ms, trade.price, trade.qty, trade.side == _BUY)

    def _closing(self, now_ms: int) -> Iterator[TapeEvent]:
        due: dict[int, list[Interval]] = {}
        for end_ms, interval in self._forming.ends():
            if end_ms <= now_ms:
                due.setdefault(end_ms, []).append(interval)
        for end_ms, intervals in due.items():
            ts_event = end_ms * 1_000_000
            records = []
            for interval in intervals:
                self._forming.close(interval)
                more = 0 if interval is intervals[-1] else _MORE
                records.append(self._record(ts_event, Kind.BAR_CLOSE, interval, more))
            yield TapeEvent(ts_event, tuple(intervals), b"".join(records))

    def _late_trade(self, trade: Trade, ts_ms: int) -> TapeEvent:
        self.late += 1
        revised = []
        for interval in Interval:
            if start_of(interval, ts_ms) + interval.ms > self._minute_ms:
                self._forming.add_late_trade(interval, ts_ms, trade.price, trade.qty, trade.side == _BUY)
            else:
                revised.append(interval)
        records = [self._trade(trade, _LATE | _MORE if revised else _LATE)]
        for interval in revised:
            end_ns = (start_of(interval, ts_ms) + interval.ms) * 1_000_000
            more = 0 if interval is revised[-1] else _MORE
            records.append(self._record(end_ns, Kind.BAR_REVISED, interval, more))
        return TapeEvent(trade.ts_event, (), b"".join(records))

    def _trade(self, trade: Trade, flags: int) -> bytes:
        return self._record(trade.ts_event, Kind.TRADE, trade.side, flags, trade.price, trade.qty)

    def _record(self, ts_event: int, kind: int, code: int, flags: int, a: float = 0.0, b: float = 0.0) -> bytes:
        sequence = self._sequence
        self._sequence += 1
        return RECORD.pack(sequence, ts_event, ts_event, self._row, kind, code, flags, a, b, 0.0, 0.0)
