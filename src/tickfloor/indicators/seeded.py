"""A recursive average seeded by the mean of its first n values: what ema and atr share."""

import struct

from tickfloor.indicators.protocol import LIMIT, NAN, Numbers, State
from tickfloor.indicators.recent import RecentStates

_OWN = struct.Struct("2d")
"""Values seen and level."""


class SeededAverage:
    """A recursive average, known from the ``period``-th value on; an unknown value restarts the seeding.

    ``_level`` is the sum of the seed until ``_count`` reaches the period, and the average from then on.
    """

    __slots__ = ("_count", "_level", "_period", "_recent")

    def __init__(self, period: int) -> None:
        self._period = period
        self._count = 0
        self._level = 0.0
        self._recent = RecentStates(2)

    def _follow(self, level: float, value: float) -> float:
        raise NotImplementedError

    def value_now(self, value: float) -> float:
        """Return the average as if a bar closed with this value."""
        if not -LIMIT < value < LIMIT:
            return NAN
        count = self._count
        if count == self._period:
            return self._follow(self._level, value)
        return (self._level + value) / self._period if count == self._period - 1 else NAN

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._recent.push([float(self._count), self._level])
        if not -LIMIT < value < LIMIT:
            self._count = 0
            self._level = 0.0
        elif result == result:
            self._count = self._period
            self._level = result
        else:
            self._count += 1
            self._level += value
        return result

    def _set(self, state: Numbers | None) -> None:
        count, self._level = state or (0.0, 0.0)
        self._count = int(count)

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        if bars:
            self._set(self._recent.take_back(bars))

    def state(self) -> State:
        """Return values seen, level, and the recent states."""
        return _OWN.pack(self._count, self._level) + self._recent.state()

    def restore(self, state: State) -> None:
        """Become the average that gave this state."""
        count, self._level = _OWN.unpack_from(state)
        self._count = int(count)
        self._recent.restore(state[_OWN.size :])
