"""How far a number can move with price and volume, so that it need not be looked at while little is traded nearby.

Between two closes of a bar, the forming bar moves only with trades. If every trade since a look was within d of the
price then, open, high, low and close have each moved by at most d; and if a quantity q has been traded, the volumes by
at most q. What is computed from them has moved by at most its reach with the price times d and its reach with the
volume times q. Market columns, times and columns of other instruments count as constant: whoever reads one is looked
at when it changes.
"""

from collections.abc import Callable, Sequence
from math import inf

from tickfloor.indicators.protocol import LIMIT
from tickfloor.traders.language.nodes import (
    Arithmetic,
    BarValue,
    Calculation,
    Clock,
    Elsewhere,
    Formula,
    IndicatorValue,
    Market,
    Negative,
    Number,
    NumberNode,
    Stood,
)

ROUNDING = 1e-9
"""Of a number, by how much what it was computed from may have been rounded: far more than it ever is."""

HUGE = LIMIT / 10
"""Values from here on are next to where they become unknown."""

PRICES = frozenset({"open", "high", "low", "close"})
VOLUMES = frozenset({"volume", "buy_volume", "sell_volume", "delta"})

Slots = Callable[[NumberNode], int]
Reach = Callable[[Sequence[float]], float]
"""The reach of a number from those of all columns, by slot."""


def of_leaf(column: NumberNode) -> tuple[float, float] | None:
    """Return the reach, with price and with volume, of a column that is computed from no other; None for others."""
    match column:
        case BarValue(field=field, back=back):
            if back or field == "start":
                return 0.0, 0.0
            if field in PRICES:
                return 1.0, 0.0
            return (0.0, 1.0) if field in VOLUMES else (0.0, inf)
        case Market() | Stood() | Clock() | Elsewhere():
            return 0.0, 0.0
        case _:
            return None


def reach_of(node: NumberNode, slot_of: Slots) -> Reach:
    """Return the function that gives a number's reach; infinity where nothing better is known.

    Whatever may become unknown while its columns are known, as by a division, has none.
    """
    match node:
        case Number():
            return lambda _: 0.0
        case Negative(operand=operand) | Calculation(function="abs", operands=(operand,)):
            return reach_of(operand, slot_of)
        case Calculation(operands=operands):
            several = [reach_of(operand, slot_of) for operand in operands]
            return lambda reaches: max(reach(reaches) for reach in several)
        case Arithmetic(operator="+" | "-", left=left, right=right):
            one, other = reach_of(left, slot_of), reach_of(right, slot_of)
            return lambda reaches: one(reaches) + other(reaches)
        case (
            Arithmetic(operator="*", left=Number(value=factor), right=operand)
            | Arithmetic(operator="*", left=operand, right=Number(value=factor))
        ):
            return _scaled(reach_of(operand, slot_of), abs(factor))
        case Arithmetic(operator="/", left=operand, right=Number(value=divisor)) if divisor:
            return _scaled(reach_of(operand, slot_of), 1.0 / abs(divisor))
        case Market() | BarValue() | IndicatorValue() | Formula() | Stood() | Clock() | Elsewhere():
            slot = slot_of(node)
            return lambda reaches: reaches[slot]
        case _:
            return lambda _: inf


def _scaled(reach: Reach, factor: float) -> Reach:
    return lambda reaches: times(factor, reach(reaches))


def times(factor: float, reach: float) -> float:
    """Return the reach of what moves so many times as much; times 0, what may become unknown still may."""
    return reach if reach == inf or reach == 0.0 else factor * reach
