"""Arithmetic over columns gives the floats of the arithmetic of live rules."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.traders.history.arithmetic import ARITHMETIC, CALCULATIONS
from tickfloor.traders.language import fold

numbers = st.one_of(
    st.floats(-1e299, 1e299),
    st.floats(-100, 100),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -3.0, 1e299, -1e299, 5e-324, math.nan]),
)
pairs = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40)


def alike(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)


@pytest.mark.parametrize("operator", fold.ARITHMETIC)
@settings(deadline=None, database=None)
@given(pairs)
def test_every_operator(operator, operands):
    left, right = np.array(operands).T
    with np.errstate(all="ignore"):
        got = ARITHMETIC[operator](left, right).tolist()
    assert all(map(alike, got, (fold.ARITHMETIC[operator](*each) for each in operands)))


@pytest.mark.parametrize("name", ["min", "max"])
@settings(deadline=None, database=None)
@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=40))
def test_the_least_and_the_greatest(name, operands):
    got = CALCULATIONS[name](*np.array(operands).T).tolist()
    assert all(map(alike, got, (fold.CALCULATIONS[name](*each) for each in operands)))


@settings(deadline=None, database=None)
@given(st.lists(numbers, min_size=1))
def test_the_absolute_value(values):
    assert all(map(alike, CALCULATIONS["abs"](np.array(values)).tolist(), map(abs, values)))


def test_there_is_one_for_each():
    assert (set(ARITHMETIC), set(CALCULATIONS)) == (set(fold.ARITHMETIC), set(fold.CALCULATIONS))
