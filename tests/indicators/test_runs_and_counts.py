"""Rows of moves, counts of what was true, and how long ago it was, against what one would count by hand."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.indicators.catalogue import INDICATORS

quick = settings(max_examples=200, deadline=None, database=None)
levels = st.lists(st.one_of(st.integers(0, 4).map(float), st.just(math.nan), st.just(1e301)), max_size=40)
truths = st.lists(st.sampled_from([0.0, 1.0, 1.0, 0.0, math.nan]), max_size=40)


def is_known(value: float) -> bool:
    return abs(value) < 1e300


def same(left: float, right: float) -> bool:
    return left == right or (math.isnan(left) and math.isnan(right))


@pytest.mark.parametrize(("name", "sign"), [("rises", 1), ("falls", -1)])
@quick
@given(inputs=levels)
def test_moves_in_a_row_are_counted_back_from_the_current_bar(name, sign, inputs):
    indicator = INDICATORS[name]()
    for at, value in enumerate(inputs):
        if not at or not is_known(value) or not is_known(inputs[at - 1]):
            want = math.nan
        else:
            first = at
            while first and sign * (inputs[first] - inputs[first - 1]) > 0 and is_known(inputs[first - 1]):
                first -= 1
            want = float(at - first) if is_known(inputs[first]) else float(at - first - 1)
        assert same(indicator.close(value), want)


def test_a_row_that_an_unknown_value_interrupts_begins_anew():
    rises = INDICATORS["rises"]()
    got = [rises.close(value) for value in (1.0, 2.0, 3.0, math.nan, 4.0, 5.0, 5.0, 6.0)]
    assert list(map(str, got)) == ["nan", "1.0", "2.0", "nan", "nan", "1.0", "0.0", "1.0"]


@quick
@given(period=st.integers(1, 6), inputs=truths)
def test_count_is_unknown_while_a_bar_of_the_window_is(period, inputs):
    indicator = INDICATORS["count"](period)
    for end, value in enumerate(inputs, 1):
        window = inputs[max(end - period, 0) : end]
        assert same(indicator.close(value), sum(window) if len(window) == period else math.nan)


@quick
@given(inputs=truths)
def test_since_counts_bars_back_to_the_last_time_it_was_true(inputs):
    indicator = INDICATORS["since"]()
    for at, value in enumerate(inputs):
        ago = next((back for back in range(at + 1) if inputs[at - back] == 1.0), math.nan)
        assert same(indicator.close(value), ago)
