"""What a live floor has done, for a person."""

from tickfloor.cli.output import counted, data, say
from tickfloor.cli.run_floor import Outcome
from tickfloor.contracts.feeds import VenueReport


def summarise(outcome: Outcome, database: str) -> None:
    """Say what a live floor has done, and what it could not use."""
    status = outcome.status
    memory = sum(worker.memory for worker in status.workers) / (1 << 20)
    restarts = sum(worker.restarts for worker in status.workers)
    workers = f"{counted(len(status.workers), 'worker')}, {counted(restarts, 'restart')}"
    data(f"ran          {status.uptime:.1f} s, {workers}, {memory:.0f} MiB")
    data(f"market       {counted(outcome.feed.frames, 'frame')}, {counted(outcome.feed.head, 'record')}")
    for venue in outcome.venues:
        data(f"quality      {_quality(venue)}")
        if venue.waits_for:
            say(f"{venue.venue}: {venue.waits_for}")
    data(f"signals      {len(outcome.signals):,} stored in {database}")
    if status.latency_p50_us is not None:
        data(f"latency      p50 {status.latency_p50_us:,.0f} µs, p99 {status.latency_p99_us:,.0f} µs, tick to signal")
    data(f"lost         {outcome.lost:,} records or signals" if outcome.lost else "lost         0")
    for problem in outcome.feed.problems:
        say(f"{problem.file}: {problem.reason}")


def _quality(venue: VenueReport) -> str:
    """Return how far a venue's data could be trusted at the end, and what is missing of it."""
    marks = ", ".join(f"{count:,} {mark}" for mark, count in venue.instruments.items() if count) or "no instrument"
    return f"{venue.venue}: {marks}; {venue.missing_trades:,} trades missing, {venue.repaired_trades:,} repaired"
