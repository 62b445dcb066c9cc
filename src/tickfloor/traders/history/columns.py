"""Columns and conditions over the closed bars of one instrument, each column computed once."""

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import LIMIT, NAN, Values
from tickfloor.traders.history.arithmetic import ARITHMETIC, CALCULATIONS, Operand
from tickfloor.traders.history.bars import BarHistory, Times, folded
from tickfloor.traders.history.clock import clock_values
from tickfloor.traders.history.errors import OtherInstrumentError
from tickfloor.traders.language.negate import without_not
from tickfloor.traders.language.nodes import (
    All,
    Any,
    Arithmetic,
    BarValue,
    Calculation,
    Clock,
    Comparison,
    Condition,
    Cross,
    Elsewhere,
    Formula,
    IndicatorValue,
    Market,
    Negative,
    Number,
    NumberNode,
    QualityIs,
    Truth,
)
from tickfloor.traders.language.plan import interval_of
from tickfloor.traders.language.vocabulary import MarketColumn

Bools = NDArray[np.bool_]


class HistoryColumns:
    """What an at-close rule would have seen of one instrument, bar by bar.

    Of market columns a history of bars has ``last``, and its data counts as live; the others are unknown unless given.

    Args:
        bars: the shortest bars there are; longer ones are folded from them.
        market: further market columns as they stood at each close of these bars.
    """

    def __init__(self, bars: BarHistory, market: Mapping[MarketColumn, Values] = MappingProxyType({})) -> None:
        self._bars = {bars.interval: bars}
        self._shortest = bars
        self._given = market
        self._columns: dict[NumberNode, Values] = {}
        self._seen: dict[tuple[NumberNode, Interval], Values] = {}
        self._places: dict[tuple[Interval, Interval], NDArray[np.intp]] = {}

    def bars(self, interval: Interval) -> BarHistory:
        """Return the closed bars of an interval.

        Raises:
            HistoryError: it is shorter than the data's.
        """
        if interval not in self._bars:
            self._bars[interval] = folded(self._shortest, interval)
        return self._bars[interval]

    # Numbers

    def number(self, node: NumberNode, interval: Interval) -> Values:
        """Return a number as it stood at each close of an interval.

        Raises:
            HistoryError: it needs shorter bars than there are.
        """
        with np.errstate(all="ignore"):
            return self._number(node, interval)

    def _number(self, node: NumberNode, interval: Interval) -> Values:
        match node:
            case Number(value=value):
                return np.full(len(self.bars(interval)), value)
            case Arithmetic(operator=operator, left=left, right=right):
                return ARITHMETIC[operator](self._operand(left, interval), self._operand(right, interval))
            case Negative(operand=operand):
                return -self._number(operand, interval)
            case Calculation(function=function, operands=operands):
                return CALCULATIONS[function](*(self._number(operand, interval) for operand in operands))
            case Clock():
                return self._time(node, interval)
            case Elsewhere():
                raise OtherInstrumentError(node.text(interval))
            case _:
                return self._seen_from(node, interval)

    def _time(self, clock: Clock, interval: Interval) -> Values:
        found = self._seen.get((clock, interval))
        if found is None:
            found = self._seen[clock, interval] = _shared(clock_values(clock, self.bars(interval).end_ms))
        return found

    def _seen_from(self, column: NumberNode, interval: Interval) -> Values:
        """Return a column at the closes of an interval: of its last bar that had closed by then."""
        own = interval_of(column)
        if own is interval:
            return self._column(column)
        seen = self._seen.get((column, interval))
        if seen is None:
            seen = self._seen[column, interval] = _shared(self._moved(self._column(column), own, interval))
        return seen

    def _moved(self, values: Values, own: Interval, interval: Interval) -> Values:
        """Return for each close of an interval the value at the last close of another by then."""
        places = self._last_closed(own, interval)
        before = int(np.searchsorted(places, 0))
        found = np.empty(len(places))
        found[:before] = NAN
        found[before:] = values[places[before:]]
        return found

    def _last_closed(self, of: Interval, at: Interval) -> NDArray[np.intp]:
        """Return which bar of one interval had closed last at each close of another; -1: none."""
        if (of, at) not in self._places:
            self._places[of, at] = _last_by(self.bars(of).end_ms, self.bars(at).end_ms)
        return self._places[of, at]

    def _column(self, column: NumberNode) -> Values:
        """Return a column at each close of its own interval."""
        found = self._columns.get(column)
        if found is None:
            found = self._columns[column] = _shared(self._computed(column))
        return found

    def _computed(self, column: NumberNode) -> Values:
        match column:
            case BarValue(field=field, back=back, interval=interval):
                return earlier(self.bars(interval).field(field), back)
            case Market(column=which, interval=interval):
                return self._market(which, interval)
            case IndicatorValue(function=function, sources=sources, parameters=parameters, interval=interval):
                inputs = [self._number(source, interval) for source in sources]
                return INDICATORS[function](*parameters).over(*inputs)
            case Formula(expression=expression, interval=interval):
                return self._number(expression, interval)
            case Truth(condition=condition, interval=interval):
                return self._truth(condition, interval)
            case _:
                raise TypeError(f"{column} is no column that a rule reads")

    def _market(self, which: MarketColumn, interval: Interval) -> Values:
        own = self._shortest.interval
        if interval is not own:
            return self._moved(self._column(Market(which, own)), own, interval)
        if which in self._given:
            return self._given[which]
        if which is MarketColumn.LAST:
            close = self._shortest.field("close")
            return np.where(np.abs(close) < LIMIT, close, NAN)
        return np.full(len(self._shortest), float(Quality.LIVE) if which is MarketColumn.QUALITY else NAN)

    def _truth(self, condition: Condition, interval: Interval) -> Values:
        holds = self._holds(condition, interval)
        holds_not = self._holds(without_not(condition, negated=True), interval)
        return np.where(holds, 1.0, np.where(holds_not, 0.0, NAN))

    # Conditions

    def holds(self, condition: Condition, interval: Interval) -> Bools:
        """Return at which closes of an interval a condition, without ``not``, is true; unknown is not.

        Raises:
            HistoryError: it needs shorter bars than there are.
        """
        with np.errstate(all="ignore"):
            return self._holds(condition, interval)

    def _holds(self, condition: Condition, interval: Interval) -> Bools:
        match condition:
            case All(conditions=conditions):
                return reduce(and_, (self._holds(each, interval) for each in conditions))
            case Any(conditions=conditions):
                return reduce(or_, (self._holds(each, interval) for each in conditions))
            case Comparison(operator=operator, left=left, right=right):
                return _compared(operator, self._operand(left, interval), self._operand(right, interval))
            case QualityIs(column=column, quality=quality, negated=negated):
                operator = "!=" if negated else "=="
                return _compared(operator, self._number(column, interval), np.float64(quality))
            case Cross():
                return self._crosses(condition, interval)
            case _:
                raise TypeError(f"{condition} has to come without `not`")

    def _operand(self, node: NumberNode, interval: Interval) -> Operand:
        """Return a number at each close, a constant as one for all."""
        return np.float64(node.value) if isinstance(node, Number) else self._number(node, interval)

    def _crosses(self, cross: Cross, interval: Interval) -> Bools:
        lower, upper = (cross.right, cross.left) if cross.above else (cross.left, cross.right)
        low, high = self._number(lower, interval), self._number(upper, interval)
        # What a rule saw at the close before is what it saw then, also of other intervals.
        low_then, high_then = earlier(low, 1), earlier(high, 1)
        crosses = (high > low) & (high_then <= low_then)
        if not cross.negated:
            return crosses
        known = ~np.isnan(high) & ~np.isnan(low) & ~np.isnan(high_then) & ~np.isnan(low_then)
        return known & ~crosses


def _last_by(ends: Times, moments: Times) -> NDArray[np.intp]:
    """Return which of the ends was the last by each moment; -1: none. Both ascend."""
    if len(ends) > len(moments):
        return np.searchsorted(ends, moments, side="right") - 1
    first = np.searchsorted(moments, ends, side="left")
    lasting = np.diff(first, prepend=0, append=len(moments))
    return np.repeat(np.arange(-1, len(ends)), lasting)


def earlier(values: Values, bars: int) -> Values:
    """Return the values of so many bars before; unknown before the first."""
    if not bars:
        return values
    shifted = np.full(len(values), NAN)
    shifted[bars:] = values[:-bars]
    return shifted


def _compared(operator: str, left: Operand, right: Operand) -> Bools:
    match operator:
        case "<":
            found = left < right
        case "<=":
            found = left <= right
        case ">":
            found = left > right
        case ">=":
            found = left >= right
        case "==":
            found = left == right
        case _:
            found = (left != right) & (left == left) & (right == right)
    return np.asarray(found)


def _shared(values: Values) -> Values:
    """Return a column that nobody can change under another who reads it."""
    values = values.view()
    values.flags.writeable = False
    return values
