"""A whole history at once gives the same floats as bar by bar."""

import math
import subprocess
import sys
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.indicators.candles import FILES, candles, need_candles
from tests.indicators.cases import NAMES, bars, closed, over, random_bars, rows_of, same, some_parameters
from tickfloor.indicators.catalogue import INDICATORS

quick = settings(max_examples=60, deadline=None, database=None)
USUAL = {
    "macd": [(12, 26, 9), (26, 12, 1)],
    "macd_signal": [(12, 26, 9)],
    "macd_histogram": [(12, 26, 9)],
    "stoch_k": [(14, 3)],
    "stoch_d": [(14, 3, 3)],
    "supertrend": [(10, 3.0), (10, 0.5)],
}
"""Parameters of the indicators that do not take one period."""


def assert_same(got: list[float], want: list[float], case: str) -> None:
    differing = [index for index, pair in enumerate(zip(got, want, strict=True)) if not same(*pair)]
    assert not differing, f"{case}: bar {differing[0]}: {got[differing[0]]!r} for {want[differing[0]]!r}"


@pytest.mark.parametrize("name", NAMES)
@quick
@given(seed=st.integers(), inputs=bars)
def test_over_any_history_with_unknown_values(name, seed, inputs):
    parameters, rows = some_parameters(name, Random(seed)), rows_of(name, inputs)
    assert_same(over(name, parameters, rows), closed(name, parameters, rows)[1], f"{name}{parameters}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1.0, 1e12, 1e160, 1e298])
def test_over_long_histories_of_any_scale(name, scale):
    random = Random(name)
    inputs = random_bars(400, random, scale)
    for _ in range(4):
        inputs[random.randrange(400)] = random_bars(1, random)[0]._replace(close=math.nan, low=math.nan)
    rows = rows_of(name, inputs)
    for most in (4, 40, 200):
        parameters = some_parameters(name, random, most)
        assert_same(over(name, parameters, rows), closed(name, parameters, rows)[1], f"{name}{parameters}")


@pytest.mark.parametrize("name", NAMES)
def test_over_values_without_bounds(name):
    random = Random(name)
    inputs = [
        bar._replace(**{field: random.choice((math.inf, -math.inf, 1e301, 1.7e308)) for field in bar._fields})
        if index % 9 == 5
        else bar._replace(**{random.choice(bar._fields): random.choice((math.inf, 1e300, -9.9e299, 5e-324))})
        if index % 7 == 3
        else bar
        for index, bar in enumerate(random_bars(120, random))
    ]
    rows = rows_of(name, inputs)
    for most in (2, 5):
        parameters = some_parameters(name, random, most)
        assert_same(over(name, parameters, rows), closed(name, parameters, rows)[1], f"{name}{parameters}")


@pytest.mark.parametrize("name", NAMES)
def test_over_every_real_candle_file(name):
    need_candles()
    takes_period = [parameter.name for parameter in INDICATORS[name].parameters] == ["period"]
    cases = [(14,), (50,)] if takes_period else USUAL.get(name, [()])
    for path in FILES:
        columns = {field: values[:1000] for field, values in candles(path).items()}
        columns["start"] = [index * 300_000.0 for index in range(len(columns["close"]))]
        fields = iter(("close", "volume"))
        rows = list(zip(*(columns[taken or next(fields)] for taken in INDICATORS[name].inputs), strict=True))
        for parameters in cases:
            got, want = over(name, parameters, rows), closed(name, parameters, rows)[1]
            assert_same(got, want, f"{path.name} {name}{parameters}")


@pytest.mark.parametrize("name", NAMES)
def test_over_does_not_change_its_inputs_and_does_not_depend_on_what_was_committed(name):
    rows = rows_of(name, random_bars(80, Random(5)))
    parameters = some_parameters(name, Random(6))
    indicator, expected = closed(name, parameters, rows)
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    copies = [column.copy() for column in columns]
    assert_same(indicator.over(*columns).tolist(), expected, name)
    assert all(np.array_equal(column, copy) for column, copy in zip(columns, copies, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_a_history_that_is_empty_or_too_short_is_unknown(name):
    parameters = tuple(300 if parameter.whole else 1.0 for parameter in INDICATORS[name].parameters)
    for count in (0, 1, 20):
        got = over(name, parameters, rows_of(name, random_bars(count, Random(7))))
        assert len(got) == count
        assert not parameters or all(map(math.isnan, got))


def test_bar_by_bar_never_loads_scipy():
    program = """
import sys
from tickfloor.indicators.catalogue import INDICATORS
for kind in INDICATORS.values():
    indicator = kind(*[max(parameter.least, 2) for parameter in kind.parameters])
    for bar in range(20):
        indicator.close(*[float(bar % 7 + 1) for _ in kind.inputs])
assert "scipy" not in sys.modules
import numpy as np
values = np.random.default_rng(1).random(1_000_000)
one_by_one = INDICATORS["ema"](2).over(values)
assert "scipy" not in sys.modules
for _ in range(5):
    at_once = INDICATORS["ema"](2).over(values)
assert "scipy.signal" in sys.modules
assert np.array_equal(one_by_one, at_once, equal_nan=True)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_indicator_that_needs_more_than_a_period_has_usual_parameters():
    needing = {name for name in NAMES if [each.name for each in INDICATORS[name].parameters] not in (["period"], [])}
    assert needing == set(USUAL)
