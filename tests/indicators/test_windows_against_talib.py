"""Weighted, correlated and volume-weighted windows equal TA-Lib's over every real candle file.

TA-Lib adds to and subtracts from running sums of the prices themselves, so its own rounding is far above 1e-9 of a
slope near zero. Over whole files it is allowed that; single windows, moved to zero beforehand, agree to 1e-9.
"""

import math

import numpy as np
import pytest
import talib

from tests.indicators.candles import FILES, candles, need_candles
from tickfloor.indicators.catalogue import INDICATORS

PERIODS = [2, 14, 200]


def files():
    need_candles()
    for path in FILES:
        columns = {name: np.array(values[:2500]) for name, values in candles(path).items()}
        if not any(np.isnan(values).any() for values in columns.values()):
            yield path.name, columns


CASES = {
    "wma": (["close"], lambda of, n: talib.WMA(of["close"], n)),
    "slope": (["close"], lambda of, n: talib.LINEARREG_SLOPE(of["close"], n)),
    "cci": (["high", "low", "close"], lambda of, n: talib.CCI(of["high"], of["low"], of["close"], n)),
    "mfi": (
        ["high", "low", "close", "volume"],
        lambda of, n: talib.MFI(of["high"], of["low"], of["close"], of["volume"], n),
    ),
    "correlation": (["close", "volume"], lambda of, n: talib.CORREL(of["close"], of["volume"], n)),
}
ROUNDING_OF_TALIB = {
    "wma": lambda of: 0.0,
    "slope": lambda of: 1e-12 * of["close"].max(),
    "cci": lambda of: 1e-6,
    "mfi": lambda of: 1e-9,
    "correlation": lambda of: 1e-5,
}


@pytest.mark.parametrize("name", CASES)
def test_equals_talib_over_whole_files(name):
    inputs, oracle = CASES[name]
    for path, columns in files():
        for period in PERIODS:
            case = f"{path} {name}({period})"
            got = INDICATORS[name](period).over(*(columns[each] for each in inputs))
            want = oracle(columns, period)
            assert np.array_equal(np.isnan(got), np.isnan(want)), f"{case}: known from another bar on"
            known = ~np.isnan(want)
            distance = np.abs(got - want)[known]
            allowed = 1e-9 * np.abs(want[known]) + ROUNDING_OF_TALIB[name](columns)
            assert np.all(distance <= allowed), f"{case}: off by {distance.max()}"


def moved(window, name):
    """Return a window moved to where TA-Lib's running sums lose nothing; none of these indicators notices."""
    prices = {each: values - window["close"][0] for each, values in window.items() if each != "volume"}
    volume = window["volume"]
    return {**prices, "volume": volume - volume[0] if name == "correlation" else volume}


@pytest.mark.parametrize("name", ["slope", "cci", "correlation"])
def test_equals_talib_to_one_part_in_a_billion_for_single_windows(name):
    inputs, oracle = CASES[name]
    compared = 0
    for path, columns in files():
        for period in PERIODS[1:]:
            got = INDICATORS[name](period).over(*(columns[each] for each in inputs))
            for end in range(period, len(got) + 1, 397):
                window = moved({each: values[end - period : end] for each, values in columns.items()}, name)
                if np.ptp(window["high"]) == 0.0 or np.ptp(window["close"]) == 0.0:
                    continue
                want = oracle(window, period)[-1]
                noise = 1e-12 if name != "slope" else 1e-15 * np.ptp(window["close"])
                assert math.isclose(got[end - 1], want, rel_tol=1e-9, abs_tol=noise), (
                    f"{path} {name}({period}) at {end}"
                )
                compared += 1
    assert compared > 200


def test_on_balance_volume_equals_talib():
    for path, columns in files():
        got = INDICATORS["obv"]().over(columns["close"], columns["volume"])
        assert np.array_equal(got, talib.OBV(columns["close"], columns["volume"])), path
