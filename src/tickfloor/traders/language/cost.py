"""What columns cost, in units of about a tenth of a microsecond whenever the instrument changes."""

from tickfloor.traders.language.nodes import (
    Arithmetic,
    Calculation,
    Column,
    Elsewhere,
    Formula,
    IndicatorValue,
    Negative,
    NumberNode,
    Truth,
    operands,
)
from tickfloor.traders.language.vocabulary import MOST_COST

INDICATOR = 4
"""Of most indicators, however long their period is."""

_DEARER = {"stoch_k": 10, "stoch_d": 12, "adx": 8, "plus_di": 6, "minus_di": 6}
_BY_PERIOD = frozenset(("cci", "correlation", "poc", "value_area_high", "value_area_low", "node_distance"))
"""Indicators that look at all of their bars, or at all prices in them, when one closes."""
_BARS_A_UNIT = 100


def column_cost(column: NumberNode) -> int:
    """Return what a column costs beside the columns that it reads."""
    match column:
        case IndicatorValue(function=function, parameters=parameters):
            at_closes = int(parameters[0]) // _BARS_A_UNIT if function in _BY_PERIOD else 0
            return _DEARER.get(function, INDICATOR) + at_closes
        case Formula() | Truth():
            return sum(map(_operations, operands(column))) + len(operands(column))
        case Elsewhere():
            return 2
        case _:
            return 1


def _operations(node: NumberNode) -> int:
    if isinstance(node, Arithmetic | Negative | Calculation):
        return 1 + sum(map(_operations, operands(node)))
    return 0


class Budget:
    """The columns of one rule, each charged once."""

    def __init__(self) -> None:
        self._charged: dict[NumberNode, None] = {}
        self._spent = 0

    def charge(self, column: NumberNode) -> int:
        """Add a column, with all that it reads, and return what all cost now.

        Text of a few letters can stand for a tree without measure, as a formula names its column several times: a
        tree that is too large is charged by its size, before anything looks at all of it.
        """
        if _size(column, MOST_COST) > MOST_COST:
            return MOST_COST + 1
        self._add(column)
        return self._spent

    def _add(self, node: NumberNode) -> None:
        is_column = isinstance(node, Column | Truth)
        if is_column and node in self._charged:
            return
        for operand in (node.column,) if isinstance(node, Elsewhere) else operands(node):
            self._add(operand)
        if is_column:
            self._charged[node] = None
            self._spent += column_cost(node)


def _size(node: NumberNode, most: int) -> int:
    """Return the number of nodes in a tree, counted no further than somewhat beyond the most."""
    size = 1
    for operand in operands(node):
        if size > most:
            break
        size += _size(operand, most - size)
    return size
