"""Window sums are what ``math.fsum`` gives for each window."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.cases import same
from tickfloor.indicators import window_sums as module
from tickfloor.indicators.window_sums import window_sums

ordinary = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))
nasty = st.floats(-9e299, 9e299)
numbers = st.one_of(ordinary, st.integers(-5, 5).map(float), nasty, st.just(math.nan))


def assert_exact(values: list[float], period: int) -> None:
    got = window_sums(np.array(values, dtype=np.float64), period)
    for end, found in enumerate(got.tolist(), 1):
        window = values[max(end - period, 0) : end]
        unknown = len(window) < period or any(map(math.isnan, window))
        want = math.nan if unknown else math.fsum(window)
        assert same(found, want), f"{window}: {found!r} for {want!r}"


@settings(max_examples=300, deadline=None, database=None)
@given(values=st.one_of(st.lists(numbers, max_size=40), st.lists(ordinary, max_size=40)), period=st.integers(1, 12))
def test_every_window_is_summed_exactly(values, period):
    assert_exact(values, period)


@pytest.mark.parametrize("spread", [0, 3, 30, 250])
@pytest.mark.parametrize("period", [2, 7, 64, 333])
def test_values_of_similar_and_of_very_different_size(spread, period):
    random = Random(spread)
    assert_exact([random.gauss(0.0, 1.0) * 10.0 ** random.randint(-spread, spread) for _ in range(700)], period)


def test_windows_half_way_between_two_floats_are_rounded_to_even():
    half = 2.0**-53
    assert_exact([1.0, half, 0.0, 1.0 + 2 * half, half, 0.0, 1.0, half, half**3, 1.0, half, -(half**3)] * 3, 2)
    assert_exact([1.0, half, 0.0, 1.0 + 2 * half, half, 0.0, 1.0, half, half**3, 1.0, half, -(half**3)] * 3, 3)


def test_what_is_summed_in_pieces_joins_without_a_seam(monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 16)
    random = Random(4)
    for period in (1, 5, 16, 17, 40):
        assert_exact([round(random.gauss(0.0, 1e3), 2) for _ in range(100)], period)
