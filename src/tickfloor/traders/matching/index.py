"""Rules as bits, shared by all instruments: which comparison sets which bit, and which rules hold with which bits.

A rule that joins its comparisons with ``and`` has one bit, set while any of them fails. One that joins them with
``or`` has one that is set while any of them holds. So all comparisons of all rules are put together by one "or" over
the columns. What is joined within a rule once more, as in ``a and (b or c)``, has a bit of its own in a further
plane at the same place; what is nested deeper is decided as written.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tickfloor.contracts.intervals import Interval
from tickfloor.traders.columns.slots import Columns
from tickfloor.traders.language.nodes import All, Any, Atom, Clock, Column, Condition
from tickfloor.traders.language.vocabulary import Input
from tickfloor.traders.matching.comparisons import Comparing
from tickfloor.traders.matching.regions import EVERYWHERE, Region, elsewhere, threshold
from tickfloor.traders.matching.rule import Rule
from tickfloor.traders.matching.thresholds import Thresholds

_FEWEST_PLACES = 256
_PLANES = 4
"""One for the rules themselves, the others for what is joined once more within them."""
_FEW = 16
"""Bits that are found one by one."""
_MANY = 32
"""From so many new rules on, columns are made anew instead of being added to."""

Watched = Thresholds | Comparing
PutOff = dict[Thresholds, list[tuple[int, list[Region], bool]]]


class _Join(NamedTuple):
    """Conditions joined by one bit."""

    every: bool
    conditions: list[Condition]


class RuleIndex:
    """All rules that are decided at the same moments.

    Attributes:
        rules: by place.
        places: of the rules, by name.
        every, some: the places of the rules that join with ``and``, with ``or``.
        joined: per further plane, the places that have a bit in it.
        by_input: per kind of record, the places of the rules that are decided on it.
        crossing: per interval, the places of the rules with a crossing, which its closes move.
        timed, elsewhere: the places of the rules that read the time, or another instrument.
        stride: bits of a plane.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._thresholds: dict[Column, Thresholds] = {}
        self._free: list[int] = []
        self.rules: list[Rule | None] = []
        self.places: dict[str, int] = {}
        self.watched: dict[str, tuple[Watched, ...]] = {}
        """by the name of the rule, everything that sets its bits"""
        self.stride = _FEWEST_PLACES
        self._clear()

    def _clear(self) -> None:
        self.watched.clear()
        self.every = self.some = 0
        self.joined = [0] * (_PLANES - 1)
        self.by_input = {int(input_): 0 for input_ in Input}
        self.crossing = [0] * len(Interval)
        self.timed = self.elsewhere = 0
        self.comparing_planes = 1

    # Rules

    def add(self, rules: Sequence[Rule]) -> bool:
        """Take rules in, and say if the bits of those that were here are others now; their places stay."""
        entered = [(rule, self._place(rule)) for rule in rules]
        grown = len(self.rules) > self.stride
        if grown:
            # An eighth more than needed: a plane's width is paid for in every set of every column.
            self.stride = -(-len(self.rules) * 9 // (8 * _FEWEST_PLACES)) * _FEWEST_PLACES
            self._thresholds.clear()
            self._clear()
            entered = [(rule, place) for place, rule in enumerate(self.rules) if rule is not None]
        put_off: PutOff | None = {} if len(entered) >= _MANY else None
        for rule, place in entered:
            self._enter(rule, place, put_off)
        for thresholds, added in (put_off or {}).items():
            thresholds.add_all(added)
        return grown

    def _place(self, rule: Rule) -> int:
        if self._free:
            place = self._free.pop()
            self.rules[place] = rule
        else:
            place = len(self.rules)
            self.rules.append(rule)
        self.places[rule.spec.name] = place
        return place

    def _enter(self, rule: Rule, place: int, put_off: "PutOff | None") -> None:
        mask = 1 << place
        root, inner = _joins(rule.plan.condition)
        if root.every:
            self.every |= mask
        else:
            self.some |= mask
        for input_ in self.by_input:
            if rule.plan.inputs & input_:
                self.by_input[input_] |= mask
        if rule.plan.crosses:
            self.crossing[rule.plan.interval] |= mask
        if any(isinstance(column, Clock) for column in rule.plan.columns):
            self.timed |= mask
        if rule.plan.elsewhere:
            self.elsewhere |= mask
        watched: dict[Watched, None] = {}
        for plane, join in enumerate((root, *inner)):
            if plane:
                self.joined[plane - 1] |= mask
            self._watch(rule, join, place + plane * self.stride, watched, put_off)
        self.watched[rule.spec.name] = tuple(watched)

    def _watch(
        self,
        rule: Rule,
        join: _Join,
        bit: int,
        watched: dict[Watched, None],
        put_off: "PutOff | None",
    ) -> None:
        compared = 0
        for condition in join.conditions:
            found = threshold(condition) if isinstance(condition, Atom) else None
            if found is None:
                comparing = Comparing(condition, rule, self._columns, bit, compared, set_if=not join.every)
                watched[comparing] = None
                compared += 1
                continue
            column, regions = found
            thresholds = self._thresholds.get(column)
            if thresholds is None:
                thresholds = self._thresholds[column] = Thresholds(column, self._columns)
            # The bit of an "and" says that something fails, and what is unknown fails.
            where = elsewhere(regions) if join.every else regions
            if not regions:
                where = [EVERYWHERE] if join.every else []
            if put_off is None:
                thresholds.add(bit, where, unknown=join.every)
            else:
                put_off.setdefault(thresholds, []).append((bit, where, join.every))
            watched[thresholds] = None
        self.comparing_planes = max(self.comparing_planes, compared)

    def remove(self, names: Iterable[str]) -> int:
        """Take rules out and return their places as bits: nobody may take them for those of other rules."""
        gone = 0
        for name in names:
            place = self.places.pop(name)
            gone |= 1 << place
            self.rules[place] = None
            self._free.append(place)
            for each in self.watched.pop(name):
                if isinstance(each, Thresholds):
                    for plane in range(_PLANES):
                        each.remove(place + plane * self.stride)
                    if not each:
                        del self._thresholds[each.column]
        self.every &= ~gone
        self.some &= ~gone
        self.joined = [mask & ~gone for mask in self.joined]
        self.by_input = {input_: mask & ~gone for input_, mask in self.by_input.items()}
        self.crossing = [mask & ~gone for mask in self.crossing]
        self.timed &= ~gone
        self.elsewhere &= ~gone
        return gone

    # Questions

    def decided_on(self, inputs: int) -> int:
        """Return the places of the rules that records of these kinds decide."""
        decided = 0
        for input_, places in self.by_input.items():
            if inputs & input_:
                decided |= places
        return decided

    def compared(self, name: str) -> int:
        """Return how many conditions of a rule are decided as written."""
        return sum(isinstance(each, Comparing) for each in self.watched[name])

    def bits(self, names: Iterable[str]) -> int:
        """Return the places of those rules that are here, as bits."""
        places = self.places
        return bits_of([places[name] for name in names if name in places])

    def at(self, bits: int) -> list[Rule]:
        """Return the rules at these places."""
        found = [self.rules[place] for place in places_of(bits)]
        return [rule for rule in found if rule is not None]

    def holding(self, bits: int) -> int:
        """Return the places of the rules that hold, from all bits that are set."""
        every, some = self.every, self.some
        stride = self.stride
        # What is joined within an "and" is an "or", and the other way round.
        held, found = every & ~bits, some & bits
        for plane, joined in enumerate(self.joined, 1):
            if not joined:
                break
            inner = bits >> plane * stride
            held &= inner | ~joined
            found |= joined & some & ~inner
        return held | found


def _joins(condition: Condition) -> tuple[_Join, list[_Join]]:
    """Return how a rule joins its conditions, and what it joins once more within that."""
    every = not isinstance(condition, Any)
    root = _Join(every, [])
    inner: list[_Join] = []
    for part in _parts(condition, All if every else Any):
        parts = _parts(part, Any if every else All)
        if len(parts) == 1 or len(inner) == _PLANES - 1 or not all(isinstance(each, Atom) for each in parts):
            root.conditions.append(part)
        else:
            inner.append(_Join(not every, parts))
    return root, inner


def _parts(condition: Condition, join: type[All | Any]) -> list[Condition]:
    """Return what a condition joins in this way, however it is nested."""
    if not isinstance(condition, join):
        return [condition]
    return [part for inner in condition.conditions for part in _parts(inner, join)]


def bits_of(places: Iterable[int]) -> int:
    """Return numbers as the bits of one."""
    digits = bytearray()
    for place in places:
        at = place >> 3
        if at >= len(digits):
            digits.extend(bytes(at + 1 - len(digits)))
        digits[at] |= 1 << (place & 7)
    return int.from_bytes(digits, "little")


def places_of(bits: int) -> list[int]:
    """Return the numbers of the bits that are set, ascending."""
    if bits.bit_count() > _FEW:
        digits = np.frombuffer(bits.to_bytes((bits.bit_length() + 7) // 8, "little"), dtype=np.uint8)
        found: list[int] = np.flatnonzero(np.unpackbits(digits, bitorder="little")).tolist()
        return found
    places = []
    while bits:
        lowest = bits & -bits
        places.append(lowest.bit_length() - 1)
        bits ^= lowest
    return places
