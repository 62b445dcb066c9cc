"""What an engine needs to go on after a hole in its tape: the board's view of each instrument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.indicators.protocol import NAN
from tickfloor.market.bars import LONGER, TRADES, FormingBars, fold, start_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentView:
    """One instrument as the board shows it; NaN where a value is not known.

    Attributes:
        sequence: last tape record that is contained in it.
        last_ts_event: venue time of ``last``, ns UTC.
        bars: closed bars per interval, oldest first.
        forming: forming bar per interval; intervals without one are left out.
    """

    sequence: int
    last: float = NAN
    last_qty: float = NAN
    last_ts_event: int = 0
    cumulative_delta: float = 0.0
    bid: float = NAN
    bid_size: float = NAN
    ask: float = NAN
    ask_size: float = NAN
    open_24h: float = NAN
    high_24h: float = NAN
    low_24h: float = NAN
    change_24h: float = NAN
    volume_24h: float = NAN
    quote_volume_24h: float = NAN
    trades_24h: float = NAN
    quality: Quality = Quality.UNKNOWN
    bars: Mapping[Interval, Sequence[Bar]]
    forming: Mapping[Interval, Bar]


def forming_bars(view: InstrumentView) -> FormingBars:
    """Return the forming bars of a view, split again into the forming minute and the closed part before it."""
    forming = FormingBars()
    minute = view.forming.get(Interval.M1)
    forming.minute = None if minute is None else list(minute)
    for interval in LONGER:
        bar = view.forming.get(interval)
        if bar is not None:
            forming.closed_part[interval] = list(bar) if minute is None else _closed_part(view, interval, bar, minute)
    return forming


def _closed_part(view: InstrumentView, interval: Interval, bar: Bar, minute: Bar) -> Bar | None:
    if bar[TRADES] <= minute[TRADES]:
        return None
    start_ms = start_of(interval, int(bar[0]))
    minutes = view.bars.get(Interval.M1, ())
    part: Bar | None = None
    for closed in minutes:
        if closed[0] >= start_ms:
            part = fold(part, closed, start_ms)
    if part is not None and part[TRADES] == bar[TRADES] - minute[TRADES]:
        return part
    # The board no longer holds every minute of it, or a late trade went to the longer bar alone: take the minute
    # out of the whole. High and low may already be the minute's, which folding it in again does not change.
    return [*bar[:5], *(whole - last for whole, last in zip(bar[5:9], minute[5:9], strict=True)), *bar[9:]]
