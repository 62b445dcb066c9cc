"""One instrument's trades, told apart by their ids.

Few exchanges promise that ids are numbers, and fewer that they follow each other. So a trade is a duplicate when its
id is among the newest that were seen, and only where ids have followed each other for a while is one that does not a
gap. A hole right after another is not seen, and of exchanges whose ids are not such numbers no hole is ever seen.
"""

from collections import Counter
from typing import Final

from tickfloor.board.row import Field
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.live.ccxt_venue.readings import Trade
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.instrument_writer import InstrumentWriter

CONVINCED: Final = 64
"""Trades in a row whose ids follow each other, after which a hole is one."""
REMEMBERED: Final = 2_000
"""Ids: twice what ccxt keeps of an instrument and may show again."""
MOST_ID: Final = 1 << 53
"""The tape's numbers are exact up to here."""
FIRST_ID: Final = 1


class InstrumentTrades:
    """Publishes an instrument's new trades.

    Ids that are not numbers are replaced by our own, from one on; trades without ids are told apart by what they say.

    Attributes:
        repeated: trades left out because they were known.
        inherited: trades left out because a predecessor of this feed has probably published them.
    """

    __slots__ = ("_after_us", "_audit", "_followed", "_seen", "_writer", "inherited", "repeated")

    def __init__(self, writer: InstrumentWriter, audit: Audit | None) -> None:
        self._writer = writer
        self._audit = audit
        self._after_us = int(writer.row[Field.LAST_US]) if writer.expected_id >= 0 else -1
        self._seen: dict[object, None] = {}
        self._followed = 0
        self.repeated = 0
        self.inherited = 0

    def take(self, recv_ns: int, trades: list[Trade]) -> list[FrameError]:
        """Publish what is new of trades that came together, and return why others could not be."""
        problems = []
        nameless: Counter[object] = Counter()
        for trade in _in_order(trades):
            if trade.ts_event // 1_000 <= self._after_us:
                self.inherited += 1
                continue
            name: object = trade.id
            if not trade.id:
                nameless[trade] += 1
                name = (trade, nameless[trade])
            if name in self._seen:
                self.repeated += 1
                continue
            self._remember(name)
            try:
                self._publish(recv_ns, trade)
            except FrameError as error:
                problems.append(error)
        return problems

    def _remember(self, name: object) -> None:
        seen = self._seen
        seen[name] = None
        if len(seen) > REMEMBERED:
            del seen[next(iter(seen))]

    def _publish(self, recv_ns: int, trade: Trade) -> None:
        writer = self._writer
        due = writer.expected_id
        number = _number(trade.id)
        if number is None:
            number = max(due, FIRST_ID)
        follows = number == due
        said = (trade.ts_event, recv_ns, trade.price, trade.qty, trade.side, number, 1)
        taken = True
        if due < 0 or follows or self._followed >= CONVINCED:
            taken = writer.trade(*said)
        elif number < due:
            writer.missed_trade(*said)
        else:
            writer.expected_id = number
            try:
                writer.trade(*said)
            except FrameError:
                writer.expected_id = due
                raise
        self._followed = self._followed + 1 if follows else 0
        if taken and self._audit is not None:
            self._audit.trade(writer.instrument, trade.price_text, trade.qty_text, number)


def _in_order(trades: list[Trade]) -> list[Trade]:
    """Return trades in the order of their ids, or where those are no numbers, of their times."""
    if len(trades) < 2:
        return trades
    numbers = [_number(trade.id) for trade in trades]
    if None in numbers:
        return sorted(trades, key=lambda trade: trade.ts_event)
    return sorted(trades, key=lambda trade: int(trade.id))


def _number(trade_id: str) -> int | None:
    """Return an id that is a number and fits on the tape."""
    if not trade_id.isdecimal() or len(trade_id) > len(str(MOST_ID)):
        return None
    number = int(trade_id)
    return number if number <= MOST_ID else None
