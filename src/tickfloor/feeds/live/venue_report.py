"""How one venue of a live feed stands, put together from all its parts."""

from collections import Counter
from typing import Final

from tickfloor.contracts.feeds import ConnectionReport, RepairReport, VenueReport
from tickfloor.contracts.records import Quality
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.repairing.repair_queue import RepairQueue
from tickfloor.feeds.publishing.publisher import MarketPublisher

NS_PER_MS: Final = 1e6
HELD: Final = "the venue asked for a pause"


def venue_report(
    venue: str,
    *,
    publisher: MarketPublisher,
    joins: TradeJoins,
    repairs: RepairReport,
    connections: tuple[ConnectionReport, ...],
    left_out: dict[str, int],
) -> VenueReport:
    """Return the report."""
    writers = publisher.writers
    qualities = Counter(writer.quality.name.lower() for writer in writers)
    joined = joins.statistics()
    ahead_ns = publisher.clock.ahead_ns
    return VenueReport(
        venue=venue,
        instruments={quality.name.lower(): qualities[quality.name.lower()] for quality in Quality},
        connections=connections,
        repairs=repairs,
        missing_trades=joined.missing,
        repaired_trades=joined.repaired,
        skipped_trades=joined.left_out,
        gaps={writer.instrument.symbol: writer.missed_trades for writer in writers if writer.quality is Quality.GAP},
        clock_ahead_ms=None if ahead_ns is None else ahead_ns / NS_PER_MS,
        left_out=left_out,
    )


def repair_report(queue: RepairQueue, now: int) -> RepairReport:
    """Return how a venue's requests stand; ``now`` is ns UTC."""
    asked = queue.statistics()
    held_ns = max(0, asked.barred_until_ns - now)
    return RepairReport(
        waiting=asked.waiting,
        in_flight=asked.flying,
        answered=max(0, asked.sent - asked.flying - asked.repeated - asked.failed),
        failed=asked.failed,
        used_weight=asked.used_weight,
        weight_limit=asked.weight_per_minute,
        held_seconds=held_ns / 1e9,
        held_reason=HELD if held_ns else "",
    )
