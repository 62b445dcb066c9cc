"""What every indicator promises: two steps, a way back, packable state, and recovery from unknown values."""

import math
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.cases import (
    NAMES,
    bars,
    closed,
    known_bars,
    make,
    random_bars,
    row_of,
    rows_of,
    same,
    small_parameters,
    some_parameters,
)
from tickfloor.indicators.protocol import REVISABLE_BARS

quick = settings(max_examples=40, deadline=None, database=None)
STAYS_KNOWN = {"since", "poc", "value_area_high", "value_area_low"}
"""Their value does not depend on what the forming bar is, or counts an unknown bar as one that is not true."""


@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=st.integers(), inputs=bars, other=known_bars)
def test_a_commit_gives_what_the_forming_bar_showed_and_looking_changes_nothing(name, seed, inputs, other):
    parameters, rows = some_parameters(name, Random(seed)), rows_of(name, inputs)
    watched = make(name, parameters)
    _, expected = closed(name, parameters, rows)
    for index, (row, want) in enumerate(zip(rows, expected, strict=True)):
        watched.value_now(*row_of(name, other, index))
        shown = watched.value_now(*row)
        assert same(shown, watched.value_now(*row))
        assert same(shown, watched.close(*row))
        assert same(shown, want)


@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=st.integers(), before=bars, after=bars)
def test_a_restored_state_goes_on_bit_for_bit(name, seed, before, after):
    parameters, rows = some_parameters(name, Random(seed)), rows_of(name, [*before, *after])
    indicator, _ = closed(name, parameters, rows[: len(before)])
    packed = msgspec.msgpack.encode(indicator.state())
    restored = make(name, parameters)
    restored.restore(msgspec.msgpack.decode(packed))
    back = min(len(before), REVISABLE_BARS)
    indicator.rewind(back)
    restored.rewind(back)
    for row in rows[len(before) - back :]:
        assert same(indicator.close(*row), restored.close(*row))


@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=st.integers(), inputs=bars, back=st.integers(0, REVISABLE_BARS))
def test_taking_back_and_committing_anew_equals_computing_afresh(name, seed, inputs, back):
    random = Random(seed)
    parameters, rows = some_parameters(name, random), rows_of(name, inputs)
    indicator, _ = closed(name, parameters, rows)
    back = min(back, len(rows))
    indicator.rewind(back)
    kept = len(rows) - back
    revised = [tuple(value + random.randrange(-3, 4) for value in row) for row in rows[kept:]]
    fresh, expected = closed(name, parameters, [*rows[:kept], *revised])
    got = [indicator.close(*row) for row in revised]
    assert all(map(same, got, expected[kept:]))
    for bar in random_bars(3, random):
        row = row_of(name, bar, len(rows))
        assert same(indicator.value_now(*row), fresh.value_now(*row))


@pytest.mark.parametrize("name", NAMES)
def test_every_commit_can_be_taken_back_again_and_again(name):
    random = Random(3)
    parameters, rows = small_parameters(name, 5), rows_of(name, random_bars(40, random))
    indicator, _ = closed(name, parameters, rows)
    for back in (1, 16, 3, 16, 16):
        indicator.rewind(back)
        rows[-back:] = rows_of(name, random_bars(40, random))[-back:]
        got = [indicator.close(*row) for row in rows[-back:]]
        assert all(map(same, got, closed(name, parameters, rows)[1][-back:]))


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_bar_is_forgotten_when_it_has_left(name):
    parameters = small_parameters(name, 4)
    rows = rows_of(name, random_bars(60, Random(1)))
    rows[30] = tuple(math.nan for _ in rows[30])
    indicator, values = closed(name, parameters, rows)
    assert name in STAYS_KNOWN or math.isnan(values[30])
    assert not any(map(math.isnan, values[45:]))
    assert not math.isnan(indicator.value_now(*rows[-1]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e300, 1e301, -1e308])
def test_a_value_without_bounds_is_unknown_and_leaves_no_trace(name, value):
    rows = rows_of(name, random_bars(30, Random(2)))
    for place in range(len(rows[0])):
        with_nan, hostile = list(rows), list(rows)
        row = rows[20]
        with_nan[20] = (*row[:place], math.nan, *row[place + 1 :])
        hostile[20] = (*row[:place], value, *row[place + 1 :])
        _, expected = closed(name, small_parameters(name, 2), with_nan)
        _, got = closed(name, small_parameters(name, 2), hostile)
        assert all(map(same, got, expected))


@pytest.mark.parametrize("name", NAMES)
def test_the_greatest_values_do_not_overflow(name):
    count = len(rows_of(name, random_bars(1, Random(0)))[0])
    indicator, values = closed(name, small_parameters(name), [(9e299,) * count, (-9e299,) * count] * 10)
    assert not any(map(math.isinf, values))
    assert not math.isinf(indicator.value_now(*(9e299,) * count))


@pytest.mark.parametrize("name", ["sma", "ema", "rsi", "highest", "lowest", "change", "macd_histogram"])
def test_the_greatest_values_are_known(name):
    indicator, _ = closed(name, small_parameters(name), [(9e299,), (-9e299,)] * 10)
    assert math.isfinite(indicator.value_now(9e299))


def test_a_window_sum_is_exact_whatever_passed_through_it():
    indicator, _ = closed("sma", (3,), [(value,) for value in (1e17, 1.0, -1e17, 1e-9, 0.1, 0.2)])
    assert indicator.close(0.3) == math.fsum([0.1, 0.2, 0.3]) / 3


def test_rsi_of_a_market_without_movement_is_zero_as_in_talib():
    assert closed("rsi", (3,), [(5.0,)] * 10)[1][-1] == 0.0


def test_a_rate_of_change_from_zero_is_unknown():
    assert math.isnan(closed("roc", (1,), [(0.0,), (5.0,)])[1][-1])


def test_a_deviation_is_good_however_small_it_is_against_the_values():
    values = [1e9 + step / 1024 for step in range(40)]
    deviation = closed("stdev", (20,), [(value,) for value in values])[1][-1]
    assert math.isclose(deviation, math.sqrt((20**2 - 1) / 12) / 1024, rel_tol=1e-12)  # of 20 equal steps
