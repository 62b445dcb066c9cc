"""The board as an engine needs it after a hole in its tape."""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from tickfloor.board.board_reader import Bars, BoardReader
from tickfloor.board.row import Field
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.market.bars import LONGER
from tickfloor.traders.state.resync import InstrumentView

PATIENCE_SECONDS = 0.5
"""How long, in all, instruments whose bars are ahead of their row are looked at again, after the first look at all."""

_BETWEEN_LOOKS = 0.0001
_LOOKS_AT_ONCE = 20


class BoardViews(NamedTuple):
    """What the board shows.

    Attributes:
        views: every instrument that has a row, by its number.
        unsettled: instruments whose bars stayed ahead of their row, as when the writer died in a batch.
    """

    views: dict[int, InstrumentView]
    unsettled: list[int]


def views_of(board: BoardReader, clock: Callable[[], float] = time.monotonic) -> BoardViews:
    """Return every instrument that has a row, with all closed bars that the board keeps."""
    copies = [_Copy(board, number) for number in range(board.count()) if board.row(number) is not None]
    views: dict[int, InstrumentView] = {}
    until: float | None = None
    while True:
        for copy in copies:
            view = copy.view()
            if view is not None:
                views[copy.number] = view
        copies = [copy for copy in copies if copy.number not in views]
        now = clock()
        until = now + PATIENCE_SECONDS if until is None else until
        if not copies or now >= until:
            return BoardViews(views, [copy.number for copy in copies])
        time.sleep(_BETWEEN_LOOKS)  # so that a writer on the same processor can end its batch


class _Copy:
    """One instrument's row and bars of the same moment.

    Copying all closed bars takes milliseconds, in which a busy row always moves. So they are copied before the row,
    and copied again only if they have changed: more have closed, or the row counts more late trades, without which
    no closed bar is revised. Only the forming minute moves with every trade, so only it is read while the row rests.
    """

    def __init__(self, board: BoardReader, number: int) -> None:
        self.number = number
        self._board = board
        self._bars: dict[Interval, Bars] = {}
        self._late_trades = math.nan

    def view(self) -> InstrumentView | None:
        """Return the view, or None if row and bars did not belong together at any of a few looks."""
        for _ in range(_LOOKS_AT_ONCE):
            version, row = self._row()
            if row is None:
                return None
            minute = self._board.bars(self.number, Interval.M1, 0)
            if self._row()[0] != version:
                continue
            if self._are_copied(row, minute):
                return _view(row, self._bars, minute.forming)
            self._late_trades = row[Field.LATE_TRADES]
            self._bars = {interval: self._board.bars(self.number, interval, self._board.depth) for interval in Interval}
        return None

    def _row(self) -> tuple[int, tuple[float, ...] | None]:
        """Return version and values of a row that no bar is ahead of; None while one is."""
        version = self._board.row_version(self.number)
        row = self._board.row(self.number)
        if row is None or row[Field.BARS_AHEAD] or self._board.row_version(self.number) != version:
            return -1, None
        return version, row

    def _are_copied(self, row: tuple[float, ...], minute: Bars) -> bool:
        """Return whether the copies are what belongs to the row; what closed after it shows in a longer bar's part."""
        if row[Field.LATE_TRADES] != self._late_trades or self._bars[Interval.M1].closed_count != minute.closed_count:
            return False
        heads = {interval: self._board.bars(self.number, interval, 0) for interval in LONGER}
        return all(
            (head.closed_count, head.forming) == (self._bars[interval].closed_count, self._bars[interval].forming)
            for interval, head in heads.items()
        )


def _view(row: tuple[float, ...], bars: dict[Interval, Bars], minute: Bar | None) -> InstrumentView:
    parts: dict[Interval, Bar | None] = {interval: bars[interval].forming for interval in LONGER}
    return InstrumentView(
        sequence=int(row[Field.SEQUENCE]),
        last=row[Field.LAST],
        last_qty=row[Field.LAST_QTY],
        last_ts_event=int(row[Field.LAST_US]) * 1000,
        cumulative_delta=row[Field.CUMULATIVE_DELTA],
        bid=row[Field.BID],
        bid_size=row[Field.BID_SIZE],
        ask=row[Field.ASK],
        ask_size=row[Field.ASK_SIZE],
        open_24h=row[Field.OPEN_24H],
        high_24h=row[Field.HIGH_24H],
        low_24h=row[Field.LOW_24H],
        change_24h=row[Field.CHANGE_24H],
        volume_24h=row[Field.VOLUME_24H],
        quote_volume_24h=row[Field.QUOTE_VOLUME_24H],
        trades_24h=row[Field.TRADES_24H],
        quality=Quality(0 if math.isnan(row[Field.QUALITY]) else int(row[Field.QUALITY])),
        bars={interval: copied.closed for interval, copied in bars.items()},
        trimmed=[interval for interval, copied in bars.items() if copied.closed_count > len(copied.closed)],
        minute=minute,
        closed_parts={interval: part for interval, part in parts.items() if part is not None},
    )
