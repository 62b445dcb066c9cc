"""Formulas over real candles equal what TA-Lib, or plain numpy over TA-Lib's values, gives."""

import numpy as np
import pytest
import talib

from tests.indicators.candles import FILES, candles, need_candles
from tickfloor.contracts.traders import TraderSpec
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.traders.language.nodes import Arithmetic, BarValue, Formula, IndicatorValue, Number
from tickfloor.traders.language.plan import plan

EXPECTED = {
    "bbands_upper(20, 2)": lambda o: talib.BBANDS(o["close"], 20, 2.0, 2.0)[0],
    "bbands_middle(10)": lambda o: talib.BBANDS(o["close"], 10, 2.0, 2.0)[1],
    "bbands_lower(5, 2.5)": lambda o: talib.BBANDS(o["close"], 5, 2.5, 2.5)[2],
    "bbands_upper(high - low, 20, 1)": lambda o: talib.BBANDS(o["high"] - o["low"], 20, 1.0, 1.0)[0],
    "bbands_width(20, 2)": lambda o: 4.0 * talib.STDDEV(o["close"], 20) / talib.SMA(o["close"], 20),
    "keltner_upper(20, 1.5)": lambda o: talib.EMA(o["close"], 20) + 1.5 * atr(o),
    "keltner_middle(20)": lambda o: talib.EMA(o["close"], 20),
    "keltner_lower": lambda o: talib.EMA(o["close"], 20) - 2.0 * atr(o),
    "donchian_upper(20)": lambda o: talib.MAX(o["high"], 20),
    "donchian_middle(20)": lambda o: (talib.MAX(o["high"], 20) + talib.MIN(o["low"], 20)) / 2.0,
    "donchian_lower(20)": lambda o: talib.MIN(o["low"], 20),
}
RATIOS = {
    "bbands_percent(20, 2)": lambda o: (
        (o["close"] - talib.BBANDS(o["close"], 20, 2.0, 2.0)[2]) / (4.0 * talib.STDDEV(o["close"], 20))
    ),
    "zscore(20)": lambda o: (o["close"] - talib.SMA(o["close"], 20)) / talib.STDDEV(o["close"], 20),
}
"""What divides by a deviation is compared where TA-Lib's own rounding of it does not count."""


def atr(o):
    return talib.ATR(o["high"], o["low"], o["close"], 20)


def value(node, arrays):
    match node:
        case Number(value=number):
            return number
        case BarValue(field=field):
            return arrays[field]
        case IndicatorValue(function=function, sources=sources, parameters=parameters):
            return INDICATORS[function](*parameters).over(*(value(source, arrays) for source in sources))
        case Formula(expression=expression):
            return value(expression, arrays)
        case Arithmetic(operator=operator, left=left, right=right):
            one, other = value(left, arrays), value(right, arrays)
            return {"+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide}[operator](one, other)
    raise TypeError(node)


def ours(text, arrays):
    ((_, node),) = plan(TraderSpec(name="t", rule=f"{text} > 0")).shown
    with np.errstate(all="ignore"):
        return value(node, arrays)


@pytest.fixture(params=FILES or [None], ids=lambda path: path.name if path else "none")
def arrays(request):
    need_candles()
    return {name: np.array(column[:20_000]) for name, column in candles(request.param).items()}


@pytest.mark.parametrize("text", EXPECTED)
def test_equals_talib(text, arrays):
    np.testing.assert_allclose(ours(text, arrays), EXPECTED[text](arrays), rtol=1e-7, atol=1e-9 * arrays["close"].max())


@pytest.mark.parametrize("text", RATIOS)
def test_equals_talib_where_the_price_moves_enough(text, arrays):
    with np.errstate(all="ignore"):
        expected, found = RATIOS[text](arrays), ours(text, arrays)
    moves = talib.STDDEV(arrays["close"], 20) > 1e-4 * arrays["close"]
    assert moves.any()
    np.testing.assert_allclose(found[moves], expected[moves], rtol=1e-5, atol=1e-5)
