import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.clocks import VirtualClock
from tickfloor.worker.token_bucket import TokenBucket

RATES = st.sampled_from([0.1, 1, 3, 7.5, 200, 1_000, 999_983, 1_000_000])
STEPS = st.lists(st.tuples(st.integers(0, 3_000_000_000), st.integers(1, 20)), max_size=60)


@given(RATES, st.integers(20, 50), STEPS)
def test_it_lets_through_what_a_counted_bucket_does(rate, burst, steps):
    """The model adds tokens up, in fractions of the same picoseconds."""
    clock = VirtualClock()
    bucket = TokenBucket(rate, burst, clock=clock)
    a_token = Fraction(round(10**12 / rate), 1000)
    tokens = Fraction(burst)
    for passed, cost in steps:
        clock.now += passed
        tokens = min(Fraction(burst), tokens + passed / a_token)
        allowed = tokens >= cost
        assert (bucket.wait_seconds(cost) == 0) == allowed
        assert bucket.take(cost) == allowed
        if allowed:
            tokens -= cost


@given(RATES, st.integers(20, 50), STEPS, st.integers(1, 20))
def test_after_the_wait_it_allows_and_a_nanosecond_before_it_does_not(rate, burst, steps, cost):
    clock = VirtualClock()
    bucket = TokenBucket(rate, burst, clock=clock)
    for passed, taken in steps:
        clock.now += passed // 1_000
        bucket.take(taken)
    wait = round(bucket.wait_seconds(cost) * 1e9)
    if wait:
        clock.now += wait - 1
        assert not bucket.take(cost)
        clock.now += 1
    assert bucket.take(cost)


@given(RATES, st.integers(1, 50), st.lists(st.integers(0, 10**9), min_size=1))
def test_it_never_lets_more_through_than_burst_and_rate(rate, burst, pauses):
    clock = VirtualClock()
    bucket = TokenBucket(rate, burst, clock=clock)
    began = clock.now
    taken = 0
    for pause in pauses:
        clock.now += pause
        while taken < 10_000 and bucket.take():
            taken += 1
    assert taken <= burst + (clock.now - began) * rate / 1e9 * (1 + 1e-6) + 1e-6


def test_it_starts_full_whatever_the_clock_says():
    for now in (0, 1, 10**18):
        bucket = TokenBucket(1, 3, clock=VirtualClock(now))
        assert [bucket.take() for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize("rate", [0, -1, math.inf, math.nan, 1e7])
def test_a_rate_that_makes_no_sense_is_refused(rate):
    with pytest.raises(ValueError, match="above 0 and at most a million"):
        TokenBucket(rate, 1)


def test_a_burst_that_lets_nothing_through_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        TokenBucket(1, 0)


@pytest.mark.parametrize("cost", [0, -1, 4])
def test_a_cost_that_is_never_allowed_is_an_error_not_a_refusal(cost):
    bucket = TokenBucket(1, 3)
    with pytest.raises(ValueError, match="from 1 to the burst, 3"):
        bucket.take(cost)
    with pytest.raises(ValueError, match="from 1 to the burst, 3"):
        bucket.wait_seconds(cost)
