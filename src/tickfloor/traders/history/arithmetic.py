"""The arithmetic of ``language/fold.py`` over columns: the same floats, number by number."""

from collections.abc import Callable

import numpy as np

from tickfloor.indicators.protocol import LIMIT, NAN, Values
from tickfloor.traders.language.fold import power

Operand = Values | np.float64
"""A column, or a constant; a calculation has a column on one side at least."""


def add(left: Operand, right: Operand) -> Values:
    """Return the sums."""
    return np.add(left, right)


def subtract(left: Operand, right: Operand) -> Values:
    """Return the differences."""
    return np.subtract(left, right)


def multiply(left: Operand, right: Operand) -> Values:
    """Return the products; unknown beyond the limit."""
    return _within_limit(np.multiply(left, right))


def divide(left: Operand, right: Operand) -> Values:
    """Return the quotients; unknown for a zero divisor and beyond the limit."""
    return _within_limit(np.divide(left, right))


def remainder(left: Operand, right: Operand) -> Values:
    """Return what is left over, with the divisor's sign; unknown for a zero divisor."""
    return np.mod(left, right)


def powers(left: Operand, right: Operand) -> Values:
    """Return the powers; unknown where one is not a finite real number.

    One by one: NumPy's power may differ in the last digit from the one that live rules use.
    """
    left, right = np.broadcast_arrays(left, right)
    return np.array(list(map(power, left.tolist(), right.tolist())), dtype=np.float64)


def least(*several: Values) -> Values:
    """Return the smallest of each bar; unknown if any is."""
    found = several[0]
    for values in several[1:]:
        found = np.minimum(found, values)
    return found


def greatest(*several: Values) -> Values:
    """Return the largest of each bar; unknown if any is."""
    found = several[0]
    for values in several[1:]:
        found = np.maximum(found, values)
    return found


def absolute(values: Values) -> Values:
    """Return the values without their sign."""
    return np.abs(values)


def _within_limit(values: Values) -> Values:
    # False for NaN and for the infinity of a zero divisor, too.
    return np.where(np.abs(values) < LIMIT, values, NAN)


ARITHMETIC: dict[str, Callable[[Operand, Operand], Values]] = {
    "+": add,
    "-": subtract,
    "*": multiply,
    "/": divide,
    "%": remainder,
    "**": powers,
}
CALCULATIONS: dict[str, Callable[..., Values]] = {"abs": absolute, "min": least, "max": greatest}
