"""What begins somewhere: the average price of a day, and on-balance volume."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.candles import FILES, candles, need_candles
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.session_vwap import DAY_MS

quick = settings(max_examples=150, deadline=None, database=None)
HOUR_MS = DAY_MS / 24
prices = st.one_of(st.integers(1, 9).map(lambda ticks: ticks / 10), st.just(math.nan), st.just(1e200))
volumes = st.sampled_from([0.0, 1.0, 2.5, 1.0, 2.5, math.nan, -1.0])


@quick
@given(st.lists(st.tuples(st.integers(1, 9), prices, volumes), max_size=60))
def test_the_session_average_is_of_the_days_bars_only(bars):
    indicator = INDICATORS["session_vwap"]()
    start, day = 0.0, []
    for hours, price, volume in bars:
        if (start + hours * HOUR_MS) // DAY_MS != start // DAY_MS:
            day = []
        start += hours * HOUR_MS
        day.append((price, volume))
        got = indicator.close(start, price, price, price, volume)
        unknown = any(not each < 1e150 or not weight >= 0.0 for each, weight in day)
        if unknown or not sum(weight for _, weight in day):
            assert math.isnan(got)
        else:
            weighted = sum(Fraction(each) * Fraction(weight) for each, weight in day)
            assert got == pytest.approx(float(weighted / sum(Fraction(weight) for _, weight in day)), rel=1e-14)


def test_a_day_begins_at_midnight_utc():
    indicator = INDICATORS["session_vwap"]()
    assert indicator.close(DAY_MS - 60_000.0, 5.0, 5.0, 5.0, 1.0) == 5.0
    assert indicator.value_now(DAY_MS - 1.0, 7.0, 7.0, 7.0, 1.0) == 6.0
    assert indicator.value_now(DAY_MS, 7.0, 7.0, 7.0, 1.0) == 7.0


def test_the_session_average_is_the_same_over_real_days_at_once_and_bar_by_bar():
    need_candles()
    for path in FILES[:6]:
        columns = {name: values[:2500] for name, values in candles(path).items()}
        columns["start"] = [300_000.0 * index for index in range(len(columns["close"]))]
        inputs = [columns[name] for name in INDICATORS["session_vwap"].inputs]
        bar_by_bar = INDICATORS["session_vwap"]()
        want = [bar_by_bar.close(*bar) for bar in zip(*inputs, strict=True)]
        got = INDICATORS["session_vwap"]().over(*map(np.array, inputs))
        assert np.array_equal(got, want, equal_nan=True)
        known = got[~np.isnan(got)]
        assert len(known) > len(got) / 2
        assert min(columns["low"]) <= known.min() <= known.max() <= max(columns["high"])


def test_on_balance_volume_begins_anew_after_an_unknown_bar():
    indicator = INDICATORS["obv"]()
    bars = [(5.0, 10.0), (6.0, 1.0), (4.0, 3.0), (4.0, 9.0), (math.nan, 7.0), (9.0, 2.0), (8.0, 0.5), (8.5, math.nan)]
    got = [indicator.close(*bar) for bar in bars]
    assert list(map(str, got)) == ["10.0", "11.0", "8.0", "8.0", "nan", "2.0", "1.5", "nan"]
