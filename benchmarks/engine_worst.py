"""The worst that could be thought of: a thousand columns that all move at every tick, and no threshold left uncrossed.

One instrument trades at two extremes by turns. All columns are over its close, and every threshold lies half way
between the column's values at the two, so each of the 4,000 comparisons changes at each tick. In one set half of the
rules hold at the one extreme and half at the other: every tick ends 500 matches and gives 500 signals. In the other
the comparisons of a rule never hold together: everything is to be decided, and nothing comes of it.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.engine_market import INTERVALS, Market, market
from benchmarks.engine_rules import MINUTES, BenchmarkRule, Comparison, Rules, text_of
from benchmarks.engine_talib import Column, Handles
from tickfloor.contracts.records import RECORD, Kind, Side

EXTREMES: Final = (95.0, 105.0)
FUNCTIONS: Final = ("sma", "ema", "rsi", "highest", "lowest", "change")
COLUMNS: Final = 1_000
A_RULE: Final = 4
"""Comparisons."""

Floats = NDArray[np.float64]

_EVERY_NS: Final = 1_000_000


def worst_market(count: int) -> Market:
    """Return one instrument that trades at the extremes by turns, within a minute."""
    view = market(MINUTES).views[0]
    begin = next(ts for ts, row in map(_time_and_row, market(MINUTES).records) if row == 0)
    begin -= begin % 60_000_000_000
    records = [
        RECORD.pack(
            number, begin + number * _EVERY_NS, begin, 0, Kind.TRADE, Side.BUY, 0, EXTREMES[number % 2], 1.0, 0.0, 1.0
        )
        for number in range(count)
    ]
    return replace(market(MINUTES), views={0: view}, records=records)


def _time_and_row(record: bytes) -> tuple[int, int]:
    _, ts_event, _, row, *_ = RECORD.unpack(record)
    return ts_event, row


def worst_rules(traded: Market, count: int, *, signals: bool) -> Rules:
    """Return rules of four comparisons each, every column in as many."""
    candidates = [
        Column(function, "close", period, interval)
        for period, function, interval in product(range(2, 51), FUNCTIONS, INTERVALS)
    ]
    low, high = _at_extremes(traded, candidates)
    moving = np.flatnonzero(low != high)[:COLUMNS]
    columns = [candidates[number] for number in moving]
    rising = (low < high)[moving].tolist()
    middle = ((low + high) / 2)[moving].tolist()
    found = []
    for number in range(count):
        comparisons = []
        for each in range(A_RULE):
            column = (number * A_RULE + each) % len(columns)
            below = number % 2 == 0 if signals else each % 2 == 0
            comparisons.append(Comparison(column, below == rising[column], middle[column]))
        text = " and ".join(text_of(each, columns) for each in comparisons)
        found.append(BenchmarkRule(text, tuple((each,) for each in comparisons)))
    return Rules(tuple(columns), tuple(found))


def _at_extremes(traded: Market, columns: Sequence[Column]) -> tuple[Floats, Floats]:
    """Return the columns after a trade at each of the extremes."""
    handles = Handles(traded.views[0], columns)
    ts_ms = _time_and_row(traded.records[0])[0] // 1_000_000
    seen = []
    for price in (*EXTREMES, *EXTREMES):
        handles.bars.trade(ts_ms, price, 1.0, bought=True)
        seen.append(np.array(handles.values()))
    return seen[-2], seen[-1]
