"""Parameters and bars to test any indicator with, whatever it is made with and fed with."""

import math
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import COLUMN, Indicator

NAMES = list(INDICATORS)
HOUR_MS = 3_600_000.0

Row = tuple[float, ...]
"""The inputs of one bar, in the indicator's order."""


class TestBar(NamedTuple):
    __test__ = False

    low: float
    close: float
    high: float
    volume: float
    other: float


def same(left: float, right: float) -> bool:
    return left == right or (left != left and right != right)


def make(name: str, parameters: Sequence[float]) -> Indicator:
    return INDICATORS[name](*parameters)


def closed(name: str, parameters: Sequence[float], rows: Sequence[Row]) -> tuple[Indicator, list[float]]:
    indicator = make(name, parameters)
    return indicator, [indicator.close(*row) for row in rows]


def over(name: str, parameters: Sequence[float], rows: Sequence[Row]) -> list[float]:
    columns = np.array(rows, dtype=np.float64).reshape(len(rows), len(INDICATORS[name].inputs)).T
    return make(name, parameters).over(*map(np.ascontiguousarray, columns)).tolist()


def small_parameters(name: str, size: int = 3) -> tuple[float, ...]:
    """Return parameters of about this size."""
    wanted = INDICATORS[name].parameters
    return tuple(max(parameter.least, size) if parameter.whole else 1.5 for parameter in wanted)


def some_parameters(name: str, random: Random, most: int = 8) -> tuple[float, ...]:
    return tuple(
        random.randint(int(each.least), max(int(each.least), most)) if each.whole else random.uniform(each.least, 5.0)
        for each in INDICATORS[name].parameters
    )


def row_of(name: str, bar: TestBar, index: int) -> Row:
    """Return what the indicator takes of a bar; columns named by the rule are its close and its other value."""
    columns = iter((bar.close, bar.other))
    values = {**bar._asdict(), "start": index * 5 * HOUR_MS, "open": bar.close}
    return tuple(next(columns) if taken == COLUMN else values[taken] for taken in INDICATORS[name].inputs)


def rows_of(name: str, bars: Sequence[TestBar]) -> list[Row]:
    return [row_of(name, bar, index) for index, bar in enumerate(bars)]


def random_bars(count: int, random: Random, scale: float = 1.0) -> list[TestBar]:
    """Return a walk of bars above zero with ups, downs, and bars that stand still."""
    bars = []
    close = 100.0
    for _ in range(count):
        before, close = close, close * math.exp(random.choice((0.0, 0.01, 0.01, 0.1)) * random.gauss(0.0, 1.0))
        low, high = min(before, close), max(before, close)
        reach = random.choice((0.0, 0.01))
        prices = (low * (1.0 - reach * random.random()), close, high * (1.0 + reach * random.random()))
        bars.append(TestBar(*(price * scale for price in prices), random.randrange(100) / 4, random.gauss(0.0, 1.0)))
    return bars


_anything = st.floats(min_value=-1e9, max_value=1e9, allow_nan=False).map(lambda value: round(value, 6))
_prices = st.integers(1, 100_000).map(lambda cents: cents / 100)


def _bars(prices: st.SearchStrategy[float]) -> st.SearchStrategy[TestBar]:
    return st.tuples(st.tuples(prices, prices, prices).map(sorted), st.integers(0, 400), prices).map(
        lambda drawn: TestBar(*drawn[0], drawn[1] / 4, drawn[2])
    )


known_bars = st.one_of(_bars(_prices), _bars(_prices), _bars(_anything))


def _with_nan(drawn: tuple[TestBar, set[str]]) -> TestBar:
    return drawn[0]._replace(**dict.fromkeys(drawn[1], math.nan))


_unknown_bars = st.tuples(known_bars, st.sets(st.sampled_from(TestBar._fields), min_size=1)).map(_with_nan)
bars = st.lists(st.one_of(known_bars, known_bars, known_bars, _unknown_bars), max_size=50)
