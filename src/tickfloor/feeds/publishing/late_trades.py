"""What a late trade does to the closed bars on the board."""

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.feeds.publishing.ports import BoardPort
from tickfloor.market.bars import START_MS, revise, start_of

FIRST_LOOK = 4
"""Bars read first: nearly every late trade is of the bar that closed last."""


def revise_on_board(
    board: BoardPort,
    instrument: int,
    interval: Interval,
    ts_ms: int,
    price: float,
    qty: float,
    bought: bool,
    overtaken: bool,
) -> tuple[int, Bar] | None:
    """Put a late trade into its closed bar on the board.

    Returns:
        The number of the bar, counted from the beginning, and the bar as it is now; None where the board no
        longer keeps it.
    """
    closed = board.closed_bars(instrument, interval)
    start_ms = start_of(interval, ts_ms)
    count = FIRST_LOOK
    tail = board.read_tail(instrument, interval, count)
    while len(tail) < closed and (not tail or tail[0][START_MS] > start_ms):
        count *= 4
        longer = board.read_tail(instrument, interval, count)
        if len(longer) == len(tail):
            return None
        tail = longer
    index, bars = revise(tail, interval, ts_ms, price, qty, bought, overtaken)
    index += closed - len(tail)
    board.rewrite_bars(instrument, interval, index, bars)
    return index, bars[0]
