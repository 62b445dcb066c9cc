"""Whether a process's memory grows without end, told from growth that ends or returns."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

_POINTS = 40
"""Points in a window: enough for a clear verdict, few enough to look at every pair."""
_HISTORY = 96
_LEAST_POINTS = 16
_SIGNIFICANT = 4.0
"""Standard deviations of Kendall's S: one look in 30,000 at pure noise, and workers are looked at all day."""
_SEGMENTS = 6
_ONE_STEP = 0.45
_STILL_GROWING = 0.6
_RETURNED = 1 / 3


class Trend(StrEnum):
    """What the samples say."""

    UNKNOWN = "unknown"
    STEADY = "steady"
    LEAKING = "leaking"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakVerdict:
    """A look at the samples of the last window.

    Attributes:
        trend: unknown until there are enough samples.
        bytes_per_hour: the robust slope (Theil and Sen); None while the trend is unknown.
        seconds: what the samples span.
    """

    trend: Trend
    bytes_per_hour: float | None
    seconds: float


class LeakTrend:
    """The memory of one incarnation.

    Samples are thinned to the lowest of each fortieth of a window, because what is used for a moment comes on top of
    what is kept. Growth is a leak if it is significant (Mann and Kendall), at least ``bytes_per_hour``, and

    - not one step: it is spread over the window;
    - not a warm-up: the last third of the window grows, too;
    - not a sawtooth: it was not given back in between, and memory has not been as high before the window.

    What takes nearly as long as the samples span, half an hour at first, looks like a leak the first time, be it a
    ramp or a tooth; and so may teeth that are quicker than a few samples.
    """

    def __init__(self, *, bytes_per_hour: float, window: float = 3600.0, least: float = 1800.0) -> None:
        """Begin without samples.

        Args:
            bytes_per_hour: growth that is worth a verdict.
            window: seconds looked back over.
            least: seconds that samples must span before there is a verdict.
        """
        self._threshold = bytes_per_hour
        self._window = window
        self._least = least
        self._width = window / _POINTS
        self._points: deque[tuple[float, int]] = deque(maxlen=_HISTORY)
        self._lowest: tuple[float, int] | None = None
        self._bin = 0
        self._verdict = LeakVerdict(trend=Trend.UNKNOWN, bytes_per_hour=None, seconds=0.0)

    def add(self, now: float, memory: int) -> None:
        """Take a sample: seconds of a monotonic clock, bytes."""
        place = int(now // self._width)
        if self._lowest is None or place > self._bin:
            if self._lowest is not None:
                self._points.append(self._lowest)
                self._verdict = self._judge()
            self._lowest, self._bin = (now, memory), place
        elif memory < self._lowest[1]:
            self._lowest = (now, memory)

    def verdict(self) -> LeakVerdict:
        """Return what the samples say, newest point included."""
        return self._verdict

    def _judge(self) -> LeakVerdict:
        begin = self._points[-1][0] - self._window
        recent = [point for point in self._points if point[0] >= begin]
        seconds = recent[-1][0] - recent[0][0]
        if seconds < self._least or len(recent) < _LEAST_POINTS:
            return LeakVerdict(trend=Trend.UNKNOWN, bytes_per_hour=None, seconds=seconds)
        per_hour = _slope(recent) * 3600
        values = [memory for _, memory in recent]
        before = [memory for _, memory in list(self._points)[: -len(recent)]]
        leaking = per_hour >= self._threshold and _significance(values) >= _SIGNIFICANT and _goes_on(values, before)
        return LeakVerdict(trend=Trend.LEAKING if leaking else Trend.STEADY, bytes_per_hour=per_hour, seconds=seconds)


def _slope(points: Sequence[tuple[float, int]]) -> float:
    """Return the median slope of all pairs of points, bytes per second: Theil (1950), Sen (1968)."""
    return _median(
        [
            (later[1] - earlier[1]) / (later[0] - earlier[0])
            for place, later in enumerate(points)
            for earlier in points[:place]
        ]
    )


def _significance(values: Sequence[int]) -> float:
    """Return Kendall's S in its standard deviations, for values in order of time: Mann (1945), Kendall (1975).

    Ties would make the deviation smaller; without that correction a verdict is the more careful one.
    """
    count = len(values)
    score = sum(
        (later > earlier) - (later < earlier) for place, later in enumerate(values) for earlier in values[:place]
    )
    return (score - 1) / math.sqrt(count * (count - 1) * (2 * count + 5) / 18)


def _goes_on(values: Sequence[int], before: Sequence[int]) -> bool:
    """Say whether growth is spread, is still going on, was not given back, and leads where memory has not been."""
    count = len(values)
    levels = [
        _level(values[place * count // _SEGMENTS : (place + 1) * count // _SEGMENTS]) for place in range(_SEGMENTS)
    ]
    growth = levels[-1] - levels[0]
    rises = [later - earlier for earlier, later in pairwise(levels)]
    last = _SEGMENTS // 3
    given_back = max(max(levels[: place + 1]) - level for place, level in enumerate(levels))
    return (
        growth > 0
        and max(rises) <= _ONE_STEP * growth
        and sum(rises[-last:]) >= _STILL_GROWING * growth * last / len(rises)
        and given_back <= _RETURNED * growth
        and levels[-1] > max(before, default=0)
    )


def _level(values: Sequence[int]) -> int:
    """Return the lower median: one that lies between two values would make two steps of one."""
    return sorted(values)[(len(values) - 1) // 2]


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
