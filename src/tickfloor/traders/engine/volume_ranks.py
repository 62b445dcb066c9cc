"""Where each instrument stands among those of its venue by the quote volume of the last 24 hours."""

from bisect import bisect_left, insort

from tickfloor.indicators.protocol import NAN


class VolumeRanks:
    """Quote volumes by instrument.

    An instrument's rank is found when its own volume comes; what comes of others afterwards changes theirs only.
    """

    def __init__(self) -> None:
        self._volumes: dict[int, tuple[str, float]] = {}
        self._sorted: dict[str, list[float]] = {}
        """per venue, the volumes below zero, so that the greatest comes first"""

    def put(self, row: int, venue: str, volume: float) -> None:
        """Take an instrument's volume; it has none while that is unknown."""
        before = self._volumes.pop(row, None)
        if before is not None:
            of_venue = self._sorted[before[0]]
            del of_venue[bisect_left(of_venue, -before[1])]
        if volume == volume:
            self._volumes[row] = venue, volume
            insort(self._sorted.setdefault(venue, []), -volume)

    def rank(self, row: int) -> float:
        """Return an instrument's rank, 1 for the greatest volume; NaN without a volume."""
        if row not in self._volumes:
            return NAN
        venue, volume = self._volumes[row]
        return float(bisect_left(self._sorted[venue], -volume) + 1)

    def volumes(self) -> dict[int, tuple[str, float]]:
        """Return venue and volume of every instrument, to go on from."""
        return dict(sorted(self._volumes.items()))
