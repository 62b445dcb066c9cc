"""One instrument's bars and day range: how they begin, close and are revised.

The board learns of bars at the end of a batch, together with the row; only a late trade revises closed bars at once.

Adding a trade to the forming minute is not here but in
:class:`~tickfloor.feeds.publishing.instrument_writer.InstrumentWriter`, whose hot path it is.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from tickfloor.board.row import Field
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.feeds.publishing.late_trades import revise_on_board
from tickfloor.feeds.publishing.ports import BoardPort
from tickfloor.market.bars import LONGER, FormingBars

DAY_OPEN, DAY_HIGH, DAY_LOW = map(int, (Field.DAY_OPEN, Field.DAY_HIGH, Field.DAY_LOW))
DAY_NS: Final = Interval.D1.ns
NEVER_NS: Final = 1 << 63


class ClosedBar(NamedTuple):
    """A bar that has closed or was revised since: its interval, end in ns UTC, slot on the board."""

    interval: Interval
    end_ns: int
    slot: int
    bar: Bar
    more: bool
    """another bar of the same event follows"""


class InstrumentBars:
    """Keeps the forming bars, puts closed ones on the board, and keeps the row's day range.

    Attributes:
        forming: the forming bars.
        end_ns: earliest end of one of them.
        lost_revisions: late trades whose bar the board no longer keeps, once per interval.
    """

    __slots__ = (
        "_board", "_closed", "_day", "_day_first_ms", "_number", "_row", "_slots", "end_ns", "forming",
        "lost_revisions",
    )  # fmt: skip

    def __init__(self, board: BoardPort, number: int, row: list[float], slots: int) -> None:
        self._board = board
        self._slots = slots
        self._number = number
        self._row = row
        self._day = -1
        self._day_first_ms = 0
        self._closed: list[tuple[Interval, Bar]] = []
        """bars that the board has not been given yet"""
        self.forming = FormingBars()
        self.end_ns = NEVER_NS
        self.lost_revisions = 0

    def restore(self, forming: FormingBars, closed: Sequence[tuple[Interval, Bar]], last_ms: int) -> None:
        """Go on with what was forming.

        Args:
            closed: bars that have closed and are not on the board, in that order.
            last_ms: venue time of the newest trade, ms UTC; 0 for none. Its day's range is on the row.
        """
        self._closed += closed
        self.forming.minute, self.forming.closed_part = forming.minute, forming.closed_part
        if last_ms:
            self._day = last_ms * 1_000_000 // DAY_NS
        self._note_end()

    def begin_minute(
        self, ts_event: int, ts_ms: int, price: float, qty: float, bought: bool, minute_end_ns: int
    ) -> None:
        """Begin the minute bar with its first trade."""
        self.forming.add_trade(ts_ms, price, qty, bought)
        self.end_ns = minute_end_ns
        self.widen_day(ts_event, ts_ms, price)

    def close(self, boundary_ns: int) -> Iterator[ClosedBar]:
        """Close every bar that ends at or before ``boundary_ns``, shortest interval first."""
        forming, boundary_ms = self.forming, boundary_ns // 1_000_000
        due = [(end_ms, interval) for end_ms, interval in forming.ends() if end_ms <= boundary_ms]
        for count, (end_ms, interval) in enumerate(due, 1):
            bar = forming.close(interval)
            waiting = sum(each is interval for each, _ in self._closed)
            slot = (self._board.closed_bars(self._number, interval) + waiting) % self._slots
            self._closed.append((interval, bar))
            # Bars that end together are one event; what ends later must not be seen by what ended before.
            more = count < len(due) and due[count][0] == end_ms
            yield ClosedBar(interval, end_ms * 1_000_000, slot, bar, more)
        self._note_end()

    def add_late_trade(
        self,
        ts_event: int,
        ts_ms: int,
        price: float,
        qty: float,
        bought: bool,
        minute_start_ns: int,
        sequence: int,
        *,
        overtaken: bool,
    ) -> list[ClosedBar]:
        """Add a trade of a minute that has closed: to the bars still forming, and to the closed ones.

        Args:
            sequence: the tape's, of the next record.
            overtaken: newer trades came before it.

        Returns:
            The closed bars that it changed, shortest interval first.
        """
        revised = []
        self._board.mark_bars_ahead(self._number, sequence)
        self._write_closed()
        for interval in Interval:
            end_ns = ts_event - ts_event % interval.ns + interval.ns
            if end_ns > minute_start_ns:
                self.forming.add_late_trade(interval, ts_ms, price, qty, bought, overtaken)
                continue
            found = revise_on_board(self._board, self._number, interval, ts_ms, price, qty, bought, overtaken)
            if found is None:
                self.lost_revisions += 1
            else:
                index, bar = found
                revised.append(ClosedBar(interval, end_ns, index % self._slots, bar, more=True))
        if revised:
            revised[-1] = revised[-1]._replace(more=False)
        self._note_end()
        self.widen_day(ts_event, ts_ms, price)
        return revised

    def widen_day(self, ts_event: int, ts_ms: int, price: float) -> None:
        """Let the row's day range hold a trade; one of a later UTC day begins a new range, an earlier is left out."""
        day, row = ts_event // DAY_NS, self._row
        if day > self._day:
            self._day = day
            self._day_first_ms = ts_ms
            row[DAY_OPEN] = row[DAY_HIGH] = row[DAY_LOW] = price
        elif day == self._day:
            row[DAY_HIGH] = max(row[DAY_HIGH], price)
            row[DAY_LOW] = min(row[DAY_LOW], price)
            if ts_ms < self._day_first_ms:
                self._day_first_ms = ts_ms
                row[DAY_OPEN] = price

    def write(self, sequence: int, *, longer: bool) -> None:
        """Write to the board what closed, the forming minute and, if asked, the closed parts of longer bars.

        Args:
            sequence: the tape's, of the next record.
        """
        board, number, forming = self._board, self._number, self.forming
        board.mark_bars_ahead(number, sequence)
        self._write_closed()
        board.write_forming(number, Interval.M1, forming.minute)
        if longer:
            for interval in LONGER:
                board.write_forming(number, interval, forming.closed_part[interval])

    def _write_closed(self) -> None:
        for interval, bar in self._closed:
            self._board.append_bar(self._number, interval, bar)
        self._closed.clear()

    def _note_end(self) -> None:
        ends = self.forming.ends()
        self.end_ns = ends[0][0] * 1_000_000 if ends else NEVER_NS
