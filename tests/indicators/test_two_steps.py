"""What every indicator promises: two steps, a way back, packable state, and recovery from unknown values."""

import math
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import REVISABLE_BARS

NAMES = list(INDICATORS)
values = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False).map(lambda value: round(value, 6))
series = st.lists(st.one_of(values, values, values, st.just(math.nan)), max_size=60)
periods = st.integers(1, 8)
quick = settings(max_examples=60, deadline=None, database=None)


def same(left: float, right: float) -> bool:
    return left == right or (left != left and right != right)


def run(name: str, period: int, inputs: list[float]):
    indicator = INDICATORS[name](period)
    return indicator, [indicator.close(value) for value in inputs]


@pytest.mark.parametrize("name", NAMES)
@quick
@given(period=periods, inputs=series, other=values)
def test_a_commit_gives_what_the_forming_bar_showed_and_looking_changes_nothing(name, period, inputs, other):
    watched = INDICATORS[name](period)
    _, expected = run(name, period, inputs)
    for value, want in zip(inputs, expected, strict=True):
        watched.value_now(other)
        shown = watched.value_now(value)
        assert same(shown, watched.value_now(value))
        assert same(shown, watched.close(value))
        assert same(shown, want)


@pytest.mark.parametrize("name", NAMES)
@quick
@given(period=periods, before=series, after=series)
def test_a_restored_state_goes_on_bit_for_bit(name, period, before, after):
    indicator, _ = run(name, period, before)
    packed = msgspec.msgpack.encode(indicator.state())
    restored = INDICATORS[name](period)
    restored.restore(msgspec.msgpack.decode(packed))
    back = min(len(before), REVISABLE_BARS)
    indicator.rewind(back)
    restored.rewind(back)
    for value in [*before[len(before) - back :], *after]:
        assert same(indicator.close(value), restored.close(value))


@pytest.mark.parametrize("name", NAMES)
@quick
@given(period=periods, inputs=series, back=st.integers(0, REVISABLE_BARS), seed=st.integers())
def test_taking_back_and_committing_anew_equals_computing_afresh(name, period, inputs, back, seed):
    indicator, _ = run(name, period, inputs)
    back = min(back, len(inputs))
    indicator.rewind(back)
    revised = [value + Random(seed).randrange(-3, 4) for value in inputs[len(inputs) - back :]]
    fresh, expected = run(name, period, [*inputs[: len(inputs) - back], *revised])
    got = [indicator.close(value) for value in revised]
    assert all(map(same, got, expected[len(inputs) - back :]))
    assert all(same(indicator.value_now(value), fresh.value_now(value)) for value in (1.0, -5.0, 1e6))


@pytest.mark.parametrize("name", NAMES)
def test_every_commit_can_be_taken_back_again_and_again(name):
    random = Random(3)
    inputs = [random.randrange(100) / 4 for _ in range(40)]
    indicator, _ = run(name, 5, inputs)
    for back in (1, 16, 3, 16, 16):
        indicator.rewind(back)
        inputs[-back:] = [random.randrange(100) / 4 for _ in range(back)]
        got = [indicator.close(value) for value in inputs[-back:]]
        assert got == run(name, 5, inputs)[1][-back:]


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_value_is_forgotten_when_it_has_left(name):
    indicator, _ = run(name, 4, [3.0, 1.0, 4.0, 1.0, 5.0, 9.0])
    assert math.isnan(indicator.close(math.nan))
    known = [not math.isnan(indicator.close(float(value))) for value in (2, 6, 5, 3, 5, 8)]
    assert name == "change" or not any(known[:3])  # a change looks at two bars only
    assert all(known[4:])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e301, -1e308])
def test_a_value_without_bounds_is_unknown_and_leaves_no_trace(name, value):
    clean, _ = run(name, 2, [1.0, math.nan, 2.0, 5.0, 3.0])
    hostile, _ = run(name, 2, [1.0, value, 2.0, 5.0, 3.0])
    assert math.isnan(hostile.value_now(value))
    assert same(hostile.value_now(4.0), clean.value_now(4.0))
    assert hostile.close(4.0) == clean.close(4.0)


@pytest.mark.parametrize("name", NAMES)
def test_the_greatest_values_do_not_overflow(name):
    indicator, _ = run(name, 3, [9e299, -9e299] * 10)
    assert math.isfinite(indicator.value_now(9e299))


def test_a_window_sum_is_exact_whatever_passed_through_it():
    indicator, _ = run("sma", 3, [1e17, 1.0, -1e17, 1e-9, 0.1, 0.2])
    assert indicator.close(0.3) == math.fsum([0.1, 0.2, 0.3]) / 3


def test_rsi_of_a_market_without_movement_is_zero_as_in_talib():
    assert run("rsi", 3, [5.0] * 10)[1][-1] == 0.0
