"""What an engine needs to go on after a hole in its tape: the board's view of each instrument."""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tickfloor.contracts.bars import BAR_WORDS, Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.indicators.protocol import NAN
from tickfloor.market.bars import START_MS
from tickfloor.traders.language.vocabulary import MarketColumn
from tickfloor.traders.state.checkpoint import NEVER, ClosedBars, EventState, InstrumentCheckpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentView:
    """One instrument as the board shows it; NaN where a value is not known.

    Attributes:
        sequence: last tape record that is contained in it.
        last_ts_event: venue time of ``last``, ns UTC.
        bars: closed bars per interval, oldest first.
        trimmed: intervals whose oldest bars are not among them.
        minute: the forming minute, or None.
        closed_parts: per longer interval, the closed minutes of its forming bar; intervals without one are left out.
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
    trimmed: Collection[Interval] = ()
    minute: Bar | None
    closed_parts: Mapping[Interval, Bar]


@dataclass(frozen=True, slots=True)
class Carried:
    """What an instrument keeps over a hole: its matches until they are decided anew, and its cooldowns."""

    matched: list[str]
    signalled: dict[str, int]


def resynchronised(
    key: str,
    view: InstrumentView,
    intervals: Collection[Interval],
    traders: Iterable[str],
    carried: Carried,
    volume_rank: float = NAN,
) -> InstrumentCheckpoint:
    """Return the state from which an instrument goes on with its next record.

    Args:
        key: the instrument's ``venue:symbol``.
        intervals: those whose closed bars are needed.
        traders: names of its traders; what matches by then is no news.
        carried: what it keeps.
        volume_rank: its place by volume.
    """
    closed_until = [NEVER] * len(Interval)
    for interval, bars in view.bars.items():
        if bars:
            closed_until[interval] = int(bars[-1][START_MS]) + interval.ms
    minute = view.minute
    parts = [view.closed_parts.get(interval) for interval in Interval]
    names = list(traders)
    return InstrumentCheckpoint(
        key=key,
        since=0,
        skip_through=view.sequence,
        market=[_market(view, column, volume_rank) for column in MarketColumn],
        last_ts=view.last_ts_event if view.last == view.last else NEVER,
        latest=view.last_ts_event if view.last == view.last else NEVER,
        minute=minute and list(minute),
        closed_part=[part and list(part) for part in parts],
        closed_until_ms=closed_until,
        lanes={},
        event=EventState(),
        matched=carried.matched,
        signalled=carried.signalled,
        replay={
            interval.label: ClosedBars(_packed(bars), interval in view.trimmed)
            for interval, bars in view.bars.items()
            if bars and interval in intervals
        },
        silent=names,
        waiting=names,
    )


def _market(view: InstrumentView, column: MarketColumn, volume_rank: float) -> float:
    match column:
        case MarketColumn.VOLUME_RANK:
            return volume_rank
        case MarketColumn.MID:
            return (view.bid + view.ask) / 2.0
        case MarketColumn.SPREAD:
            return view.ask - view.bid
        case MarketColumn.QUALITY:
            return float(view.quality) if view.quality else NAN
        case _:
            value: float = getattr(view, column.name.lower())
            return value


def _packed(bars: Sequence[Bar]) -> bytes:
    return array("d", [number for bar in bars for number in bar]).tobytes()


def unpacked(bars: ClosedBars) -> list[Bar]:
    """Return the closed bars that a state still has to be given."""
    numbers = array("d", bars.numbers).tolist()
    return [numbers[start : start + BAR_WORDS] for start in range(0, len(numbers), BAR_WORDS)]
