"""What the indicators over a market profile share: the profile of the last n closed bars."""

from typing import ClassVar

import numpy as np

from tickfloor.indicators.protocol import LIMIT, NAN, PERIOD, Parameter, State, Values
from tickfloor.indicators.recent_columns import RecentColumns
from tickfloor.indicators.sliding import PRODUCT_LIMIT
from tickfloor.indicators.volume_profile import Level, VolumeProfile


class ClosedProfile:
    """Market profile of the ``period`` closed bars before the current one, which is not part of it.

    Known from the bar with index ``period`` on. A bar is unknown if its low is not above zero or its volume below it;
    with an unknown bar among them, or no volume at all, the profile is unknown. It changes at a close only.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (PERIOD,)
    __slots__ = ("_bars", "_known", "_period", "_profile")

    def __init__(self, period: int) -> None:
        self._period = period
        self._bars = RecentColumns(3, period)
        """highs, lows and volumes"""
        self._profile = VolumeProfile()
        self._known = 0
        """known bars in the profile"""
        self._read_profile()

    def _read(self, levels: list[Level], total: int) -> None:
        """Take what the indicator needs from a changed profile; without levels it is unknown."""
        raise NotImplementedError

    def _read_profile(self) -> None:
        is_known = self._known == self._period
        self._read(self._profile.levels() if is_known else [], self._profile.total)

    def _change(self, back: int, sign: int) -> None:
        """Add the bar that is the ``back``-th from the end to the profile, or take it away."""
        high, low, volume = (column.values[-back] for column in self._bars.columns)
        if volume == volume:
            self._profile.change(low, high, volume, sign)
            self._known += sign

    def value_now(self, high: float, low: float, volume: float, *rest: float) -> float:
        """Return the value that the closed bars give."""
        raise NotImplementedError

    def close(self, high: float, low: float, volume: float, *rest: float) -> float:
        """Commit a closed bar's prices and volume."""
        result = self.value_now(high, low, volume, *rest)
        is_known = 0.0 < low <= high < LIMIT and 0.0 <= volume < PRODUCT_LIMIT
        self._bars.push(*((high, low, volume) if is_known else (NAN, NAN, NAN)))
        self._change(1, 1)
        if len(self._bars.columns[0].values) > self._period:
            self._change(self._period + 1, -1)
        self._read_profile()
        return result

    def over(self, *inputs: Values) -> Values:
        """Return the values at every bar of a history, one bar after the other."""
        fresh = type(self)(self._period)
        bars = zip(*(each.tolist() for each in inputs), strict=True)
        return np.array([fresh.close(*bar) for bar in bars], dtype=np.float64)

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        for _ in range(min(bars, len(self._bars.columns[0].values))):
            self._change(1, -1)
            if len(self._bars.columns[0].values) > self._period:
                self._change(self._period + 1, 1)
            self._bars.rewind(1)
        self._read_profile()

    def state(self) -> State:
        """Return the kept bars."""
        return self._bars.state()

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        self._bars.restore(state)
        self._profile = VolumeProfile()
        self._known = 0
        for back in range(1, min(self._period, len(self._bars.columns[0].values)) + 1):
            self._change(back, 1)
        self._read_profile()
