import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.contracts.latency import LatencyHistogram

durations = st.lists(st.integers(0, 10**12), min_size=1, max_size=200)


def filled(values):
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    return histogram


def test_without_counts_there_is_no_quantile():
    assert LatencyHistogram().quantile_us(0.5) is None


@given(durations, st.floats(0.01, 1.0))
def test_a_quantile_is_within_a_bucket_of_the_exact_one(values, quantile):
    ordered = sorted(max(value, 1) for value in values)
    rank = max(1, -(-int(quantile * len(ordered) * 10**9) // 10**9))
    around = ordered[max(0, rank - 2) : rank + 1]
    found = filled(values).quantile_us(quantile) * 1_000
    assert min(around) * 0.9 - 51 <= found <= max(around) * 1.1 + 51


@given(durations, durations)
def test_histograms_of_two_processes_add_up(first, second):
    merged = filled(first).merge([filled(second)])
    assert merged.counts == filled([*first, *second]).counts


def test_merging_changes_neither():
    one, other = filled([100]), filled([200])
    one.merge([other])
    assert sum(one.counts.values()) == sum(other.counts.values()) == 1


def test_what_takes_less_than_nothing_counts_as_a_nanosecond():
    assert filled([-5, 0, 1]).counts == {0: 3}


@pytest.mark.parametrize("microseconds", [1, 50, 1_000, 2_000_000])
def test_a_bucket_is_nine_percent_wide(microseconds):
    assert filled([microseconds * 1_000]).quantile_us(0.5) == pytest.approx(microseconds, rel=0.05, abs=0.06)
