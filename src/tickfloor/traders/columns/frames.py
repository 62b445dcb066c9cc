"""An instrument's columns now, at the last closed bar and at the one before, one slot each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tickfloor.indicators.protocol import NAN, Indicator
from tickfloor.traders.columns.evaluate import Frame
from tickfloor.traders.columns.reach import Reach, times

Function = Callable[[Any], float]

FRAME = -1
"""Stands for the slot of an input where a column is computed from the whole frame."""


def _same(value: float) -> float:
    return value


class Frames:
    """Columns of one instrument.

    What is computed from other columns is computed when somebody asks for it, and once in a tick.

    Attributes:
        now, closed, before: by slot; NaN where unknown. Columns that are computed are up to date in ``now`` only
            after :meth:`refresh`.
        tick: grows with everything that changes a column that is not computed.
        with_price, with_volume: by slot, how far the column moves with the price and the quantity traded; NaN where
            nobody has asked since its interval last closed.
    """

    __slots__ = (
        "_forming", "_functions", "_indicators", "_sources", "_stamps", "before", "closed", "now", "tick", "with_price",
        "with_volume",
    )  # fmt: skip

    def __init__(self) -> None:
        self.now: Frame = []
        self.closed: Frame = []
        self.before: Frame = []
        self.tick = 0
        self._stamps: list[int] = []
        self._sources: list[int] = []
        self._functions: list[Function] = []
        self._forming: list[tuple[int, Function]] = []
        """by slot, source and function while its bar is forming"""
        self._indicators: list[Indicator | None] = []
        self.with_price: list[float] = []
        self.with_volume: list[float] = []

    def widen(self, width: int) -> None:
        """Have at least so many slots."""
        more = width - len(self.now)
        if more > 0:
            for frame in (self.now, self.closed, self.before, self.with_price, self.with_volume):
                frame.extend([NAN] * more)
            self._stamps.extend([-1] * more)
            self._sources.extend(range(len(self._sources), width))
            self._functions.extend([_same] * more)
            self._forming.extend([(FRAME, _same)] * more)
            self._indicators.extend([None] * more)

    def compute(self, slot: int, source: int, function: Function, indicator: Indicator | None = None) -> None:
        """Compute a slot, once it is released, with a function of the one it is computed from or of the frame."""
        self._forming[slot] = source, function
        self._indicators[slot] = indicator

    def release(self, slots: Iterable[int]) -> None:
        """Compute these slots when they are asked for, because their bar is forming."""
        for slot in slots:
            self._sources[slot], self._functions[slot] = self._forming[slot]
            self._stamps[slot] = -1

    def hold(self, slots: Iterable[int]) -> None:
        """Let these slots be as they are, because no bar is forming."""
        for slot in slots:
            self._sources[slot], self._functions[slot] = slot, _same

    def give_up(self, slot: int) -> None:
        """Know nothing of a slot any more."""
        self.hold((slot,))
        self._indicators[slot] = None
        self.now[slot] = self.closed[slot] = self.before[slot] = self.with_price[slot] = NAN

    def refresh(self, chain: Sequence[int]) -> None:  # hot path
        """Bring computed columns up to date, given in an order in which inputs come first."""
        now, stamps, sources, functions, tick = self.now, self._stamps, self._sources, self._functions, self.tick
        for slot in chain:
            if stamps[slot] != tick:
                stamps[slot] = tick
                source = sources[slot]
                now[slot] = functions[slot](now if source < 0 else now[source])

    def refresh_all(self, chains: Sequence[Sequence[int]], places: Iterable[int]) -> None:  # hot path
        """Bring up to date what the chains at these places name; as :meth:`refresh` of each."""
        now, stamps, sources, functions, tick = self.now, self._stamps, self._sources, self._functions, self.tick
        for place in places:
            for slot in chains[place]:
                if stamps[slot] != tick:
                    stamps[slot] = tick
                    source = sources[slot]
                    now[slot] = functions[slot](now if source < 0 else now[source])

    # How far columns can move, see reach.py

    def forget_reach(self, slots: Iterable[int]) -> None:
        """Ask for the reach of these columns anew, because a bar has closed."""
        for slot in slots:
            self.with_price[slot] = NAN

    def set_reach(self, slot: int, with_price: float, with_volume: float) -> None:
        """Say how far a column that is not computed can move."""
        self.with_price[slot] = with_price
        self.with_volume[slot] = with_volume

    def know_reach(self, chain: Sequence[int], of_slots: Mapping[int, tuple[int, ...] | Reach]) -> None:
        """Have the reach of computed columns, given in an order in which inputs come first."""
        with_price, with_volume = self.with_price, self.with_volume
        for slot in chain:
            if with_price[slot] == with_price[slot]:
                continue
            found = of_slots[slot]
            if isinstance(found, tuple):
                indicator = self._indicators[slot]
                assert indicator is not None
                sensitivity = indicator.sensitivity()
                for reaches in (with_price, with_volume):
                    furthest = max([reaches[source] for source in found])
                    reaches[slot] = times(sensitivity, furthest)
            else:
                for reaches in (with_price, with_volume):
                    reaches[slot] = found(reaches)
