"""No indicator moves by more than its sensitivity says: a bound that is too small loses signals."""

import math
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.cases import NAMES, TestBar, closed, random_bars, row_of, rows_of, some_parameters
from tickfloor.indicators.catalogue import INDICATORS

TIGHT = {
    "sma",
    "ema",
    "rsi",
    "atr",
    "highest",
    "lowest",
    "change",
    "roc",
    "slope",
    "stdev",
    "stoch_k",
    "stoch_d",
    "wma",
    "macd",
    "macd_signal",
    "macd_histogram",
}
"""Whose bound is worth something: moves come near it."""


def history(random: Random, scale: float) -> list[TestBar]:
    """Return a market that walks, stands still, or jumps by many orders of magnitude."""
    inputs = random_bars(random.randrange(50), random, scale)
    match random.randrange(5):
        case 0:
            return [inputs[0]] * len(inputs) if inputs else []
        case 1:
            return [TestBar(*(value * 10.0 ** random.randint(-6, 6) for value in bar)) for bar in inputs]
        case 2 if inputs:
            inputs[random.randrange(len(inputs))] = inputs[0]._replace(close=math.nan)
    return inputs


def moved(bar: TestBar, by: float, random: Random) -> TestBar:
    """Return a bar no price of which is further away than ``by``: sorting moves nothing further."""
    steps = [random.choice((-by, by, 0.0, random.uniform(-by, by))) for _ in bar]
    low, close, high = sorted(price + step for price, step in zip(bar[:3], steps, strict=False))
    return TestBar(low, close, high, abs(bar.volume + steps[3]), bar.other + steps[4])


def distance(left: tuple[float, ...], right: tuple[float, ...]) -> float:
    return max(abs(one - other) for one, other in zip(left, right, strict=True))


def near(last: TestBar, scale: float, random: Random) -> TestBar:
    """Return a bar that could come after the last one, or one from far away."""
    return moved(last, scale * 10.0 ** random.uniform(-9, 6) if random.random() < 0.3 else 0.0, random)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=300, deadline=None, database=None)
@given(seed=st.integers())
def test_values_differ_by_no_more_than_the_inputs_times_the_sensitivity(name, seed):
    random = Random(seed)
    scale = 10.0 ** random.choice((0.0, random.uniform(-12.0, 12.0), random.uniform(-200.0, 100.0)))
    inputs = history(random, scale)
    rows = rows_of(name, inputs)
    indicator, _ = closed(name, some_parameters(name, random), rows)
    bound = indicator.sensitivity()
    assert bound >= 0.0
    if bound == math.inf:
        return
    greatest = max((abs(value) for row in rows for value in row if value == value), default=0.0)
    last = inputs[-1] if inputs and inputs[-1].close == inputs[-1].close else random_bars(1, random, scale)[0]
    for _ in range(10):
        one = near(last, scale, random)
        other = moved(one, scale * 10.0 ** random.uniform(-9, 3), random)
        left, right = row_of(name, one, len(rows)), row_of(name, other, len(rows))
        was, now = indicator.value_now(*left), indicator.value_now(*right)
        assert math.isnan(was) == math.isnan(now)
        rounding = 1e-9 * (abs(was) + abs(now) + bound * max(greatest, *map(abs, left), *map(abs, right)))
        rounding += 1e-150  # squares of what is below are no float any more
        assert math.isnan(was) or abs(was - now) <= bound * distance(left, right) + rounding


@pytest.mark.parametrize("name", sorted(TIGHT))
def test_some_moves_come_near_the_bound(name):
    random = Random(1)
    nearest = 0.0
    for _ in range(300):
        inputs = random_bars(60, random)
        indicator, _ = closed(name, some_parameters(name, random, 5), rows_of(name, inputs))
        last = inputs[-1]
        one = moved(last, random.choice((0.0, 1e-3, 10.0, 1e4)), random)
        left, right = (row_of(name, bar, 60) for bar in (one, moved(one, 1e-3, random)))
        if indicator.sensitivity() < math.inf and distance(left, right) > 0.0:
            ratio = abs(indicator.value_now(*left) - indicator.value_now(*right)) / distance(left, right)
            nearest = max(nearest, ratio / indicator.sensitivity() if ratio else 0.0)
    assert 0.5 < nearest < 1.0 + 1e-6


def test_moves_are_tried_for_every_indicator_with_a_bound():
    bounded = set()
    for name in NAMES:
        parameters = tuple(
            5.0 if not each.whole else 5 + place for place, each in enumerate(INDICATORS[name].parameters)
        )
        indicator, _ = closed(name, parameters, rows_of(name, random_bars(60, Random(3))))
        if 0.0 < indicator.sensitivity() < math.inf:
            bounded.add(name)
    assert bounded == TIGHT
