"""Windowed indicators against their definitions, in exact fractions, with unknown values among the inputs."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.indicators.catalogue import INDICATORS

quick = settings(max_examples=150, deadline=None, database=None)
prices = st.integers(-50, 5_000_000).map(lambda ticks: ticks / 100)
values = st.one_of(prices, prices, prices, st.sampled_from([math.nan, math.inf, -1e301, 61_234.5, 61_234.6]))
series = st.lists(values, max_size=40)
periods = st.integers(2, 6)


def windows(inputs: list[float], period: int):
    """Return the windows of a series as fractions; None where one is too short or holds something unknown."""
    for end in range(1, len(inputs) + 1):
        window = inputs[max(end - period, 0) : end]
        known = len(window) == period and all(abs(value) < 1e300 for value in window)
        yield [Fraction(value) for value in window] if known else None


def agrees(got: float, want: Fraction | None, scale: float) -> bool:
    """Return whether a value is the wanted one to 1e-13 of the scale of its inputs; NaN for None."""
    return math.isnan(got) if want is None else abs(got - want) <= 1e-13 * scale


def span(window: list[Fraction] | None) -> float:
    return float(max(window) - min(window)) if window else 0.0


@quick
@given(period=periods, inputs=series)
def test_wma_weighs_the_newest_value_most(period, inputs):
    indicator = INDICATORS["wma"](period)
    for value, window in zip(inputs, windows(inputs, period), strict=True):
        got = indicator.close(value)
        want = window and sum(rank * each for rank, each in enumerate(window, 1)) / Fraction(period * (period + 1), 2)
        assert agrees(got, want, abs(value) + span(window))


@quick
@given(period=periods, inputs=series)
def test_slope_is_that_of_the_least_squares_line(period, inputs):
    indicator = INDICATORS["slope"](period)
    middle = Fraction(period - 1, 2)
    squares = sum((place - middle) ** 2 for place in range(period))
    for value, window in zip(inputs, windows(inputs, period), strict=True):
        got = indicator.close(value)
        want = window and sum((place - middle) * each for place, each in enumerate(window)) / squares
        assert agrees(got, want, span(window))


@quick
@given(period=periods, inputs=st.lists(st.tuples(values, values), max_size=40))
def test_correlation_is_pearsons_coefficient(period, inputs):
    indicator = INDICATORS["correlation"](period)
    ones, others = ([pair[side] for pair in inputs] for side in (0, 1))
    for pair, one, other in zip(inputs, windows(ones, period), windows(others, period), strict=True):
        got = indicator.close(*pair)
        if one is None or other is None:
            assert math.isnan(got)
            continue
        one_mean, other_mean = sum(one) / period, sum(other) / period
        shared = sum((a - one_mean) * (b - other_mean) for a, b in zip(one, other, strict=True))
        spread = sum((a - one_mean) ** 2 for a in one) * sum((b - other_mean) ** 2 for b in other)
        assert got == 0.0 if not spread else got == pytest.approx(float(shared) / math.sqrt(spread), abs=1e-9)


@quick
@given(period=periods, inputs=st.lists(st.tuples(values, values, values), max_size=40))
def test_cci_is_the_distance_to_the_mean_in_mean_deviations(period, inputs):
    indicator = INDICATORS["cci"](period)
    typical = [sum(bar) / 3 if all(abs(price) < 1e300 for price in bar) else math.nan for bar in inputs]
    for bar, window in zip(inputs, windows(typical, period), strict=True):
        got = indicator.close(*bar)
        if window is None:
            assert math.isnan(got)
            continue
        mean = sum(window) / period
        deviation = sum(abs(price - mean) for price in window) / period
        if deviation <= 1e-12 * abs(window[0]):
            continue
        assert got == pytest.approx(float((window[-1] - mean) / (Fraction(0.015) * deviation)), rel=1e-9, abs=1e-6)


@quick
@given(period=st.integers(1, 6), inputs=st.lists(st.one_of(st.integers(0, 5).map(float), values), max_size=40))
def test_percentile_counts_the_values_that_are_not_above(period, inputs):
    indicator = INDICATORS["percentile"](period)
    for value, window in zip(inputs, windows(inputs, period), strict=True):
        got = indicator.close(value)
        want = window and 100.0 * sum(each <= window[-1] for each in window) / period
        assert math.isnan(got) if want is None else got == want


@quick
@given(
    period=periods,
    bars=st.lists(st.tuples(values, st.one_of(st.integers(0, 3).map(float), st.just(math.nan))), max_size=40),
)
def test_vwap_weighs_prices_by_volume(period, bars):
    indicator = INDICATORS["vwap"](period)
    price_windows = windows([price for price, _ in bars], period)
    volume_windows = windows([volume for _, volume in bars], period)
    for (price, volume), among, weights in zip(bars, price_windows, volume_windows, strict=True):
        got = indicator.close(price, price, price, volume)
        if among is None or weights is None or not sum(weights):
            assert math.isnan(got)
        else:
            want = sum(a * b for a, b in zip(among, weights, strict=True)) / sum(weights)
            assert agrees(got, want, abs(float(want)) + span(among))


@pytest.mark.parametrize("value", [0.1, 61_234.7, 3.3e-7, -4.1])
@pytest.mark.parametrize("period", [2, 3, 14, 200])
def test_a_value_that_stands_still_is_its_own_average_and_has_no_slope(value, period):
    still = np.full(period + 50, value)
    volume = np.arange(1.0, period + 51) / 7
    typical = (value + value + value) / 3.0
    assert set(INDICATORS["wma"](period).over(still)[period:]) == {value}
    assert set(INDICATORS["slope"](period).over(still)[period:]) == {0.0}
    assert set(INDICATORS["vwap"](period).over(still, still, still, volume)[period:]) == {typical}
    assert set(INDICATORS["session_vwap"]().over(volume, still, still, still, volume)) == {typical}
    assert set(INDICATORS["cci"](period).over(still, still, still)[period:]) == {0.0}
    assert set(INDICATORS["mfi"](period).over(still, still, still, volume)[period:]) == {0.0}
    assert set(INDICATORS["correlation"](period).over(still, volume)[period:]) == {0.0}


def test_typical_prices_that_differ_by_rounding_only_did_not_move():
    bars = [(3.56e-6, 3.47e-6, 3.51e-6), (3.57e-6, 3.46e-6, 3.51e-6)]  # both add up to 10.54e-6
    assert len({(high + low + close) / 3.0 for high, low, close in bars}) == 2
    mfi, cci = INDICATORS["mfi"](2), INDICATORS["cci"](2)
    for bar in bars * 3:
        flow, index = mfi.close(*bar, 5.0), cci.close(*bar)
    assert flow == 0.0
    assert index == 0.0


def test_a_window_far_from_zero_keeps_its_digits():
    small = [0.25, 0.5, 0.125, 0.75, 0.5]
    far = [2.0**40 + value for value in small]
    for name in ("slope", "cci"):
        near, distant = INDICATORS[name](5), INDICATORS[name](5)
        for low, high in zip(small, far, strict=True):
            got = [near.close(*[low] * len(near.inputs)), distant.close(*[high] * len(near.inputs))]
        assert got[0] == pytest.approx(got[1], rel=1e-2 if name == "cci" else 1e-12)
