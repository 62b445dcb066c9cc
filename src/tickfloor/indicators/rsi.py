"""Relative strength index with Wilder's averages, 0 to 100. Formula: TA-Lib RSI."""

import struct

from tickfloor.indicators.protocol import LIMIT, NAN, Numbers, State
from tickfloor.indicators.recent import RecentStates

_OWN = struct.Struct("4d")
"""Changes seen, last value, and the averages."""


class Rsi:
    """Relative strength index, known from the bar with index ``period``; an unknown value restarts the seeding.

    Without any movement it is 0, as in TA-Lib.

    ``_gain`` and ``_loss`` are the sums of the seed until ``_count`` changes reach the period, averages from then on.
    """

    __slots__ = ("_count", "_gain", "_loss", "_period", "_previous", "_recent")

    def __init__(self, period: int) -> None:
        self._period = period
        self._count = 0
        self._previous = NAN
        self._gain = 0.0
        self._loss = 0.0
        self._recent = RecentStates(4)

    def _averages(self, value: float) -> tuple[float, float]:
        """Return the averages of gain and loss, or their sums while seeding, after one more value."""
        change = value - self._previous
        gain = self._gain
        loss = self._loss
        count = self._count
        period = self._period
        if count == period:
            gain *= period - 1
            loss *= period - 1
        if change > 0.0:
            gain += change
        else:
            loss -= change
        if count >= period - 1:
            gain /= period
            loss /= period
        return gain, loss

    def value_now(self, value: float) -> float:
        """Return the index as if a bar closed with this value."""
        if self._count < self._period - 1 or not -LIMIT < value < LIMIT or self._previous != self._previous:
            return NAN
        gain, loss = self._averages(value)
        total = gain + loss
        return 100.0 * (gain / total) if total else 0.0

    def close(self, value: float) -> float:
        """Commit a closed bar's value."""
        result = self.value_now(value)
        self._recent.push(self._numbers())
        if not -LIMIT < value < LIMIT:
            self._set(None)
            return result
        if self._previous == self._previous:
            self._gain, self._loss = self._averages(value)
            self._count = min(self._count + 1, self._period)
        self._previous = value
        return result

    def _numbers(self) -> Numbers:
        return [float(self._count), self._previous, self._gain, self._loss]

    def _set(self, numbers: Numbers | None) -> None:
        count, self._previous, self._gain, self._loss = numbers or (0.0, NAN, 0.0, 0.0)
        self._count = int(count)

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        if bars:
            self._set(self._recent.take_back(bars))

    def state(self) -> State:
        """Return changes seen, last value, averages, and the recent states."""
        return _OWN.pack(*self._numbers()) + self._recent.state()

    def restore(self, state: State) -> None:
        """Become the index that gave this state."""
        count, self._previous, self._gain, self._loss = _OWN.unpack_from(state)
        self._count = int(count)
        self._recent.restore(state[_OWN.size :])
