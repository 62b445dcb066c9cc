"""Indicators equal TA-Lib's to 1e-9 relative, over every real candle file, and are known from the same bar on.

The columnar form is compared; ``test_columnar`` holds the other one to it.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import talib

from tests.indicators.candles import FILES, candles, need_candles
from tickfloor.indicators.catalogue import INDICATORS

PERIODS = [2, 14, 200]
Columns = dict[str, np.ndarray]
Oracle = Callable[[Columns, int], np.ndarray]


def of_close(function: Callable[..., np.ndarray]) -> Oracle:
    return lambda bars, period: function(bars["close"], period)


def of_prices(function: Callable[..., np.ndarray]) -> Oracle:
    return lambda bars, period: function(bars["high"], bars["low"], bars["close"], period)


def macd(index: int) -> Oracle:
    return lambda bars, period: talib.MACD(bars["close"], period, 2 * period, 9)[index]


def stoch(bars: Columns, period: int, d: int, index: int) -> np.ndarray:
    return talib.STOCH(bars["high"], bars["low"], bars["close"], period, 3, 0, d, 0)[index]


ORACLES: dict[str, Oracle] = {
    "sma": of_close(talib.SMA),
    "ema": of_close(talib.EMA),
    "rsi": of_close(talib.RSI),
    "atr": of_prices(talib.ATR),
    "highest": of_close(talib.MAX),
    "lowest": of_close(talib.MIN),
    "change": of_close(talib.MOM),
    "roc": of_close(talib.ROC),
    "macd": macd(0),
    "macd_signal": macd(1),
    "macd_histogram": macd(2),
    "stdev": of_close(talib.STDDEV),
    "stoch_k": lambda bars, period: stoch(bars, period, 1, 0),
    "stoch_d": lambda bars, period: stoch(bars, period, 3, 1),
    "adx": of_prices(talib.ADX),
    "plus_di": of_prices(talib.PLUS_DI),
    "minus_di": of_prices(talib.MINUS_DI),
    "supertrend": lambda bars, period: talib.SUPERTREND(bars["high"], bars["low"], bars["close"], period, 2.5)[0],
}
MORE_PARAMETERS: dict[str, Callable[[int], tuple[float, ...]]] = {
    "macd": lambda period: (2 * period, 9),
    "macd_signal": lambda period: (2 * period, 9),
    "macd_histogram": lambda period: (2 * period, 9),
    "stoch_k": lambda period: (3,),
    "stoch_d": lambda period: (3, 3),
    "supertrend": lambda period: (2.5,),
}
"""What is given after the period."""

SCALES: dict[str, Callable[[Columns], np.ndarray | float]] = {
    "macd": lambda bars: bars["close"],
    "macd_signal": lambda bars: bars["close"],
    "macd_histogram": lambda bars: bars["close"],
    "stdev": lambda bars: bars["close"],
    "stoch_k": lambda bars: 100.0,
    "stoch_d": lambda bars: 100.0,
}
"""What is subtracted from each other in values that can be next to 0: TA-Lib rounds at this scale."""


def arrays_of(columns: dict[str, list[float]]) -> Columns:
    return {name: np.array(values[:2500]) for name, values in columns.items()}


def assert_equal(found: np.ndarray, want: np.ndarray, scale: np.ndarray | float, case: str) -> None:
    assert np.array_equal(np.isnan(found), np.isnan(want)), f"{case}: known from another bar on"
    excess = np.abs(found - want) - 1e-9 * np.abs(want) - 1e-12 * scale
    assert not np.any(excess > 0.0), f"{case}: off by {np.nanmax(excess)}"


@pytest.mark.parametrize("name", ORACLES)
def test_equals_talib_on_every_real_candle_file(name):
    need_candles()
    for path in FILES:
        bars = arrays_of(candles(path))
        if any(np.isnan(bars[field]).any() for field in ("high", "low", "close")):
            continue
        scale = SCALES[name](bars) if name in SCALES else 0.0
        for period in PERIODS:
            parameters = (period, *MORE_PARAMETERS[name](period)) if name in MORE_PARAMETERS else (period,)
            indicator = INDICATORS[name](*parameters)
            found = indicator.over(*(bars[field or "close"] for field in indicator.inputs))
            assert_equal(found, ORACLES[name](bars, period), scale, f"{path.name} {name}{parameters}")


def test_macd_takes_the_greater_period_for_the_slow_one_as_talib_does():
    closes = np.array([math.sin(index) + index / 50 for index in range(200)])
    for fast, slow in ((26, 12), (12, 12)):
        found = INDICATORS["macd"](fast, slow, 9).over(closes)
        assert_equal(found, talib.MACD(closes, fast, slow, 9)[0], 1.0, f"macd({fast}, {slow}, 9)")


@pytest.mark.parametrize("name", ["rsi", "adx", "plus_di", "minus_di", "stoch_k", "stoch_d", "stdev", "supertrend"])
def test_equals_talib_in_a_market_that_stands_still_at_first(name):
    closes = np.concatenate([np.full(60, 5.0), 5.0 + np.sin(np.arange(100.0))])
    bars = {"high": closes + 0.0, "low": closes - 0.0, "close": closes}
    parameters = (14, *MORE_PARAMETERS[name](14)) if name in MORE_PARAMETERS else (14,)
    indicator = INDICATORS[name](*parameters)
    found = indicator.over(*(bars[field or "close"] for field in indicator.inputs))
    assert_equal(found, ORACLES[name](bars, 14), 100.0, name)


def test_a_moving_average_does_not_drift_over_a_hundred_thousand_bars():
    need_candles()
    closes = [close for path in FILES for close in candles(path)["close"] if not math.isnan(close)][:100_000]
    indicator = INDICATORS["sma"](50)
    got = [indicator.close(close) for close in closes]
    assert len(closes) == 100_000
    for end in range(50, len(closes), 997):  # the definition itself: TA-Lib's own running sum drifts at file borders
        assert got[end - 1] == math.fsum(closes[end - 50 : end]) / 50


def test_a_deviation_does_not_drift_over_a_hundred_thousand_bars():
    need_candles()
    closes = np.array([close for path in FILES for close in candles(path)["close"] if not math.isnan(close)][:100_000])
    got = INDICATORS["stdev"](50).over(closes)
    for end in range(50, len(closes), 97):
        assert math.isclose(got[end - 1], closes[end - 50 : end].std(), rel_tol=1e-9, abs_tol=1e-15 * closes[end - 1])
