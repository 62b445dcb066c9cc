"""The board as an engine needs it after a hole in its tape."""

import math

from tickfloor.board.board_reader import BoardReader
from tickfloor.board.row import Field
from tickfloor.contracts.bars import Bar, BarField
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.market.bars import fold, start_of
from tickfloor.traders.resync import InstrumentView


def views_of(board: BoardReader, depth: int) -> dict[int, InstrumentView]:
    """Return every instrument that has a row, with up to ``depth`` closed bars per interval."""
    found = {}
    for number in range(board.count()):
        view = _view_of(board, number, depth)
        if view is not None:
            found[number] = view
    return found


def _view_of(board: BoardReader, number: int, depth: int) -> InstrumentView | None:
    # Bars and row are published one after the other; a row that did not move meanwhile belongs to the bars.
    while True:
        version = board.row_version(number)
        row = board.row(number)
        if row is None:
            return None
        closed: dict[Interval, list[Bar]] = {}
        forming: dict[Interval, Bar] = {}
        minutes = board.bars(number, Interval.M1, depth)
        closed[Interval.M1] = minutes.closed
        if minutes.forming is not None:
            forming[Interval.M1] = minutes.forming
        for interval in Interval:
            if interval is Interval.M1:
                continue
            bars = board.bars(number, interval, depth)
            closed[interval] = bars.closed
            whole = _forming(interval, bars.forming, minutes.forming)
            if whole is not None:
                forming[interval] = whole
        if board.row_version(number) == version:
            break
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
        bars=closed,
        forming=forming,
    )


def _forming(interval: Interval, part: Bar | None, minute: Bar | None) -> Bar | None:
    """Return the longer forming bar: its closed minutes and the forming one."""
    if minute is None:
        return part
    start_ms = start_of(interval, int(minute[BarField.START_MS]))
    return fold(part if part is not None and part[BarField.START_MS] == start_ms else None, minute, start_ms)
