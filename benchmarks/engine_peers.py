"""What people would run the same rules with: one NumPy expression for all rules, over columns from a library.

TA-Lib's streaming handles are asked for every column at every trade. pandas and polars compute the columns anew from
the closed bars and the forming one, at most some seventy rows. All seed their averages as TA-Lib does, so the
matches are the same; a sum may differ in its last digit from ours, no threshold of the benchmark lies that near.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine_market import INTERVALS, Market
from benchmarks.engine_rules import Comparison, Rules
from benchmarks.engine_talib import FIELDS, Column, FormingFour, Handles, Tick
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Kind, Side
from tickfloor.traders.state.resync import InstrumentView

_TRADE, _BAR_CLOSE, _BUY = int(Kind.TRADE), int(Kind.BAR_CLOSE), int(Side.BUY)
_NONE: Final[tuple[int, ...]] = ()

Values = Callable[[Sequence[float]], NDArray[np.bool_]]


class NumpyRules:
    """All rules as one expression: every comparison once, then the clauses."""

    def __init__(self, rules: Rules) -> None:
        found = sorted({each for rule in rules.rules for clause in rule.clauses for each in clause}, key=_order)
        place = {each: number for number, each in enumerate(found)}
        true, constant = len(found), len(rules.columns)
        self._below = sum(each.below for each in found)
        self._left = np.array([each.left for each in found])
        self._right = np.array([constant if each.right is None else each.right for each in found])
        self._factor = np.array([each.factor for each in found])
        self._negated = np.array([each.negated for each in found])
        firsts = [rule.clauses[0] for rule in rules.rules]
        self._either = np.array([place[clause[0]] for clause in firsts])
        self._or = np.array([place[clause[-1]] for clause in firsts])
        self._rest = [
            np.array([place[rule.clauses[at][0]] if at < len(rule.clauses) else true for rule in rules.rules])
            for at in (1, 2, 3)
        ]

    def __call__(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which rules match; ``values`` holds the columns, or a row for each and a column an instrument."""
        numbers = np.concatenate((values, np.ones((1, *values.shape[1:]))))
        left = numbers.take(self._left, 0)
        right = (numbers.take(self._right, 0).T * self._factor).T
        below = self._below
        holds = np.empty((len(left) + 1, *values.shape[1:]), np.bool_)
        np.less(left[:below], right[:below], out=holds[:below])
        np.greater(left[below:], right[below:], out=holds[below:-1])
        holds[:-1][self._negated] ^= True
        holds[-1] = True
        matches = holds.take(self._either, 0) | holds.take(self._or, 0)
        for rest in self._rest:
            matches &= holds.take(rest, 0)
        return matches


def _order(comparison: Comparison) -> tuple[bool, int, float, int, bool]:
    right = -1 if comparison.right is None else comparison.right
    return not comparison.below, comparison.left, comparison.factor, right, comparison.negated


class InstrumentColumns(Protocol):
    """The columns of one instrument, by some library."""

    bars: FormingFour

    def values(self) -> list[float]:
        """Return every column with the bars as they are now."""

    def close(self, interval: Interval) -> None:
        """Close a bar."""


class Peer:
    """Columns of a library and the rules in NumPy; one tick at a time.

    Attributes:
        columns: of each instrument.
    """

    def __init__(
        self, market: Market, rules: Rules, library: Callable[[InstrumentView, Sequence[Column]], InstrumentColumns]
    ) -> None:
        self._rules = NumpyRules(rules)
        self.columns = {row: library(view, rules.columns) for row, view in market.views.items()}
        self._matched: dict[int, NDArray[np.bool_]] = {}

    def take(self, tick: Tick) -> Sequence[int]:
        """Take a record; return the rules that match now and did not before. The first trade gives none."""
        row, kind, code, ts_ms, price, qty = tick
        of = self.columns[row]
        if kind == _TRADE:
            of.bars.trade(ts_ms, price, qty, code == _BUY)
            matches = self._rules(np.array(of.values()))
            before = self._matched.get(row)
            self._matched[row] = matches
            if before is not None:
                new = matches & ~before
                if new.any():
                    return [int(each) for each in new.nonzero()[0]]
        elif kind == _BAR_CLOSE and code in of.bars.forming:
            of.close(INTERVALS[INTERVALS.index(code)])
        return _NONE


def talib_peer(market: Market, rules: Rules) -> Peer:
    """Return the peer of streaming handles."""
    return Peer(market, rules, Handles)


class Recomputed:
    """Columns that are computed anew at every trade, from all bars; what they share is here.

    Attributes:
        bars: the forming ones.
    """

    def __init__(self, view: InstrumentView, columns: Sequence[Column]) -> None:
        self.bars = FormingFour(view)
        self._columns = columns
        self._closed: dict[Interval, list[Bar]] = {interval: list(view.bars[interval]) for interval in INTERVALS}

    def close(self, interval: Interval) -> None:
        """Close a bar."""
        self._closed[interval].append(list(self.bars.forming[interval]))
        self.bars.close(interval)

    def _numbers(self, interval: Interval) -> dict[str, NDArray[np.float64]]:
        """Return the fields of all bars, the forming one last."""
        bars = np.array([*self._closed[interval], self.bars.forming[interval]])
        return {field: bars[:, number] for field, number in FIELDS.items()}

    def _of(self, interval: Interval) -> list[int]:
        return [number for number, column in enumerate(self._columns) if column.interval is interval]


class PandasColumns(Recomputed):
    """A frame for each interval, and pandas' own rolling and exponential windows."""

    def values(self) -> list[float]:
        """Return every column with the bars as they are now."""
        pandas: Any = importlib.import_module("pandas")
        values = [0.0] * len(self._columns)
        for interval in INTERVALS:
            frame = pandas.DataFrame(self._numbers(interval))
            for number in self._of(interval):
                values[number] = float(_in_pandas(frame, self._columns[number], pandas).iat[-1])
        return values


def _in_pandas(frame: Any, column: Column, pandas: Any) -> Any:  # noqa: ANN401
    """Return a column over a frame."""
    n, of = column.period, frame[column.field]

    def averaged(values: Any, first: int, alpha: float) -> Any:  # noqa: ANN401
        """Return the exponential average that the mean of n values, from the first on, has begun."""
        seeded = values.copy()
        seeded.iloc[: first + n] = np.nan
        seeded.iloc[first + n - 1] = values.iloc[first : first + n].mean()
        return seeded.ewm(alpha=alpha, adjust=False).mean()

    match column.function:
        case "":
            return of
        case "sma":
            return of.rolling(n).mean()
        case "ema":
            return averaged(of, 0, 2 / (n + 1))
        case "rsi":
            change = of.diff()
            gain = averaged(change.clip(lower=0), 1, 1 / n)
            return 100 * gain / (gain + averaged(-change.clip(upper=0), 1, 1 / n))
        case "atr":
            before = of.shift()
            ranges = [frame["high"] - frame["low"], (frame["high"] - before).abs(), (frame["low"] - before).abs()]
            return averaged(pandas.concat(ranges, axis=1).max(axis=1), 1, 1 / n)
        case "highest":
            return of.rolling(n).max()
        case "lowest":
            return of.rolling(n).min()
        case _:
            return of.diff(n)


class PolarsColumns(Recomputed):
    """A frame for each interval, and all its columns in one select."""

    def __init__(self, view: InstrumentView, columns: Sequence[Column]) -> None:
        super().__init__(view, columns)
        self._expressions = _expressions(tuple(columns))

    def values(self) -> list[float]:
        """Return every column with the bars as they are now."""
        polars: Any = importlib.import_module("polars")
        values = [0.0] * len(self._columns)
        for interval in INTERVALS:
            row = polars.DataFrame(self._numbers(interval)).select(self._expressions[interval]).row(0)
            for number, value in zip(self._of(interval), row, strict=True):
                values[number] = value
        return values


_MADE: dict[tuple[Column, ...], Mapping[Interval, list[Any]]] = {}


def _expressions(columns: tuple[Column, ...]) -> Mapping[Interval, list[Any]]:
    """Return the expressions of each interval's columns, made once for all instruments."""
    if columns not in _MADE:
        _MADE[columns] = {
            interval: [
                _in_polars(column).last().alias(str(number))
                for number, column in enumerate(columns)
                if column.interval is interval
            ]
            for interval in INTERVALS
        }
    return _MADE[columns]


def _in_polars(column: Column) -> Any:  # noqa: ANN401
    polars: Any = importlib.import_module("polars")
    n, of = column.period, polars.col(column.field)
    index = polars.int_range(polars.len())

    def averaged(values: Any, first: int, alpha: float) -> Any:  # noqa: ANN401
        """Return the exponential average that the mean of n values, from the first on, has begun."""
        begin = first + n - 1
        seeded = polars.when(index == begin).then(values.slice(first, n).mean()).when(index > begin).then(values)
        return seeded.otherwise(None).ewm_mean(alpha=alpha, adjust=False, ignore_nulls=True)

    match column.function:
        case "":
            return of
        case "sma":
            return of.tail(n).mean()
        case "ema":
            return averaged(of, 0, 2 / (n + 1))
        case "rsi":
            gain = averaged(of.diff().clip(lower_bound=0), 1, 1 / n)
            return 100 * gain / (gain + averaged(-of.diff().clip(upper_bound=0), 1, 1 / n))
        case "atr":
            high, low, before = polars.col("high"), polars.col("low"), of.shift()
            return averaged(polars.max_horizontal(high - low, (high - before).abs(), (low - before).abs()), 1, 1 / n)
        case "highest":
            return of.tail(n).max()
        case "lowest":
            return of.tail(n).min()
        case _:
            return of.diff(n)


def pandas_peer(market: Market, rules: Rules) -> Peer:
    """Return the peer that computes everything anew with pandas."""
    return Peer(market, rules, PandasColumns)


def polars_peer(market: Market, rules: Rules) -> Peer:
    """Return the peer that computes everything anew with polars."""
    return Peer(market, rules, PolarsColumns)
