"""Every indicator equals TA-Lib's to 1e-9 relative, over every real candle file, and is known from the same bar on."""

import math

import numpy as np
import pytest
import talib

from tests.indicators.candles import FILES, candles, need_candles
from tickfloor.indicators.atr import true_range
from tickfloor.indicators.catalogue import INDICATORS

PERIODS = [2, 14, 200]
ORACLES = {
    "sma": talib.SMA,
    "ema": talib.EMA,
    "rsi": talib.RSI,
    "highest": talib.MAX,
    "lowest": talib.MIN,
    "change": talib.MOM,
}


def assert_equal(got: list[float], want: np.ndarray, case: str) -> None:
    found = np.array(got)
    assert np.array_equal(np.isnan(found), np.isnan(want)), f"{case}: known from another bar on"
    known = ~np.isnan(want)
    distance = np.abs(found[known] - want[known])
    assert np.all(distance <= 1e-9 * np.abs(want[known])), f"{case}: off by {distance.max()}"


def true_ranges(columns: dict[str, list[float]]) -> list[float]:
    before = [math.nan, *columns["close"][:-1]]
    return list(map(true_range, columns["high"], columns["low"], before))


@pytest.mark.parametrize("name", [*ORACLES, "atr"])
def test_equals_talib_on_every_real_candle_file(name):
    need_candles()
    for path in FILES:
        columns = {key: values[:2500] for key, values in candles(path).items()}
        if any(math.isnan(value) for value in columns["close"]):
            continue
        arrays = {key: np.array(values) for key, values in columns.items()}
        for period in PERIODS:
            indicator = INDICATORS[name](period)
            if name == "atr":
                want = talib.ATR(arrays["high"], arrays["low"], arrays["close"], period)
                got = [indicator.close(value) for value in true_ranges(columns)]
            else:
                want = ORACLES[name](arrays["close"], period)
                got = [indicator.close(value) for value in columns["close"]]
            assert_equal(got, want, f"{path.name} {name}({period})")


def test_a_moving_average_does_not_drift_over_a_hundred_thousand_bars():
    need_candles()
    closes = [close for path in FILES for close in candles(path)["close"] if not math.isnan(close)][:100_000]
    indicator = INDICATORS["sma"](50)
    got = [indicator.close(close) for close in closes]
    assert len(closes) == 100_000
    for end in range(50, len(closes), 997):  # the definition itself: TA-Lib's own running sum drifts at file borders
        assert got[end - 1] == math.fsum(closes[end - 50 : end]) / 50
