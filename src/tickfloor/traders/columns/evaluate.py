"""Conditions and numbers as functions over a frame of columns.

A frame is a list of floats, one per column slot, NaN where unknown. There are three per instrument: the columns
now, at the last closed bar and at the one before. A per-tick rule is tested on (now, closed), an at-close rule
on (closed, before). Each column is at the closed bars of its own interval, so what a crossing reads of another
interval in the previous frame has a slot of its own (:class:`~tickfloor.traders.language.nodes.Stood`). Conditions
come without ``not`` (see ``language/negate.py``), so an unknown operand simply makes a test false.
"""

from collections.abc import Callable

from tickfloor.indicators.protocol import NAN
from tickfloor.traders.language.fold import ARITHMETIC, CALCULATIONS
from tickfloor.traders.language.negate import without_not
from tickfloor.traders.language.nodes import (
    MIRRORED,
    All,
    Any,
    Arithmetic,
    BarValue,
    Calculation,
    Column,
    Comparison,
    Condition,
    Cross,
    Formula,
    IndicatorValue,
    Market,
    Negative,
    Number,
    NumberNode,
    QualityIs,
    Truth,
)

Frame = list[float]
Value = Callable[[Frame], float]
ColumnValue = Callable[[Frame, Frame], float]
"""A computed column from the frames of a bar and of the bar before."""
Test = Callable[[Frame, Frame], bool]
Slots = Callable[[NumberNode], int]


def value_of(node: NumberNode, slot_of: Slots) -> Value:
    """Return the function that computes a number node from a frame that holds its columns."""
    match node:
        case Number(value=constant):
            return lambda frame: constant  # noqa: ARG005
        case Arithmetic():
            return _arithmetic(node, slot_of)
        case Negative(operand=operand):
            inner = value_of(operand, slot_of)
            return lambda frame: -inner(frame)
        case Calculation(function=name, operands=several):
            function = CALCULATIONS[name]
            values = [value_of(operand, slot_of) for operand in several]
            return lambda frame: function(*[value(frame) for value in values])
        case _:
            slot = slot_of(node)
            return lambda frame: frame[slot]


def column_value(node: NumberNode, slot_of: Slots) -> ColumnValue:
    """Return the function that computes a column which is no indicator."""
    match node:
        case Truth(condition=condition):
            holds = test_of(condition, slot_of, slot_of)
            holds_not = test_of(without_not(condition, negated=True), slot_of, slot_of)
            return lambda now, then: 1.0 if holds(now, then) else 0.0 if holds_not(now, then) else NAN
        case Formula(expression=expression):
            value = value_of(expression, slot_of)
            return lambda now, _: value(now)
        case _:
            value = value_of(node, slot_of)
            return lambda now, _: value(now)


def _arithmetic(node: Arithmetic, slot_of: Slots) -> Value:
    function = ARITHMETIC[node.operator]
    match node:
        case Arithmetic(left=Number(value=constant), right=Market() | BarValue() | IndicatorValue() as column):
            slot = slot_of(column)
            return lambda frame: function(constant, frame[slot])
        case Arithmetic(left=Market() | BarValue() | IndicatorValue() as column, right=Number(value=constant)):
            slot = slot_of(column)
            return lambda frame: function(frame[slot], constant)
        case _:
            left, right = value_of(node.left, slot_of), value_of(node.right, slot_of)
            return lambda frame: function(left(frame), right(frame))


def test_of(condition: Condition, slot_of: Slots, slot_then: Slots) -> Test:
    """Return the function that decides a condition on a current and a previous frame, each with its slots."""
    match condition:
        case All(conditions=conditions):
            return _all([test_of(inner, slot_of, slot_then) for inner in conditions])
        case Any(conditions=conditions):
            return _any([test_of(inner, slot_of, slot_then) for inner in conditions])
        case Comparison():
            return _comparison(condition, slot_of)
        case QualityIs(column=column, quality=quality, negated=negated):
            return _compare_constant("!=" if negated else "==", slot_of(column), float(quality))
        case Cross():
            return _cross(condition, slot_of, slot_then)
        case _:
            raise TypeError(f"{condition} has to come without `not`")


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda current, previous: first(current, previous) and second(current, previous)

    def test(current: Frame, previous: Frame) -> bool:
        for each in tests:  # noqa: SIM110  hot path: a generator costs more than the tests
            if not each(current, previous):
                return False
        return True

    return test


def _any(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda current, previous: first(current, previous) or second(current, previous)

    def test(current: Frame, previous: Frame) -> bool:
        for each in tests:  # noqa: SIM110  hot path: a generator costs more than the tests
            if each(current, previous):
                return True
        return False

    return test


def _against_constant(comparison: Comparison) -> tuple[NumberNode, float] | None:
    """Return column and constant of a comparison of the two, else None."""
    left, right = comparison.left, comparison.right
    if isinstance(left, Number):
        left, right = right, left
    computed = isinstance(left, Arithmetic | Negative | Calculation | Number)
    return (left, right.value) if isinstance(right, Number) and not computed else None


def _comparison(node: Comparison, slot_of: Slots) -> Test:
    found = _against_constant(node)
    if found is None:
        if isinstance(node.left, Column):
            return _compare_column(node.operator, slot_of(node.left), value_of(node.right, slot_of))
        if isinstance(node.right, Column):
            return _compare_column(MIRRORED[node.operator], slot_of(node.right), value_of(node.left, slot_of))
        return _compare_values(node.operator, value_of(node.left, slot_of), value_of(node.right, slot_of))
    operator = MIRRORED[node.operator] if isinstance(node.left, Number) else node.operator
    return _compare_constant(operator, slot_of(found[0]), found[1])


# One closure per operator and shape below: calls are most of what a thousand traders cost. An unknown operand makes
# every comparison but != false by itself.


def _compare_constant(operator: str, slot: int, constant: float) -> Test:
    match operator:
        case "<":
            return lambda current, _: current[slot] < constant
        case "<=":
            return lambda current, _: current[slot] <= constant
        case ">":
            return lambda current, _: current[slot] > constant
        case ">=":
            return lambda current, _: current[slot] >= constant
        case "==":
            return lambda current, _: current[slot] == constant
        case _:
            return lambda current, _: current[slot] != constant == constant and current[slot] == current[slot]


def _compare_column(operator: str, slot: int, value: Value) -> Test:
    match operator:
        case "<":
            return lambda current, _: current[slot] < value(current)
        case "<=":
            return lambda current, _: current[slot] <= value(current)
        case ">":
            return lambda current, _: current[slot] > value(current)
        case ">=":
            return lambda current, _: current[slot] >= value(current)
        case _:
            return _compare_values(operator, lambda frame: frame[slot], value)


def _compare_values(operator: str, left: Value, right: Value) -> Test:
    match operator:
        case "<":
            return lambda current, _: left(current) < right(current)
        case "<=":
            return lambda current, _: left(current) <= right(current)
        case ">":
            return lambda current, _: left(current) > right(current)
        case ">=":
            return lambda current, _: left(current) >= right(current)
        case "==":
            return lambda current, _: left(current) == right(current)
        case _:

            def test(current: Frame, _: Frame) -> bool:
                one, other = left(current), right(current)
                return one != other and one == one and other == other

            return test


def _cross(node: Cross, slot_of: Slots, slot_then: Slots) -> Test:
    lower, upper = (node.right, node.left) if node.above else (node.left, node.right)
    if isinstance(lower, Column) and isinstance(upper, Column) and not node.negated:
        below, above, below_then, above_then = slot_of(lower), slot_of(upper), slot_then(lower), slot_then(upper)
        return lambda now, then: now[above] > now[below] and then[above_then] <= then[below_then]
    low, high = value_of(lower, slot_of), value_of(upper, slot_of)
    low_before, high_before = value_of(lower, slot_then), value_of(upper, slot_then)
    if not node.negated:
        return lambda now, then: high(now) > low(now) and high_before(then) <= low_before(then)

    def test(now: Frame, then: Frame) -> bool:
        high_now, low_now, high_then, low_then = high(now), low(now), high_before(then), low_before(then)
        unknown = high_now != high_now or low_now != low_now or high_then != high_then or low_then != low_then
        return not unknown and not (high_now > low_now and high_then <= low_then)

    return test
