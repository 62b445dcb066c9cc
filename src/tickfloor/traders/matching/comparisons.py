"""Conditions that are no comparison of a column with a constant: decided as written, each by itself."""

from math import inf
from typing import NamedTuple

from tickfloor.indicators.protocol import LIMIT
from tickfloor.traders.columns.evaluate import Slots, Test, Value, test_of, value_of
from tickfloor.traders.columns.frames import Frames
from tickfloor.traders.columns.reach import HUGE, ROUNDING, Reach, reach_of, times
from tickfloor.traders.columns.slots import Columns
from tickfloor.traders.language.nodes import (
    MIRRORED,
    Arithmetic,
    Column,
    Comparison,
    Condition,
    Cross,
    Number,
    NumberNode,
    atoms,
    columns_of,
)
from tickfloor.traders.matching.reading import reading
from tickfloor.traders.matching.rule import Rule

Distance = tuple[float, float, float]
"""How far an answer is from changing, and how far what it compares moves with price and volume."""


class Comparing:
    """One condition, and one bit that says whether it holds.

    Attributes:
        bit, plane: its bit, in the plane that is its own among the conditions with this bit.
        set_if: on which answer the bit is set.
        test: decides it on a current and a previous frame.
        reading: the columns it reads now.
        pair: what it compares if that is a column with another one, or with another one times a factor; else None.
        sides: of each comparison in it, both sides and their reaches.
    """

    __slots__ = ("bit", "pair", "plane", "reading", "set_if", "sides", "test")

    def __init__(
        self, condition: Condition, rule: Rule, columns: Columns, bit: int, plane: int, *, set_if: bool
    ) -> None:
        slot_of = columns.slot
        self.bit = bit
        self.plane = plane
        self.set_if = set_if
        read = tuple(dict.fromkeys(column for atom in atoms(condition) for column in columns_of(atom)))
        crosses = any(isinstance(atom, Cross) for atom in atoms(condition))
        self.reading = reading(read, columns, [rule.plan.interval] if crosses else [])
        self.sides = _sides(condition, slot_of)
        self.pair = _pair(condition, slot_of)
        self.test: Test = test_of(condition, slot_of, rule.slot_then) if self.pair is None else _test(self.pair)

    def look(self, frames: Frames) -> tuple[bool, float, float, float]:  # hot path
        """Decide on the columns as they are now.

        Returns:
            Whether the condition holds; how far it is from changing its answer; and its reaches with price and volume,
            such that the answer stays while what moves is less than that. Zero where that cannot be said.
        """
        holds = self.test(frames.now, frames.closed)
        room, with_price, with_volume = self._distance(frames) if self.pair is None else _apart(self.pair, frames)
        return holds, room, with_price, with_volume

    def _distance(self, frames: Frames) -> Distance:
        """Nothing changes while the side that moves furthest moves by less than the least room."""
        least, furthest_with_price, furthest_with_volume = inf, 0.0, 0.0
        for left, right, reach_left, reach_right in self.sides:
            one, other = left(frames.now), right(frames.now)
            least = min(least, _room(one, other))
            with_price = reach_left(frames.with_price) + reach_right(frames.with_price)
            with_volume = reach_left(frames.with_volume) + reach_right(frames.with_volume)
            furthest_with_price = max(furthest_with_price, with_price)
            furthest_with_volume = max(furthest_with_volume, with_volume)
        return least, furthest_with_price, furthest_with_volume


def _room(one: float, other: float) -> float:
    size = abs(one) + abs(other)
    # Next to where values become unknown, or unknown, nothing is left alone.
    return abs(one - other) - ROUNDING * size if size < HUGE else 0.0


def _apart(pair: "Pair", frames: Frames) -> Distance:  # hot path
    _, left, factor, right = pair
    now, with_price, with_volume = frames.now, frames.with_price, frames.with_volume
    size = abs(factor)
    return (
        _room(now[left], now[right] * factor),
        with_price[left] + times(size, with_price[right]),
        with_volume[left] + times(size, with_volume[right]),
    )


class Pair(NamedTuple):
    """``left < factor * right``, or with another of the four operators that order."""

    operator: str
    left: int
    factor: float
    right: int


def _pair(condition: Condition, slot_of: Slots) -> Pair | None:
    match condition:
        case Comparison(operator="<" | "<=" | ">" | ">=" as operator, left=left, right=right):
            if isinstance(left, Column):
                found = _times(right, slot_of)
                return None if found is None else Pair(operator, slot_of(left), *found)
            found = _times(left, slot_of)
            if isinstance(right, Column) and found is not None:
                return Pair(MIRRORED[operator], slot_of(right), *found)
    return None


def _test(pair: Pair) -> Test:
    """Return what decides a pair. As the rule language multiplies: what is too large is unknown, and compares false."""
    operator, left, factor, right = pair
    match operator:
        case "<":
            return lambda now, _: now[left] < factor * now[right] < LIMIT
        case "<=":
            return lambda now, _: now[left] <= factor * now[right] < LIMIT
        case ">":
            return lambda now, _: now[left] > factor * now[right] > -LIMIT
        case _:
            return lambda now, _: now[left] >= factor * now[right] > -LIMIT


def _times(node: NumberNode, slot_of: Slots) -> tuple[float, int] | None:
    match node:
        case Arithmetic(operator="*", left=Number(value=factor), right=column) if isinstance(column, Column):
            return factor, slot_of(column)
        case Arithmetic(operator="*", left=column, right=Number(value=factor)) if isinstance(column, Column):
            return factor, slot_of(column)
        case _:
            return (1.0, slot_of(node)) if isinstance(node, Column) else None


Side = tuple[Value, Value, Reach, Reach]


def _sides(condition: Condition, slot_of: Slots) -> list[Side]:
    return [
        (
            value_of(atom.left, slot_of),
            value_of(atom.right, slot_of),
            reach_of(atom.left, slot_of),
            reach_of(atom.right, slot_of),
        )
        for atom in atoms(condition)
        if isinstance(atom, Comparison | Cross)
    ]
