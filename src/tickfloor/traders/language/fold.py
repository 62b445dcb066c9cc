"""Arithmetic of the rule language, and the folding of constant parts with that same arithmetic."""

import math
from collections.abc import Callable

from tickfloor.indicators.protocol import LIMIT, NAN
from tickfloor.traders.language.nodes import Arithmetic, Calculation, Negative, Number, NumberNode


def add(left: float, right: float) -> float:
    """Return the sum."""
    return left + right


def subtract(left: float, right: float) -> float:
    """Return the difference."""
    return left - right


def multiply(left: float, right: float) -> float:
    """Return the product; unknown beyond :data:`LIMIT`."""
    result = left * right
    return result if -LIMIT < result < LIMIT else NAN


def divide(left: float, right: float) -> float:
    """Return the quotient; unknown for a zero divisor and beyond :data:`LIMIT`."""
    if right == 0.0:
        return NAN
    result = left / right
    return result if -LIMIT < result < LIMIT else NAN


def remainder(left: float, right: float) -> float:
    """Return what is left over, with the divisor's sign as in Python; unknown for a zero divisor."""
    return left % right if right != 0.0 else NAN


def power(left: float, right: float) -> float:
    """Return the power; unknown where it is not a finite real number."""
    if left != left or right != right:
        return NAN  # pow(nan, 0) would be 1
    try:
        result = math.pow(left, right)
    except (OverflowError, ValueError):
        return NAN
    return result if -LIMIT < result < LIMIT else NAN


def least(*values: float) -> float:
    """Return the smallest; unknown if any is."""
    return NAN if math.isnan(sum(values)) else min(values)


def greatest(*values: float) -> float:
    """Return the largest; unknown if any is."""
    return NAN if math.isnan(sum(values)) else max(values)


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "**": power,
}
CALCULATIONS: dict[str, Callable[..., float]] = {"abs": abs, "min": least, "max": greatest}


def fold(node: Arithmetic | Negative | Calculation) -> NumberNode:
    """Return the number a node of constants stands for, or the node."""
    match node:
        case Negative(operand=Number(value=value)):
            return Number(-value)
        case Arithmetic(operator=operator, left=Number(value=left), right=Number(value=right)):
            return Number(ARITHMETIC[operator](left, right))
        case Calculation(function=function, operands=operands):
            values = [operand.value for operand in operands if isinstance(operand, Number)]
            return Number(CALCULATIONS[function](*values)) if len(values) == len(operands) else node
        case _:
            return node
