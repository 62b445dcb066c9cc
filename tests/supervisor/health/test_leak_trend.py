import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.supervisor.health.leak_trend import LeakTrend, Trend

MB = 10**6
MINUTE = 60.0
seeds = st.integers(0, 2**32)
intervals = st.sampled_from([10.0, 30.0, 60.0])
few = settings(max_examples=12, deadline=None, database=None)


def first_leak(memory, *, hours, interval, seed, noise=0.0, trend=None):
    """Return the seconds after which a leak is seen for the first time, or None."""
    random = Random(seed)
    trend = trend or LeakTrend(bytes_per_hour=16.0 * MB)
    began = random.uniform(0.0, 10_000.0)
    second = 0.0
    while second < hours * 3600:
        trend.add(began + second, int(max(0.0, memory(second) + random.gauss(0.0, noise))))
        if trend.verdict().trend is Trend.LEAKING:
            return second
        second += interval
    return None


@few
@given(seeds, intervals, st.floats(0.0, 20.0))
def test_noise_is_no_leak(seed, interval, noise):
    assert first_leak(lambda _: 100 * MB, hours=12, interval=interval, seed=seed, noise=noise * MB) is None


@few
@given(seeds, intervals, st.floats(1.0, 18.0), st.floats(60.0, 500.0), st.floats(0.0, 5.0))
def test_a_warm_up_that_ends_is_no_leak(seed, interval, minutes, height, noise):
    def memory(second):
        return 50 * MB + height * MB * min(1.0, second / (minutes * MINUTE))

    assert first_leak(memory, hours=3, interval=interval, seed=seed, noise=noise * MB) is None


@few
@given(seeds, intervals, st.floats(10.0, 500.0))
def test_a_warm_up_that_fades_is_no_leak(seed, interval, height):
    def memory(second):
        return 50 * MB + height * MB * (1 - math.exp(-second / (5 * MINUTE)))

    assert first_leak(memory, hours=3, interval=interval, seed=seed, noise=MB) is None


@few
@given(seeds, st.sampled_from([5.0, 10.0]), st.floats(2.0, 27.0), st.floats(10.0, 500.0), st.floats(0.0, 3.0))
def test_a_sawtooth_that_returns_is_no_leak(seed, interval, minutes, height, noise):
    def memory(second):
        return 50 * MB + height * MB * math.fmod(second / (minutes * MINUTE), 1.0)

    assert first_leak(memory, hours=4, interval=interval, seed=seed, noise=noise * MB) is None


@few
@given(seeds, intervals, st.floats(0.0, 100.0), st.floats(60.0, 1000.0), st.floats(0.0, 5.0))
def test_one_step_is_no_leak(seed, interval, minute, height, noise):
    def memory(second):
        return 50 * MB + (height * MB if second > minute * MINUTE else 0.0)

    assert first_leak(memory, hours=4, interval=interval, seed=seed, noise=noise * MB) is None


@few
@given(seeds, intervals)
def test_a_megabyte_a_minute_is_seen_below_noise_of_five(seed, interval):
    found = first_leak(lambda second: 100 * MB + MB * second / 60, hours=2, interval=interval, seed=seed, noise=5 * MB)
    assert found is not None
    assert 30 * MINUTE <= found <= 60 * MINUTE


@few
@given(seeds, intervals, st.floats(3.0, 15.0), st.floats(0.0, 3.0))
def test_a_staircase_is_seen(seed, interval, minutes, noise):
    phase = Random(seed).uniform(0.0, minutes * MINUTE)

    def memory(second):
        return 50 * MB + 15 * MB * ((second + phase) // (minutes * MINUTE))

    found = first_leak(memory, hours=2, interval=interval, seed=seed, noise=noise * MB)
    assert found is not None
    assert found <= 75 * MINUTE


def test_a_leak_after_hours_of_calm_is_seen_within_an_hour():
    def memory(second):
        return 100 * MB + MB * max(0.0, second - 4 * 3600) / 60

    found = first_leak(memory, hours=8, interval=30.0, seed=1, noise=MB)
    assert found is not None
    assert 4 * 3600 < found <= 5 * 3600


def test_growth_too_slow_to_matter_is_no_leak_but_its_slope_is_known():
    trend = LeakTrend(bytes_per_hour=16.0 * MB)
    assert first_leak(lambda s: 100 * MB + 8 * MB * s / 3600, hours=5, interval=30.0, seed=2, trend=trend) is None
    assert trend.verdict().bytes_per_hour == pytest.approx(8 * MB, rel=0.01)
    assert trend.verdict().trend is Trend.STEADY


def test_growth_to_where_memory_has_been_before_is_no_leak():
    def memory(second):
        # Two and a half windows ago there was a peak, which is remembered; what grows now stays below it.
        return 400 * MB if second < 10 * MINUTE else 50 * MB + MB * (second - 10 * MINUTE) / 60

    assert first_leak(memory, hours=2.3, interval=30.0, seed=3, noise=MB) is None
    assert first_leak(memory, hours=4, interval=30.0, seed=3, noise=MB) is not None


@pytest.mark.parametrize(("given_back", "expected"), [(60, Trend.STEADY), (5, Trend.LEAKING)])
def test_growth_of_which_much_was_given_back_in_between_is_no_leak(given_back, expected):
    trend = LeakTrend(bytes_per_hour=16.0 * MB)
    for second in range(0, 3_600, 10):
        returned = given_back * MB if second > 30 * MINUTE else 0.0
        trend.add(float(second), int(50 * MB + 2.5 * MB * second / 60 - returned))
    assert trend.verdict().trend is expected


def test_memory_for_a_moment_is_not_seen():
    def memory(second):
        return 100 * MB + (second / 10 if second % 60 else 0) * MB

    assert first_leak(memory, hours=4, interval=10.0, seed=4) is None


def test_half_an_hour_must_have_passed():
    trend = LeakTrend(bytes_per_hour=1.0)
    for second in range(0, 1_800, 10):
        trend.add(float(second), second * MB)
        assert trend.verdict().trend is Trend.UNKNOWN
        assert trend.verdict().bytes_per_hour is None
    assert trend.verdict().seconds > 1_600


def test_a_window_with_too_few_samples_has_no_verdict():
    trend = LeakTrend(bytes_per_hour=1.0)
    for second in range(0, 20_000, 400):
        trend.add(float(second), second * MB)
        assert trend.verdict().trend is Trend.UNKNOWN


def test_samples_are_bounded():
    trend = LeakTrend(bytes_per_hour=16.0 * MB)
    for second in range(0, 86_400, 5):
        trend.add(float(second), 100 * MB)
    assert len(trend._points) < 100
    assert trend.verdict().seconds <= 3_600
    assert trend.verdict().bytes_per_hour == 0.0
