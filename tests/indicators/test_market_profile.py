"""Market profile: volume per bin against one that is kept bin by bin, and the prices that are read from it."""

import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.candles import FILES, candles, need_candles
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.node_distance import nodes
from tickfloor.indicators.value_area import busiest, value_area
from tickfloor.indicators.volume_profile import VolumeProfile, bin_of, price_of

quick = settings(max_examples=150, deadline=None, database=None)
NAMES = ["poc", "value_area_high", "value_area_low"]


@st.composite
def bars(draw):
    """Bars of a few bins each around 100, among them some that are unknown."""
    low = price_of(draw(st.integers(4_600, 4_640)) + 0.5)
    high = low * 1.001 ** draw(st.integers(0, 12))
    unknown = draw(st.sampled_from([False] * 9 + [True]))
    return (high, math.nan if unknown else low, draw(st.sampled_from([0.0, 1.0, 2.0, 3.5])))


def by_bin(known: list[tuple[float, float, float]]) -> Counter[int]:
    """Return the volume of each bin, bar by bar and bin by bin."""
    volumes: Counter[int] = Counter()
    for high, low, volume in known:
        bins = range(bin_of(low), bin_of(high) + 1)
        for each in bins:
            volumes[each] += int(volume / len(bins) * 2.0**80)
    return +volumes


@quick
@given(st.lists(bars(), max_size=12), st.data())
def test_volume_is_spread_over_a_bars_bins_and_taken_away_without_a_trace(history, data):
    known = [bar for bar in history if bar[1] == bar[1]]
    gone = data.draw(st.lists(st.sampled_from(range(len(known))), unique=True)) if known else []
    profile = VolumeProfile()
    for high, low, volume in known:
        profile.change(low, high, volume, 1)
    for index in gone:
        high, low, volume = known[index]
        profile.change(low, high, volume, -1)
    want = by_bin([bar for index, bar in enumerate(known) if index not in gone])
    got = Counter({each: volume for first, end, volume in profile.levels() for each in range(first, end)})
    assert +got == want
    assert profile.total == sum(want.values())


@quick
@given(st.lists(bars(), min_size=1, max_size=12))
def test_the_value_area_is_the_busiest_bins_around_the_point_of_control(history):
    want = by_bin([bar for bar in history if bar[1] == bar[1]])
    if not want:
        return
    profile = VolumeProfile()
    for high, low, volume in history:
        if low == low:
            profile.change(low, high, volume, 1)
    levels, total = profile.levels(), profile.total
    first, end, most = levels[busiest(levels)]
    assert most == max(want.values())
    assert first == min(each for each, volume in want.items() if volume == most)

    bottom, top = first, end
    while 10 * sum(want[each] for each in range(bottom, top)) < 7 * total:
        lowest, highest = min(want), max(want) + 1
        lower = want[bottom - 1] if bottom > lowest else -1
        upper = want[top] if top < highest else -1
        bottom, top = (bottom, top + 1) if upper >= lower else (bottom - 1, top)
    # A gap without volume is crossed at once, so the area may reach over the rest of one.
    found_bottom, found_top = value_area(levels, total)
    assert found_bottom <= bottom
    assert top <= found_top
    held = sum(want[each] for each in range(bottom, top))
    assert sum(want[each] for each in range(found_bottom, found_top)) == held


@quick
@given(period=st.integers(1, 5), history=st.lists(bars(), max_size=30))
def test_the_profile_is_of_the_closed_bars_before_the_current_one(period, history):
    indicators = [INDICATORS[name](period) for name in NAMES]
    for at, bar in enumerate(history):
        window = history[max(at - period, 0) : at]
        want = by_bin(window) if len(window) == period and all(low == low for _, low, _ in window) else None
        poc, high, low = (indicator.close(*bar) for indicator in indicators)
        assert all(indicator.sensitivity() == 0.0 for indicator in indicators)
        if not want:
            assert math.isnan(poc)
            assert math.isnan(high)
            assert math.isnan(low)
            continue
        assert low < poc < high
        lowest, highest = price_of(min(want)), price_of(max(want) + 1)
        assert lowest <= low
        assert high <= highest
        ends = [each for each in want if low <= price_of(each + 0.5) <= high]
        assert Fraction(sum(want[each] for each in ends), sum(want.values())) >= Fraction(7, 10)


def test_the_forming_bar_does_not_move_the_profile():
    poc = INDICATORS["poc"](2)
    for bar in ((101.0, 100.0, 5.0), (102.0, 101.0, 9.0)):
        poc.close(*bar)
    seen = {poc.value_now(*bar) for bar in ((500.0, 90.0, 1e9), (math.nan, math.nan, math.nan), (0.0, 0.0, 0.0))}
    assert len(seen) == 1
    assert 101.0 < seen.pop() < 102.0


def test_bins_follow_the_price():
    for price in (3e-7, 0.02, 1.0, 97.5, 61_234.5):
        edge = bin_of(price)
        assert price_of(edge) <= price <= price_of(edge + 1)
        assert price_of(edge + 1) / price_of(edge) == pytest.approx(1.001)


def test_a_bar_across_all_prices_costs_no_more_than_another():
    profile = VolumeProfile()
    profile.change(1e-290, 1e290, 1e9, 1)
    assert len(profile.levels()) == 1


def history_of(*volumes: float) -> list[tuple[float, float, float]]:
    """Return one bar in each of the bins from 4,605 on, about 99.7, with these volumes."""
    return [(price_of(4_605.5 + index), price_of(4_605.5 + index), volume) for index, volume in enumerate(volumes)]


def profile_of(*volumes: float) -> VolumeProfile:
    profile = VolumeProfile()
    for high, low, volume in history_of(*volumes):
        profile.change(low, high, volume, 1)
    return profile


@pytest.mark.parametrize(
    ("volumes", "first", "end"),
    [
        ([1.0, 7.0, 2.0], 1, 2),  # 70 % to the unit
        ([5.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0, 3),
        ([2.0, 6.0, 2.0], 1, 3),  # the upper of two equals
        ([3.0, 1.0, 6.0, 1.0, 1.0], 1, 5),
        ([1.0, 0.0, 1.0], 0, 3),
    ],
)
def test_the_value_area_takes_no_more_bins_than_it_needs(volumes, first, end):
    profile = profile_of(*volumes)
    assert value_area(profile.levels(), profile.total) == (4_605 + first, 4_605 + end)


def test_nodes_are_peaks_at_or_above_the_mean():
    profile = profile_of(1.0, 5.0, 8.0, 2.0, 3.0, 2.0, 9.0, 9.0, 1.0)
    assert nodes(profile.levels(), profile.total) == [price_of(4_607.5), price_of(4_612)]


def test_the_distance_to_the_nearest_node_is_negative_below_it():
    history = history_of(1.0, 8.0, 2.0, 3.0, 2.0, 9.0, 1.0)
    indicator = INDICATORS["node_distance"](len(history))
    for high, low, volume in history:
        assert math.isnan(indicator.close(high, low, volume, high))
    lower, upper = price_of(4_606.5), price_of(4_610.5)

    def distance(close: float) -> float:
        return indicator.value_now(0.0, 0.0, 0.0, close)

    assert distance(lower - 0.25) == pytest.approx(-0.25)
    assert distance(lower + 0.1) == pytest.approx(0.1)
    assert distance(upper - 0.1) == pytest.approx(-0.1)
    assert distance(upper + 3.0) == pytest.approx(3.0)
    middle = (lower + upper) / 2
    assert middle - lower == upper - middle
    assert distance(middle) == middle - lower
    assert distance(middle + 1e-6) < 0.0
    assert indicator.sensitivity() == math.inf


def test_with_a_single_node_the_distance_moves_with_the_close():
    indicator = INDICATORS["node_distance"](1)
    assert math.isnan(indicator.value_now(0.0, 0.0, 0.0, 100.0))
    indicator.close(101.0, 99.0, 4.0, 100.0)
    assert indicator.sensitivity() == 1.0
    assert indicator.value_now(0.0, 0.0, 0.0, 103.0) - indicator.value_now(0.0, 0.0, 0.0, 102.0) == pytest.approx(1.0)


def test_over_real_candles_the_value_area_lies_within_the_window_and_around_the_point_of_control():
    need_candles()
    for path in FILES[::4]:
        columns = {name: values[:400] for name, values in candles(path).items()}
        indicators = [INDICATORS[name](50) for name in NAMES]
        history = list(zip(columns["high"], columns["low"], columns["volume"], strict=True))
        known = 0
        for at, bar in enumerate(history):
            poc, high, low = (indicator.close(*bar) for indicator in indicators)
            if not math.isnan(poc):
                known += 1
                window = history[at - 50 : at]
                assert low <= poc <= high
                assert min(bar[1] for bar in window) / 1.001 <= low
                assert high <= max(bar[0] for bar in window) * 1.001
        assert known > 100, path
