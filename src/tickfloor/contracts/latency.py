"""A latency histogram that two processes can add up: logarithmic buckets, about 9 % wide."""

import math
from collections.abc import Iterable, Mapping

_PER_OCTAVE = 8


class LatencyHistogram:
    """Counts of durations in ns."""

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})

    def add(self, ns: int) -> None:
        """Count one duration; what is below 1 ns counts as 1."""
        bucket = int(math.log2(max(ns, 1)) * _PER_OCTAVE)
        self.counts[bucket] = self.counts.get(bucket, 0) + 1

    def merge(self, others: Iterable["LatencyHistogram"]) -> "LatencyHistogram":
        """Return the sum of this and other histograms."""
        total = LatencyHistogram(self.counts)
        for other in others:
            for bucket, count in other.counts.items():
                total.counts[bucket] = total.counts.get(bucket, 0) + count
        return total

    def quantile_us(self, quantile: float) -> float | None:
        """Return the duration, microseconds, below which a share of the counts lies; None without counts."""
        total = sum(self.counts.values())
        if total == 0:
            return None
        wanted = quantile * total
        seen = 0
        for bucket in sorted(self.counts):
            seen += self.counts[bucket]
            if seen >= wanted:
                return round(2 ** ((bucket + 0.5) / _PER_OCTAVE) / 1000, 1)
        raise AssertionError("a quantile is at most 1")
