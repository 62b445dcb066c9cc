"""Second pass: names, arguments, intervals and types of the syntax tree, giving typed nodes."""

import ast
from collections.abc import Iterable
from difflib import get_close_matches
from typing import cast

from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import LIMIT
from tickfloor.traders.language.fold import fold
from tickfloor.traders.language.nodes import (
    All,
    Any,
    Arithmetic,
    ArithmeticOperator,
    BarValue,
    Calculation,
    Comparison,
    ComparisonOperator,
    Condition,
    Cross,
    IndicatorValue,
    Market,
    Negative,
    Not,
    Number,
    NumberNode,
    QualityIs,
    TrueRange,
)
from tickfloor.traders.language.parse import Source
from tickfloor.traders.language.vocabulary import (
    BAR_FIELDS,
    CALCULATIONS,
    CROSSES,
    DEEPEST_HISTORY,
    FUNCTIONS,
    LONGEST_PERIOD,
    MARKET_COLUMNS,
    MOST_BARS,
    QUALITIES,
    MarketColumn,
)

_ARITHMETIC: dict[type[ast.operator], ArithmeticOperator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARISONS: dict[type[ast.cmpop], ComparisonOperator] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_QUALITY_HINT = 'write quality == "live"; qualities are ' + ", ".join(QUALITIES)
_INTERVAL_HINT = "intervals are " + ", ".join(BY_LABEL)


def resolve(source: Source, tree: ast.expr, interval: Interval) -> Condition:
    """Return the checked condition of a rule whose columns are on ``interval`` unless they say otherwise.

    Raises:
        RuleError: naming the column, and the nearest name where one is unknown.
    """
    return _Resolver(source).condition(tree, interval)


class _Resolver:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._inside: Interval | None = None
        """interval of the indicator whose input is being read"""
        self._bars: dict[int, int] = {}
        """periods and histories read so far, by their column; the middle of a chained comparison is read twice"""

    def _error(self, node: ast.AST, message: str, hint: str = "") -> RuleError:
        return self._source.error(message, self._source.column(node), hint)

    # Conditions

    def condition(self, node: ast.expr, interval: Interval) -> Condition:
        match node:
            case ast.BoolOp(op=operator, values=values):
                conditions = tuple(self.condition(value, interval) for value in values)
                return All(conditions) if isinstance(operator, ast.And) else Any(conditions)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.condition(operand, interval))
            case ast.Compare():
                return self._comparisons(node, interval)
            case ast.Call(func=ast.Name(id=name)) if name in CROSSES:
                return self._cross(node, name, interval)
            case ast.Constant(value=bool()):
                raise self._error(
                    node, "True and False are not part of the rule language", "compare a column with a number"
                )
            case _:
                self.number(node, interval)  # its own mistake, if it has one, is the better message
                raise self._error(
                    node,
                    "this is a number where a condition is needed",
                    "compare it, for example " + ast.unparse(node)[:40] + " > 0",
                )

    def _comparisons(self, node: ast.Compare, interval: Interval) -> Condition:
        operands = [node.left, *node.comparators]
        pairs = tuple(
            self._comparison(operands[index], _COMPARISONS[type(operator)], operands[index + 1], interval)
            for index, operator in enumerate(node.ops)
        )
        return pairs[0] if len(pairs) == 1 else All(pairs)

    def _comparison(
        self, left: ast.expr, operator: ComparisonOperator, right: ast.expr, interval: Interval
    ) -> Condition:
        for column, other in ((left, right), (right, left)):
            if isinstance(column, ast.Name) and column.id == "quality":
                return self._quality(column, operator, other, interval)
        return Comparison(operator, self.number(left, interval), self.number(right, interval))

    def _quality(
        self, column: ast.expr, operator: ComparisonOperator, other: ast.expr, interval: Interval
    ) -> QualityIs:
        if not isinstance(other, ast.Constant) or not isinstance(other.value, str):
            raise self._error(other, "quality is compared with its name", _QUALITY_HINT)
        if other.value not in QUALITIES:
            raise self._error(
                other, f'there is no quality "{other.value}"', _nearest(other.value, QUALITIES) or _QUALITY_HINT
            )
        if operator not in ("==", "!="):
            raise self._error(column, "quality has no order", _QUALITY_HINT)
        return QualityIs(Market(MarketColumn.QUALITY, interval), QUALITIES[other.value], operator == "!=")

    def _cross(self, node: ast.Call, name: str, interval: Interval) -> Cross:
        if len(node.args) != 2:
            raise self._error(
                node, f"{name} takes two arguments, not {len(node.args)}", f"for example {name}(ema(12), ema(26))"
            )
        left, right = (self.number(argument, interval) for argument in node.args)
        if isinstance(left, Number) and isinstance(right, Number):
            raise self._error(node, f"{name} needs a column to watch", f"for example {name}(rsi(14), 30)")
        return Cross(name == "crosses_above", left, right)

    # Numbers

    def number(self, node: ast.expr, interval: Interval) -> NumberNode:
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name(id=name):
                return self._name(node, name, interval)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return fold(Negative(self.number(operand, interval)))
            case ast.BinOp(left=left, op=operator, right=right):
                return fold(
                    Arithmetic(_ARITHMETIC[type(operator)], self.number(left, interval), self.number(right, interval))
                )
            case ast.Subscript():
                return self._history(node, interval)
            case ast.Call(func=ast.Name()):
                return self._call(node, interval)
            case ast.Call(func=function):
                raise self._error(function, "only a function's name can be called", "for example sma(20)")
            case _:
                raise self._error(
                    node, "this is a condition where a number is needed", "join conditions with `and` and `or`"
                )

    def _constant(self, node: ast.Constant) -> Number:
        value = node.value
        if isinstance(value, bool) or value is None:
            raise self._error(node, f"{value} is not part of the rule language", "write a number")
        if isinstance(value, str):
            raise self._error(node, "a text where a number is needed", 'texts are intervals, as in rsi(14, "15m")')
        if not isinstance(value, int | float):
            raise self._error(node, "this is not a plain number", "for example 1.5 or 5e6")
        if not -LIMIT < value < LIMIT:
            raise self._error(node, f"numbers are below {LIMIT:g}")
        return Number(float(value))

    def _name(self, node: ast.Name, name: str, interval: Interval) -> NumberNode:
        if name == "quality":
            raise self._error(node, "quality can only be compared with its name", _QUALITY_HINT)
        if name in MARKET_COLUMNS:
            return Market(MARKET_COLUMNS[name], interval)
        if name in BAR_FIELDS:
            return BarValue(name, 0, interval)
        if name in FUNCTIONS:
            raise self._error(node, f"{name} is a function", f"write {_example(name)}")
        raise self._error(node, f"unknown column `{name}`", _nearest(name, (*MARKET_COLUMNS, *BAR_FIELDS, *FUNCTIONS)))

    def _history(self, node: ast.Subscript, interval: Interval) -> BarValue:
        column = self._bar_field(node.value, interval)
        index = node.slice
        if column is None:
            raise self._error(
                node.value, "only bar fields have a history", "for example close[1]; for others use crosses_above"
            )
        if not isinstance(index, ast.Constant) or type(index.value) is not int:
            raise self._error(index, "history is counted in whole bars", f"write {column.field}[1] for the bar before")
        if index.value > DEEPEST_HISTORY:
            raise self._error(index, f"history reaches back {DEEPEST_HISTORY} bars, not {_shown(index.value)}")
        self._reach(index, index.value)
        return BarValue(column.field, index.value, column.interval)

    def _bar_field(self, node: ast.expr, interval: Interval) -> BarValue | None:
        match node:
            case ast.Name(id=name) if name in BAR_FIELDS:
                return BarValue(name, 0, interval)
            case ast.Call(func=ast.Name(id=name)) if name in BAR_FIELDS:
                return self._bar_field_on(node, name)
            case _:
                self.number(node, interval)
                return None

    def _bar_field_on(self, node: ast.Call, name: str) -> BarValue:
        if len(node.args) != 1:
            raise self._error(node, f"{name} takes one argument, an interval", f'for example {name}("1h")')
        return BarValue(name, 0, self._interval(node.args[0]))

    def _call(self, node: ast.Call, interval: Interval) -> NumberNode:
        name = cast("ast.Name", node.func).id
        if name in BAR_FIELDS:
            return self._bar_field_on(node, name)
        if name in INDICATORS:
            return self._indicator(node, name, interval)
        if name in CALCULATIONS:
            return self._calculation(node, name, interval)
        if name in CROSSES:
            raise self._error(
                node, f"{name} is a condition where a number is needed", "join conditions with `and` and `or`"
            )
        if name in MARKET_COLUMNS:
            raise self._error(node, f"{name} is a column and takes no arguments", f"write {name}")
        raise self._error(
            node.func, f"unknown function `{name}`", _nearest(name, (*FUNCTIONS, *BAR_FIELDS, *MARKET_COLUMNS))
        )

    def _calculation(self, node: ast.Call, name: str, interval: Interval) -> NumberNode:
        if name == "abs" and len(node.args) != 1:
            raise self._error(node, f"abs takes one argument, not {len(node.args)}")
        if name != "abs" and len(node.args) < 2:
            raise self._error(node, f"{name} takes two arguments or more, not {len(node.args)}")
        return fold(Calculation(name, tuple(self.number(argument, interval) for argument in node.args)))

    def _indicator(self, node: ast.Call, name: str, interval: Interval) -> IndicatorValue:
        arguments = list(node.args)
        if len(arguments) > 1 and _is_text(arguments[-1]):
            interval = self._interval(arguments.pop())
        if name == "atr" and len(arguments) != 1:
            raise self._error(
                node, "atr takes a period, and an interval if wanted", 'for example atr(14) or atr(14, "1h")'
            )
        if not 1 <= len(arguments) <= 2:
            raise self._error(node, f"{name} takes a column, a period and an interval", f"for example {_example(name)}")
        period = self._period(arguments[-1], name)
        if len(arguments) == 1:
            source: NumberNode = TrueRange(interval) if name == "atr" else BarValue("close", 0, interval)
        else:
            source = self._input(arguments[0], name, interval)
        return IndicatorValue(name, source, period, interval)

    def _input(self, node: ast.expr, name: str, interval: Interval) -> NumberNode:
        outer, self._inside = self._inside, interval
        found = self.number(node, interval)
        self._inside = outer
        if isinstance(found, Number):
            raise self._error(node, f"{name} needs a column before the period", f"for example {name}(close, 20)")
        return found

    def _mixed(self, node: ast.AST, interval: Interval) -> RuleError:
        assert self._inside is not None
        return self._error(
            node,
            f"a {interval.label} column inside an indicator of {self._inside.label} bars",
            f'give the indicator the interval, for example sma(close, 20, "{interval.label}")',
        )

    def _period(self, node: ast.expr, name: str) -> int:
        if not isinstance(node, ast.Constant) or type(node.value) is not int:
            raise self._error(node, f"the period of {name} is a whole number of bars", f"for example {_example(name)}")
        if not 1 <= node.value <= LONGEST_PERIOD:
            raise self._error(node, f"the period is from 1 to {LONGEST_PERIOD:,} bars, not {_shown(node.value)}")
        self._reach(node, node.value)
        return node.value

    def _reach(self, node: ast.expr, bars: int) -> None:
        self._bars[self._source.column(node)] = bars
        reached = sum(self._bars.values())
        if reached > MOST_BARS:
            raise self._error(
                node,
                f"the periods and histories of a rule reach back {MOST_BARS:,} bars in all, with this one {reached:,}",
                "shorten them, take a longer interval, or split the rule into several traders",
            )

    def _interval(self, node: ast.expr) -> Interval:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise self._error(node, 'an interval is a text, for example "15m"', _INTERVAL_HINT)
        interval = BY_LABEL.get(node.value)
        if interval is None:
            raise self._error(node, f'there is no interval "{node.value}"', _INTERVAL_HINT)
        if self._inside is not None and interval is not self._inside:
            raise self._mixed(node, interval)
        return interval


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _shown(value: int) -> str:
    return f"{value:,}" if value < 10**12 else "that many"


def _example(name: str) -> str:
    if name in CROSSES:
        return f"{name}(ema(12), ema(26))"
    return {"abs": "abs(change(5))", "min": "min(bid, last)", "max": "max(ask, last)"}.get(name, f"{name}(14)")


def _nearest(name: str, known: Iterable[str]) -> str:
    found = get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return f"did you mean `{found[0]}`?" if found else ""
