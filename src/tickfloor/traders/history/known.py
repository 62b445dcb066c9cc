"""From which bar on columns are known, and which never are."""

from collections.abc import Collection, Iterator

import numpy as np

from tickfloor.contracts.intervals import Interval
from tickfloor.indicators.protocol import Values
from tickfloor.traders.history.bars import FIELDS, BarHistory
from tickfloor.traders.history.columns import HistoryColumns
from tickfloor.traders.language.nodes import BarValue, Clock, Elsewhere, Market, NumberNode
from tickfloor.traders.language.plan import Plan, interval_of
from tickfloor.traders.language.vocabulary import MOST_BARS, Input, MarketColumn

_OF = {"sell_volume": ("volume", "buy_volume"), "delta": ("volume", "buy_volume")}
"""What derived bar fields are made of."""
_OF_TAKERS = ("buy_volume", *_OF)
_FEW_BARS, _MOST_BARS = 256, 4 * MOST_BARS


def unknown_in_bars(plan: Plan, missing: Collection[str]) -> list[str]:
    """Return the columns of a rule that no history of bars can know, by their text.

    Args:
        missing: bar fields that are not in the data.
    """
    return list(dict.fromkeys(_unknown(plan, missing)))


def unknown_in_trades(plan: Plan) -> list[str]:
    """Return the columns of a rule that no history of trades can know, by their text."""
    return [
        column.text(plan.interval)
        for column in plan.columns
        if isinstance(column, Market) and column.column.changed_by not in (Input.TRADE, Input.QUALITY)
    ]


def of_takers(plan: Plan) -> list[str]:
    """Return the columns of a rule that depend on which side the takers of trades were on, by their text."""
    return [
        column.text(plan.interval)
        for column in plan.columns
        if (isinstance(column, BarValue) and column.field in _OF_TAKERS)
        or (isinstance(column, Market) and column.column is MarketColumn.CUMULATIVE_DELTA)
    ]


def _unknown(plan: Plan, missing: Collection[str]) -> Iterator[str]:
    for column in plan.columns:
        if isinstance(column, Market):
            if column.column not in (MarketColumn.LAST, MarketColumn.QUALITY):
                yield column.text(plan.interval)
        elif isinstance(column, BarValue) and set(missing).intersection(_OF.get(column.field, (column.field,))):
            yield column.field


def bars_until_known(column: NumberNode) -> int | None:
    """Return with how many bars of its interval a column is first known, tried out on random bars.

    None: it is known, or not, whatever the bars are, as the time is; or random bars do not show what it needs.
    """
    if isinstance(column, Elsewhere):
        return bars_until_known(column.column)
    if isinstance(column, Market | Clock):
        return None
    interval = interval_of(column)
    count = _FEW_BARS
    while count <= _MOST_BARS:
        known = np.flatnonzero(~np.isnan(random_columns(interval, count).number(column, interval)))
        if len(known):
            return int(known[0]) + 1
        count *= 2
    return None


def random_columns(interval: Interval, bars: int) -> HistoryColumns:
    """Return seeded random bars, in which every market column is known."""
    random = np.random.default_rng(bars)
    prices = 100.0 + random.random(bars + 1)
    amounts = 1.0 + random.random(bars)
    fields = dict.fromkeys(FIELDS, amounts)
    fields["open"], fields["close"] = prices[:-1], prices[1:]
    fields["high"] = np.maximum(prices[:-1], prices[1:]) + 0.5
    fields["low"] = np.minimum(prices[:-1], prices[1:]) - 0.5
    market: dict[MarketColumn, Values] = dict.fromkeys(MarketColumn, amounts)
    del market[MarketColumn.LAST], market[MarketColumn.QUALITY]
    return HistoryColumns(BarHistory(interval, np.arange(bars, dtype=np.int64) * interval.ms, fields), market)
