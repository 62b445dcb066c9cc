"""What one instrument's columns say to the rules decided at records: looked at only when it may have changed."""

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from heapq import heappop, heappush
from math import inf
from operator import or_

import numpy as np

from tickfloor.contracts.intervals import Interval
from tickfloor.indicators.protocol import NAN
from tickfloor.traders.columns.frames import Frames
from tickfloor.traders.columns.reach import HUGE, ROUNDING
from tickfloor.traders.engine.lane_watch import LaneWatch
from tickfloor.traders.engine.layout import Layout
from tickfloor.traders.matching.pairs import Pairs

_BLOCK = 16
"""Thresholds of so many columns are put together beforehand, so that a change costs little among hundreds."""

_WEIGHT = 0.05
"""Of one trade, in what is usual."""

_SMALL = 0.1
"""Of a usual quantity: what is left alone for less than that is looked at with every trade."""


class Watch:
    """The bits that one instrument's columns set, kept up to date.

    Whatever is watched has a range of prices, and a quantity that may be traded, within which it cannot change:
    from how far its value lies from the next threshold, and how far it can move (``columns/reach.py``). It is looked
    at when a trade leaves that. What would be looked at by nearly every trade, or by nearly every one that moves the
    price, is looked at by all of them; what reads a market column, when that changes.

    Attributes:
        bits: all bits set, as of the last :meth:`look`.
        looks: how often anything was looked at.
    """

    __slots__ = (
        "_above", "_below", "_blind", "_blocks", "_due", "_ends", "_every_move", "_every_trade", "_frames", "_highs",
        "_kind", "_layout", "_lows", "_moved", "_planes", "_price", "_qty", "_rest", "_sets", "_slots", "_soonest",
        "_stale", "_step", "_thresholds", "_traded", "_until", "bits", "looks",
    )  # fmt: skip

    def __init__(self, layout: Layout, frames: Frames, looks: int = 0) -> None:
        self._layout = layout
        self._frames = frames
        part = layout.per_tick
        self._thresholds = part.thresholds
        self._slots = [each.slot for each in part.thresholds]
        count = len(layout.chains)
        self._lows = array("d", [-inf]) * count
        self._highs = array("d", [inf]) * count
        # The same memory, to be compared with a price at once.
        self._below = np.frombuffer(self._lows) if count else np.empty(0)
        self._above = np.frombuffer(self._highs) if count else np.empty(0)
        self._until = array("d", [inf]) * count
        self._ends = np.frombuffer(self._until) if count else np.empty(0)
        self._soonest: list[tuple[float, int]] = []
        """a heap of what is in ``_until``, and of what was"""
        self._kind = bytearray(count)
        """1 where no range is kept, because it is looked at often"""
        self._every_trade: set[int] = set()
        self._every_move: set[int] = set()
        self._due: set[int] = set()
        self._sets = [0] * len(part.thresholds)
        self._blocks = [0] * -(-len(part.thresholds) // _BLOCK)
        self._planes = [0] * part.index.comparing_planes
        self._stale = [layout.all]
        self._moved = False
        self._blind = False
        """whether it was looked while no minute was forming, so that ranges are counted from no price"""
        self._price = NAN
        self._traded = 0.0
        self._rest = 0.0
        """what rounding has taken from it"""
        self._step = 0.0
        self._qty = 0.0
        """the usual distance between two prices, and quantity of a trade"""
        self.bits = 0
        self.looks = looks

    # What happens

    def all_changed(self) -> None:
        """Look at everything the next time."""
        self._stale = [self._layout.all]

    def lane_changed(self, interval: Interval) -> None:
        """Look the next time at what depends on an interval, because a bar has closed or started."""
        lane = self._layout.lane(interval)
        if lane not in self._stale and self._layout.all not in self._stale:
            self._stale.append(lane)

    def market_changed(self, column: int) -> None:
        """Note that a market column has changed."""
        self._due.update(self._layout.on_market[column])

    def look_also_at(self, places: Iterable[int]) -> None:
        """Note that what is watched at these places may have changed."""
        self._due.update(places)

    def traded(self, price: float, qty: float, close: float) -> None:  # hot path
        """Note a trade in the forming bars; the close is another price only if it came out of order."""
        if self._blind:
            self._blind = False
            self.all_changed()
        due = self._due
        if self._every_trade:
            due.update(self._every_trade)
        before = self._traded
        traded = self._traded = before + qty
        # What the sum rounds off is kept beside it: many small trades count after a large one.
        self._rest += (before - traded) + qty if before >= qty else (qty - traded) + before
        traded += self._rest
        self._qty += (qty - self._qty) * _WEIGHT
        soonest = self._soonest
        while soonest and soonest[0][0] <= traded:
            until, place = heappop(soonest)
            if until == self._until[place]:
                due.add(place)
        if price != self._price:
            step = abs(price - self._price)
            if step == step:
                self._step += (step - self._step) * _WEIGHT
            self._price = close
            self._moved = True
            left = ((self._below >= price) | (self._above <= price)).nonzero()[0]
            if left.size:
                due.update(left.tolist())

    # Looking

    def look(self, price: float) -> bool:  # hot path
        """Bring the bits up to date at the present price, and say if any may have changed."""
        if price == price:
            self._price = price
        else:
            self._blind = True
        stale, self._stale = self._stale, []
        if stale:
            self._reconsider()
            for watched in stale:
                self._look_at_lane(watched)
        elif not self._due and not self._moved:
            return False
        if self._moved:
            self._moved = False
            self._due.update(self._every_move)
        changed = self._look_at(self._due)
        self._due.clear()
        if not changed and not stale:
            return False
        self.bits = reduce(or_, self._planes, reduce(or_, self._blocks, 0))
        return True

    def _reconsider(self) -> None:
        """Look at what is looked at often, and find out if it still has to be; count what is traded from zero."""
        self._due.update(place for until, place in self._soonest if until == self._until[place])
        self._soonest.clear()
        self._traded = self._rest = 0.0
        for often in (self._every_trade, self._every_move):
            self._due.update(often)
            for place in often:
                self._kind[place] = 0
            often.clear()

    def _look_at_lane(self, watched: LaneWatch) -> None:
        """Look at what closes of an interval may have changed, and find how often it has to be looked at now."""
        self._due.difference_update(watched.places)
        frames = self._frames
        frames.refresh(watched.chain)
        frames.know_reach(watched.chain, self._layout.reaches)
        self._look_at(watched.thresholds)
        self._look_at(watched.others)
        if watched.pairs is not None:
            self._look_at_pairs(watched.pairs)

    def _look_at_pairs(self, pairs: Pairs) -> None:
        is_set, room, with_price, with_volume = pairs.look(self._frames)
        self.looks += len(is_set)
        for plane, bits in enumerate(self._planes):
            mine = pairs.planes == plane
            self._planes[plane] = bits & ~pairs.mask(mine) | pairs.mask(mine & is_set)
        places = pairs.places
        room = np.where((with_price > 0.0) & (with_volume > 0.0), room * 0.5, room)
        with np.errstate(divide="ignore", invalid="ignore"):
            quantity = np.where(with_volume > 0.0, room / with_volume * (1.0 - ROUNDING) - ROUNDING * self._traded, inf)
            distance = np.where(with_price > 0.0, room / with_price - ROUNDING * abs(self._price), inf)
        near = ~(distance > self._step)
        until = self._traded + quantity
        often = ~(quantity > _SMALL * self._qty) | (until == self._traded) | near & (with_volume > 0.0)
        moving = near & ~often
        kept = ~often & ~moving
        self._below[places] = np.where(kept & (distance < inf), self._price - distance, -inf)
        self._above[places] = np.where(kept & (distance < inf), self._price + distance, inf)
        for looked_at, among in ((self._every_trade, often), (self._every_move, moving)):
            found = places[among].tolist()
            looked_at.update(found)
            for place in found:
                self._kind[place] = 1
        until = np.where(kept, until, inf)
        self._ends[places] = until
        for number in np.flatnonzero(until < inf).tolist():
            heappush(self._soonest, (float(until[number]), int(places[number])))

    def _look_at(self, places: Collection[int]) -> bool:  # hot path
        """Look at what is watched at these places, and say if any bit has changed."""
        layout, frames, kind, sets = self._layout, self._frames, self._kind, self._sets
        now, with_price, chains = frames.now, frames.with_price, layout.chains
        slots, thresholds = self._slots, self._thresholds
        count = len(slots)
        comparings = []
        blocks = set()
        frames.refresh_all(chains, places)
        for place in places:
            if place >= count:
                comparings.append(place)
                continue
            watched, slot = thresholds[place], slots[place]
            value = now[slot]
            if value == value:
                cuts = watched.cuts
                gap = bisect_right(cuts, value)
                bits = watched.sets[gap]
                if not kind[place]:
                    room = value - cuts[gap - 1] if gap else inf
                    if gap < len(cuts) and cuts[gap] - value < room:
                        room = cuts[gap] - value
                    if not -HUGE < value < HUGE:  # next to where values become unknown
                        room = 0.0
                    if with_price[slot] != with_price[slot]:
                        frames.know_reach(chains[place], layout.reaches)
                    self._keep(place, room - ROUNDING * abs(value), with_price[slot], frames.with_volume[slot])
            else:
                bits = watched.unknown
                if not kind[place]:
                    frames.know_reach(chains[place], layout.reaches)
                    self._keep(place, 0.0, with_price[slot], frames.with_volume[slot])
            if bits is not sets[place]:
                sets[place] = bits
                blocks.add(place // _BLOCK)
        for block in blocks:
            self._blocks[block] = reduce(or_, sets[block * _BLOCK : (block + 1) * _BLOCK])
        self.looks += len(places)
        return self._compare(comparings) or bool(blocks)

    def _compare(self, places: Sequence[int]) -> bool:  # hot path
        layout, frames, kind, planes = self._layout, self._frames, self._kind, self._planes
        comparing, count = layout.per_tick.comparing, len(self._slots)
        changed = False
        for place in places:
            watched = comparing[place - count]
            if not kind[place]:
                frames.know_reach(layout.chains[place], layout.reaches)
                holds, room, with_price, with_volume = watched.look(frames)
                self._keep(place, room, with_price, with_volume)
            else:
                holds = watched.test(frames.now, frames.closed)
            plane = watched.plane
            if (holds is watched.set_if) is not (planes[plane] >> watched.bit & 1 == 1):
                planes[plane] ^= 1 << watched.bit
                changed = True
        return changed

    def _keep(self, place: int, room: float, with_price: float, with_volume: float) -> None:
        """Leave alone what is watched while the price moves little, and little is traded.

        Args:
            room: how far its value is from where anything changes.
            with_price, with_volume: its reaches.
        """
        price = self._price
        if with_price:
            if with_volume:
                room *= 0.5
            # What is rounded off may tip the balance, so the range ends a little earlier.
            distance = room / with_price - ROUNDING * abs(price)
            if not distance > self._step:  # also while there has been no price
                self._look_often(place, self._every_trade if with_volume else self._every_move)
                return
        else:
            distance = inf
        if with_volume:
            quantity = room / with_volume * (1.0 - ROUNDING) - ROUNDING * self._traded
            until = self._traded + quantity
            if not quantity > _SMALL * self._qty or until == self._traded:
                self._look_often(place, self._every_trade)
                return
            self._until[place] = until
            if until < inf:
                heappush(self._soonest, (until, place))
        else:
            self._until[place] = inf
        self._lows[place] = price - distance if distance < inf else -inf
        self._highs[place] = price + distance if distance < inf else inf

    def _look_often(self, place: int, often: set[int]) -> None:
        self._kind[place] = 1
        self._lows[place] = -inf
        self._highs[place] = inf
        self._until[place] = inf
        often.add(place)
