"""Which instruments of a venue are not live, since when, and why, in words."""

from collections.abc import Hashable
from typing import Final

from tickfloor.contracts.feeds import NotLive
from tickfloor.contracts.records import Quality
from tickfloor.feeds.joining.instrument_join import InstrumentJoin
from tickfloor.feeds.live.carriage import NOT_CARRIED
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.publishing.instrument_writer import InstrumentWriter
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import StreamKey

NS_PER_SECOND: Final = 1e9
MOST_NAMED: Final = 20
WORST_FIRST: Final = (Quality.STALE, Quality.REPAIRING, Quality.GAP, Quality.UNKNOWN)


def not_live(publisher: MarketPublisher, staleness: Staleness, now: int) -> tuple[NotLive, ...]:
    """Return the instruments that are not live, the worst marks first, at most :data:`MOST_NAMED`; ``now`` is ns UTC.

    Those that are wanted and of which nothing was received yet have the mark ``unknown``.
    """
    writers = {writer.instrument.symbol: writer for writer in publisher.writers}
    marks = dict.fromkeys(staleness.symbols, Quality.UNKNOWN)
    marks |= {symbol: writer.quality for symbol, writer in writers.items()}
    doubted = [symbol for symbol, mark in marks.items() if mark is not Quality.LIVE]
    doubted.sort(key=lambda symbol: (WORST_FIRST.index(marks[symbol]), symbol))
    return tuple(_named(symbol, marks[symbol], writers.get(symbol), staleness, now) for symbol in doubted[:MOST_NAMED])


def _named(symbol: str, mark: Quality, writer: InstrumentWriter | None, staleness: Staleness, now: int) -> NotLive:
    reasons = sorted({_in_words(reason) for reason in staleness.reasons(symbol)})
    begun_ns = staleness.since_ns(symbol)
    join = None if writer is None else writer.join
    if isinstance(join, InstrumentJoin) and (holes := tuple(join.holes)):
        begun_ns = begun_ns or min(hole.opened_ns for hole in holes)
        asked = ", and asked for" if any(hole.asked for hole in holes) else ""
        reasons.append(f"{join.holes.ids:,} missing trade{'' if join.holes.ids == 1 else 's'}{asked}")
    if mark is Quality.GAP and writer is not None and not _follows_a_hole(writer):
        reasons.append("the book is fetched anew, or the venue's clock was ahead")
    if not reasons:
        reasons.append("nothing was received yet")
    return NotLive(
        symbol=symbol,
        mark=mark.name.lower(),
        reasons=tuple(reasons),
        seconds=max(0.0, (now - begun_ns) / NS_PER_SECOND) if begun_ns else None,
    )


def _follows_a_hole(writer: InstrumentWriter) -> bool:
    """Say whether the trade before the newest is known to be missing."""
    join = writer.join
    return isinstance(join, InstrumentJoin) and join.holes.at(writer.expected_id - 2) is not None


def _in_words(reason: Hashable) -> str:
    match reason:
        case StreamKey(channel=channel):
            return f"{channel} silent"
        case (_, StreamKey(channel=channel)):
            return f"{channel} refused by the venue"
        case str() if reason == NOT_CARRIED:
            return "not carried: not subscribed yet, or not listed"
        case _:
            return f"no connection {reason}"
