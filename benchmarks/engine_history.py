"""Rules at the closes of a month of recorded minutes: how many bars a second one rule is decided for.

Every rule begins with nothing but the minutes: longer bars are folded and columns computed for it alone. The baseline
is TA-Lib's functions over whole arrays and NumPy; it is given the longer bars. Both give the same matches.
"""

import time
from functools import cache
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from benchmarks.engine_market import INTERVALS, recorded_minutes
from benchmarks.engine_rules import BenchmarkRule, Comparison, rules
from benchmarks.engine_talib import FIELDS, FUNCTIONS, Column
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.history.bars import BarHistory, folded
from tickfloor.traders.history.columns import HistoryColumns
from tickfloor.traders.history.decisions import decided

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COLUMNS: Final = 60
RULES: Final = 40
"""The first of those that the engine is measured with."""


@cache
def minutes() -> BarHistory:
    """Return the recorded minutes; scaled as the market is, so that the thresholds lie among them."""
    opened, high, low, close, volume = np.array(recorded_minutes()).T
    price, qty = 100.0 / np.median(close), 1_000.0 / volume.mean()
    unknown = np.full(len(close), np.nan)
    fields = {
        "open": opened * price, "high": high * price, "low": low * price, "close": close * price,
        "volume": volume * qty, "quote_volume": volume * qty * close * price, "buy_volume": unknown, "trades": unknown,
    }  # fmt: skip
    return BarHistory(Interval.M1, np.arange(len(close), dtype=np.int64) * Interval.M1.ms, fields)


@cache
def specs(count: int) -> list[TraderSpec]:
    """Return the first rules, decided at the close."""
    return [replace(spec, when="close") for spec in rules(1_000, COLUMNS).specs()[:count]]


def ours_per_second(count: int) -> float:
    """Return the bar evaluations a second of the columnar path."""
    bars, chosen = minutes(), specs(count)
    began = time.perf_counter()
    for spec in chosen:
        decided(spec, HistoryColumns(bars))
    return count * len(bars) / (time.perf_counter() - began)


class TalibHistory:
    """The bars of all intervals as arrays, and where the last closed one is at each minute."""

    def __init__(self) -> None:
        bars = {interval: folded(minutes(), interval) for interval in INTERVALS}
        self._fields = {
            interval: {number: found.field(name) for name, number in FIELDS.items()} for interval, found in bars.items()
        }
        ends = minutes().end_ms
        self._places = {
            interval: np.searchsorted(found.end_ms, ends, side="right") - 1 for interval, found in bars.items()
        }

    def matches(self, rule: BenchmarkRule) -> Bools:
        """Return where a rule matches."""
        columns = rules(1_000, COLUMNS).columns
        seen: dict[int, Floats] = {}
        result = np.ones(len(minutes()), np.bool_)
        for clause in rule.clauses:
            holds = np.zeros(len(result), np.bool_)
            for each in clause:
                for number in (each.left, each.right):
                    if number is not None and number not in seen:
                        seen[number] = self._values(columns[number])
                holds |= _holds(each, seen)
            result &= holds
        return result

    def _values(self, column: Column) -> Floats:
        fields = self._fields[column.interval]
        inputs = [fields[number] for number in column.inputs]
        values = FUNCTIONS[column.function](*inputs, column.period) if column.function else inputs[0]
        places = self._places[column.interval]
        return np.where(places < 0, np.nan, values[places])


def _holds(comparison: Comparison, seen: dict[int, Floats]) -> Bools:
    left = seen[comparison.left]
    right = comparison.factor if comparison.right is None else comparison.factor * seen[comparison.right]
    if comparison.negated:
        return left >= right if comparison.below else left <= right
    return left < right if comparison.below else left > right


def talib_per_second(count: int) -> float:
    """Return the bar evaluations a second of TA-Lib's functions and NumPy."""
    _check(count)
    history, chosen = TalibHistory(), rules(1_000, COLUMNS).rules[:count]
    began = time.perf_counter()
    for rule in chosen:
        history.matches(rule)
    return count * len(minutes()) / (time.perf_counter() - began)


@cache
def _check(count: int) -> None:
    """Compare the two, once.

    Raises:
        RuntimeError: they do not match at the same bars.
    """
    history = TalibHistory()
    for spec, rule in zip(specs(count), rules(1_000, COLUMNS).rules, strict=False):
        found, expected = decided(spec, HistoryColumns(minutes())).matches, history.matches(rule)
        if not np.array_equal(found, expected):
            raise RuntimeError(f"{spec.rule}: ours and TA-Lib differ at {int((found != expected).sum())} bars")
