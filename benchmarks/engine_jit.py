"""The limit: bars, columns and rules of the benchmark in one loop that Numba compiles.

It knows the seven functions of the benchmark and nothing else: no late trades, no unknown values, no state that could
be kept, no way to add a rule. Every rule is decided at every trade until its first clause that does not hold.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine_market import INTERVALS, Market
from benchmarks.engine_rules import Rules
from benchmarks.engine_talib import FIELDS, Tick
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.records import Kind
from tickfloor.traders.state.resync import InstrumentView

numba: Any = importlib.import_module("numba")

F = TypeVar("F", bound=Callable[..., Any])
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

FUNCTIONS: Final = ("", "sma", "ema", "rsi", "atr", "highest", "lowest", "change")
MORE_BARS: Final = 200
"""Room for bars that close in the benchmark."""

_TRADE, _BAR_CLOSE = int(Kind.TRADE), int(Kind.BAR_CLOSE)
_WORDS: Final = tuple(FIELDS.values())


def _compiled(function: F) -> F:
    return cast(F, numba.njit(error_model="numpy")(function))


@_compiled
def _wilder(values: Floats, n: int) -> float:
    level = 0.0
    for each in values[:n]:
        level += each
    level /= n
    for each in values[n:]:
        level = (level * (n - 1) + each) / n
    return level


@_compiled
def _fit(function: int, n: int, of: Floats, high: Floats, low: Floats, fitted: Floats) -> None:
    """Put what a column needs of its closed bars into two or three numbers."""
    count = len(of)
    if function == 1:
        fitted[0] = of[count - n + 1 :].sum()
    elif function == 2:
        level = of[:n].mean()
        for each in of[n:]:
            level = (each - level) * (2.0 / (n + 1)) + level
        fitted[0] = level
    elif function == 3:
        change = of[1:] - of[:-1]
        fitted[0], fitted[1] = _wilder(np.maximum(change, 0.0), n), _wilder(np.maximum(-change, 0.0), n)
        fitted[2] = of[count - 1]
    elif function == 4:
        ranges = np.maximum(np.maximum(high[1:] - low[1:], np.abs(high[1:] - of[:-1])), np.abs(low[1:] - of[:-1]))
        fitted[0], fitted[2] = _wilder(ranges, n), of[count - 1]
    elif function == 5:
        fitted[0] = of[count - n + 1 :].max()
    elif function == 6:
        fitted[0] = of[count - n + 1 :].min()
    elif function == 7:
        fitted[0] = of[count - n]


@_compiled
def _value(function: int, n: int, x: float, bar: Floats, fitted: Floats) -> float:
    """Return a column with the forming bar."""
    if function == 0:
        return x
    if function == 1:
        return float((fitted[0] + x) / n)
    if function == 2:
        return float((x - fitted[0]) * (2.0 / (n + 1)) + fitted[0])
    if function == 3:
        change = x - fitted[2]
        gain = (fitted[0] * (n - 1) + max(change, 0.0)) / n
        loss = (fitted[1] * (n - 1) + max(-change, 0.0)) / n
        return float(100.0 * gain / (gain + loss))
    if function == 4:
        ranged = max(bar[1] - bar[2], abs(bar[1] - fitted[2]), abs(bar[2] - fitted[2]))
        return float((fitted[0] * (n - 1) + ranged) / n)
    if function == 5:
        return float(max(fitted[0], x))
    if function == 6:
        return float(min(fitted[0], x))
    return float(x - fitted[0])


@_compiled
def _refit(row: int, lane: int, table: Integers, closed: Floats, counts: Integers, fitted: Floats) -> None:
    count = counts[row, lane]
    bars = closed[row, lane, :, :count]
    for number in range(len(table)):
        if table[number, 2] == lane:
            function, n, _, field = table[number]
            _fit(function, n, bars[field], bars[1], bars[2], fitted[row, number])


@_compiled
def _close(
    row: int, lane: int, table: Integers, forming: Floats, fresh: Bools, closed: Floats, counts: Integers,
    fitted: Floats,
) -> None:  # fmt: skip
    closed[row, lane, :, counts[row, lane]] = forming[row, lane]
    counts[row, lane] += 1
    fresh[row, lane] = True
    _refit(row, lane, table, closed, counts, fitted)


@_compiled
def _columns(row: int, price: float, qty: float, table: Integers, forming: Floats, fresh: Bools, fitted: Floats,
             values: Floats) -> None:  # fmt: skip
    for lane in range(forming.shape[1]):
        bar = forming[row, lane]
        if fresh[row, lane]:
            bar[:4] = price
            bar[4] = qty
            fresh[row, lane] = False
        else:
            bar[1] = max(bar[1], price)
            bar[2] = min(bar[2], price)
            bar[3] = price
            bar[4] += qty
    for number in range(len(table)):
        function, n, lane, field = table[number]
        bar = forming[row, lane]
        values[number] = _value(function, n, bar[field], bar, fitted[row, number])


@_compiled
def _decide(
    values: Floats, rules: Integers, clauses: Integers, sides: Integers, below: Bools, factors: Floats,
    matched: Bools, new: Integers,
) -> int:  # fmt: skip
    """Decide all rules; return how many match that did not before, and put their numbers into ``new``."""
    count = 0
    for rule in range(len(rules) - 1):
        match = True
        for clause in range(rules[rule], rules[rule + 1]):
            holds = False
            for each in range(clauses[clause], clauses[clause + 1]):
                right = factors[each]
                if sides[each, 1] >= 0:
                    right *= values[sides[each, 1]]
                left = values[sides[each, 0]]
                if (left < right if below[each, 0] else left > right) != below[each, 1]:
                    holds = True
                    break
            if not holds:
                match = False
                break
        if match and not matched[rule]:
            new[count] = rule
            count += 1
        matched[rule] = match
    return count


@_compiled
def _trade(
    row: int, price: float, qty: float, table: Integers, forming: Floats, fresh: Bools, fitted: Floats, values: Floats,
    rules: Integers, clauses: Integers, sides: Integers, below: Bools, factors: Floats, matched: Bools, new: Integers,
) -> int:  # fmt: skip
    _columns(row, price, qty, table, forming, fresh, fitted, values)
    return int(_decide(values, rules, clauses, sides, below, factors, matched[row], new))


class JitRules:
    """The rules as arrays: where a rule's clauses begin, where a clause's comparisons begin, and the comparisons."""

    def __init__(self, rules: Rules) -> None:
        clauses = [clause for rule in rules.rules for clause in rule.clauses]
        found = [each for clause in clauses for each in clause]
        self.arrays = (
            np.cumsum([0, *(len(rule.clauses) for rule in rules.rules)]),
            np.cumsum([0, *(len(clause) for clause in clauses)]),
            np.array([(each.left, -1 if each.right is None else each.right) for each in found]),
            np.array([(each.below, each.negated) for each in found]),
            np.array([each.factor for each in found]),
        )
        self.new = np.zeros(len(rules.rules), np.int64)

    def match_all(self, values: Floats, matched: Bools) -> None:
        """Decide every rule for every instrument; ``values`` holds a row for each instrument."""
        for row in range(len(values)):
            _decide(values[row], *self.arrays, matched[row], self.new)


class JitPeer:
    """One compiled call for a trade, another for a close."""

    def __init__(self, market: Market, rules: Rules) -> None:
        self._rules = JitRules(rules)
        rows, lanes = len(market.views), len(INTERVALS)
        self._table = np.array(
            [
                (
                    FUNCTIONS.index(each.function),
                    each.period,
                    INTERVALS.index(each.interval),
                    _WORDS.index(each.inputs[-1]),
                )
                for each in rules.columns
            ]
        )
        longest = max(len(bars) for view in market.views.values() for bars in view.bars.values())
        self._forming = np.zeros((rows, lanes, len(_WORDS)))
        self._fresh = np.ones((rows, lanes), np.bool_)
        self._closed = np.zeros((rows, lanes, len(_WORDS), longest + MORE_BARS))
        self._counts = np.zeros((rows, lanes), np.int64)
        self._fitted = np.zeros((rows, len(rules.columns), 3))
        self._values = np.zeros(len(rules.columns))
        self._matched = np.zeros((rows, len(rules.rules)), np.bool_)
        self._seen = [False] * rows
        for row, view in market.views.items():
            self._begin(row, view)

    def _begin(self, row: int, view: InstrumentView) -> None:
        for lane, interval in enumerate(INTERVALS):
            bars = view.bars[interval]
            self._closed[row, lane, :, : len(bars)] = _numbers(bars)
            self._counts[row, lane] = len(bars)
            _refit(row, lane, self._table, self._closed, self._counts, self._fitted)
            part = view.closed_parts.get(interval)
            if part is not None:
                self._forming[row, lane] = _numbers([part])[:, 0]
                self._fresh[row, lane] = False

    def take(self, tick: Tick) -> Sequence[int]:
        """Take a record; return the rules that match now and did not before. The first trade gives none."""
        row, kind, code, _, price, qty = tick
        if kind == _TRADE:
            new = self._rules.new
            count = _trade(
                row, price, qty, self._table, self._forming, self._fresh, self._fitted, self._values,
                *self._rules.arrays, self._matched, new,
            )  # fmt: skip
            if not self._seen[row]:
                self._seen[row] = True
                count = 0
            return new[:count].tolist() if count else ()
        if kind == _BAR_CLOSE and code < len(INTERVALS):
            _close(row, code, self._table, self._forming, self._fresh, self._closed, self._counts, self._fitted)
        return ()


def _numbers(bars: Sequence[Bar]) -> Floats:
    return np.array([[bar[word] for bar in bars] for word in _WORDS])
