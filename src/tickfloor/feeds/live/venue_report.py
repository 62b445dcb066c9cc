"""How one venue of a live feed stands, put together from all its parts."""

from collections import Counter
from typing import Final

from tickfloor.contracts.feeds import ConnectionReport, RepairReport, VenueReport
from tickfloor.contracts.records import Quality
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.not_live import not_live
from tickfloor.feeds.live.repairing.repair_queue import RepairQueue
from tickfloor.feeds.live.staleness import Staleness
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
    staleness: Staleness,
    now: int,
    waits_for: str = "",
) -> VenueReport:
    """Return the report.

    Args:
        staleness: the reasons for which instruments are stale.
        now: ns UTC.
        waits_for: what has to come before anything is subscribed to, and why it has not; empty: nothing has.
    """
    writers = publisher.writers
    qualities = Counter(writer.quality for writer in writers)
    qualities[Quality.UNKNOWN] += sum(publisher.known(symbol) is None for symbol in staleness.symbols)
    joined = joins.statistics()
    ahead_ns = publisher.clock.ahead_ns
    return VenueReport(
        venue=venue,
        instruments={quality.name.lower(): qualities[quality] for quality in Quality},
        not_live=not_live(publisher, staleness, now),
        waits_for=waits_for,
        connections=connections,
        repairs=repairs,
        missing_trades=joined.missing,
        repaired_trades=joined.repaired,
        skipped_trades=joined.left_out,
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
