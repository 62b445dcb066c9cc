"""Second pass, numbers: columns, calls and calculations of the syntax tree become typed nodes."""

import ast
from abc import ABC, abstractmethod
from typing import cast

from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import COLUMN, LIMIT
from tickfloor.traders.language.arguments import Arguments, is_number, is_text, nearest
from tickfloor.traders.language.fold import fold
from tickfloor.traders.language.formulas import FORMULAS, On
from tickfloor.traders.language.functions import FUNCTIONS, SIGNATURES, Signature, example
from tickfloor.traders.language.meant import history_meant, name_meant
from tickfloor.traders.language.negate import without_not
from tickfloor.traders.language.nodes import (
    Arithmetic,
    ArithmeticOperator,
    BarValue,
    Calculation,
    Clock,
    Condition,
    Elsewhere,
    Formula,
    IndicatorValue,
    Market,
    Negative,
    Number,
    NumberNode,
    Truth,
    atoms,
    columns_of,
    digits,
)
from tickfloor.traders.language.parse import Source
from tickfloor.traders.language.vocabulary import (
    CALCULATIONS,
    CLOCKS,
    CONDITIONS,
    INDICATOR_NAMES,
    MARKET_COLUMNS,
    NAMED_FIELDS,
    OF_CONDITIONS,
    QUALITIES,
)

_ARITHMETIC: dict[type[ast.operator], ArithmeticOperator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Mod: "%",
    ast.Pow: "**",
}
QUALITY_HINT = 'write quality == "live"; qualities are ' + ", ".join(QUALITIES)
_JOIN_HINT = "join conditions with `and` and `or`, count them with count_of and bars_since"
_KNOWN = (*MARKET_COLUMNS, *NAMED_FIELDS, *FUNCTIONS)


class NumberResolver(ABC):
    """Reads numbers, and leaves the conditions in them to whoever knows them."""

    def __init__(self, source: Source) -> None:
        self._arguments = Arguments(source)
        self._inside: Interval | None = None
        """interval of the indicator or formula whose input is being read"""
        self._crossing = False
        """whether the side of a crossing is being read"""

    @abstractmethod
    def condition(self, node: ast.expr, interval: Interval) -> Condition:
        """Return a checked condition."""

    def number(self, node: ast.expr, interval: Interval) -> NumberNode:
        """Return a checked number whose columns are on ``interval`` unless they say otherwise."""
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
            case ast.Subscript(slice=index) if is_text(index):
                return self._elsewhere(node, cast("ast.Constant", index), interval)
            case ast.Subscript():
                return self._history(node, interval)
            case ast.Call(func=ast.Name(id=name)):
                return self._call(node, name, interval)
            case ast.Call(func=function):
                raise self._error(function, "only a function's name can be called", "for example sma(20)")
            case _:
                raise self._error(node, "this is a condition where a number is needed", _JOIN_HINT)

    def _error(self, node: ast.AST, message: str, hint: str = "") -> RuleError:
        return self._arguments.error(node, message, hint)

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
            raise self._error(node, "quality can only be compared with its name", QUALITY_HINT)
        if name in MARKET_COLUMNS:
            return Market(MARKET_COLUMNS[name], interval)
        if name in NAMED_FIELDS:
            return BarValue(name, 0, interval)
        if name in CLOCKS:
            return self._clock(node, name, [])
        if name in SIGNATURES and SIGNATURES[name].may_be_bare:
            return self._taken(node, SIGNATURES[name], [], interval)
        if name in FUNCTIONS:
            raise self._error(node, f"{name} is a function", f"write {example(name)}")
        raise self._error(node, f"unknown column `{name}`", name_meant(name) or nearest(name, _KNOWN))

    def _call(self, node: ast.Call, name: str, interval: Interval) -> NumberNode:
        if name in NAMED_FIELDS:
            return self._field_on(node, name)
        if name in CALCULATIONS:
            return self._calculation(node, name, interval)
        if name in CLOCKS:
            return self._clock(node, name, node.args)
        if name in OF_CONDITIONS:
            return self._of_condition(node, name, interval)
        if name in CONDITIONS:
            raise self._error(node, f"{name} is a condition where a number is needed", _JOIN_HINT)
        if name in SIGNATURES:
            return self._taken(node, SIGNATURES[name], node.args, interval)
        if name in MARKET_COLUMNS:
            raise self._error(node, f"{name} is a column and takes no arguments", f"write {name}")
        raise self._error(node.func, f"unknown function `{name}`", name_meant(name) or nearest(name, _KNOWN))

    # Bars

    def _history(self, node: ast.Subscript, interval: Interval) -> BarValue:
        column = self.number(node.value, interval)
        if isinstance(column, Elsewhere):
            raise self._error(
                node.value, "the history comes before the instrument", f'write close[1]["{column.symbol}"]'
            )
        if not isinstance(column, BarValue) or isinstance(node.value, ast.Subscript):
            hint = "" if isinstance(column, Number | Clock) else history_meant(node)
            raise self._error(node.value, "only bar fields have a history", hint)
        return BarValue(column.field, self._arguments.back(node.slice, column.field), column.interval)

    def _field_on(self, node: ast.Call, name: str) -> BarValue:
        if len(node.args) != 1:
            raise self._error(node, f"{name} takes one argument, an interval", f'for example {name}("1h")')
        return BarValue(name, 0, self._interval(node.args[0]))

    def _interval(self, node: ast.expr) -> Interval:
        interval = self._arguments.interval(node)
        if self._inside is not None and interval is not self._inside:
            raise self._error(
                node,
                f"a {interval.label} column inside an indicator of {self._inside.label} bars",
                f'give the indicator the interval, for example sma(close, 20, "{interval.label}")',
            )
        return interval

    # Of another instrument, of the time

    def _elsewhere(self, node: ast.Subscript, index: ast.Constant, interval: Interval) -> Elsewhere:
        symbol = cast("str", index.value)
        if symbol in BY_LABEL:
            raise self._error(index, "an interval goes in parentheses", f'for example close("{symbol}")')
        if not symbol or symbol != symbol.strip() or len(symbol) > 80:
            raise self._error(index, "an instrument is named by its symbol", 'for example close["BTCUSDT"]')
        if self._inside is not None:
            raise self._error(
                node, "another instrument's column inside an indicator", f'for example sma(20)["{symbol}"]'
            )
        if self._crossing:
            raise self._error(node, "another instrument's column in a crossing", "compare it with < and >")
        column = self.number(node.value, interval)
        if not isinstance(column, Market | BarValue | IndicatorValue | Formula):
            raise self._error(node.value, "this is not a column of an instrument", f'for example close["{symbol}"]')
        found = Elsewhere(column, symbol)
        self._arguments.charge(node, found)
        return found

    def _clock(self, node: ast.expr, name: str, arguments: list[ast.expr]) -> Clock:
        if len(arguments) > 1:
            raise self._error(node, f"{name} takes a time zone or nothing", f'for example {name}("America/New_York")')
        if self._inside is not None:
            raise self._error(node, f"{name} inside an indicator", "compare it beside the indicator")
        if self._crossing:
            raise self._error(node, f"{name} in a crossing", "compare it with ==, < and >")
        return Clock(name, self._arguments.zone(arguments[0]) if arguments else "")

    # Calculations

    def _calculation(self, node: ast.Call, name: str, interval: Interval) -> NumberNode:
        if name == "abs" and len(node.args) != 1:
            raise self._error(node, f"abs takes one argument, not {len(node.args)}")
        if name != "abs" and len(node.args) < 2:
            raise self._error(node, f"{name} takes two arguments or more, not {len(node.args)}")
        return fold(Calculation(name, tuple(self.number(argument, interval) for argument in node.args)))

    # Indicators and formulas

    def _taken(
        self, node: ast.expr, signature: Signature, arguments: list[ast.expr], interval: Interval
    ) -> IndicatorValue | Formula:
        """Return what an indicator or a formula gives for its arguments."""
        sources, parameters, interval = self.split(node, signature, arguments, interval)
        name = signature.name
        found: IndicatorValue | Formula
        if name in FORMULAS:
            usual = [BarValue("close", 0, interval)]
            shown = [] if sources == usual else [source.text(interval) for source in sources]
            on = On(sources[0] if sources else usual[0], parameters, interval)
            written = (*shown, *map(digits, parameters))
            found = Formula(name, written, FORMULAS[name].build(on), interval)
        else:
            fed = iter(sources)
            called = INDICATOR_NAMES[name]
            inputs = (
                next(fed) if taken == COLUMN else BarValue(taken, 0, interval) for taken in INDICATORS[called].inputs
            )
            found = IndicatorValue(called, tuple(inputs), parameters, interval)
        self._arguments.charge(node, found)
        return found

    def split(
        self, node: ast.expr, signature: Signature, arguments: list[ast.expr], interval: Interval
    ) -> tuple[list[NumberNode], tuple[float, ...], Interval]:
        """Return the columns, the parameters and the interval that a call's arguments are."""
        name, wanted, least = signature.name, signature.parameters, signature.least
        if arguments and is_text(arguments[-1]):
            arguments, interval = arguments[:-1], self._interval(arguments[-1])
        columns = 0
        if signature.columns > 1:
            columns = signature.columns
        elif signature.columns:
            named = len(arguments) > least and not is_number(arguments[0])
            columns = int(named or len(arguments) > len(wanted))
        given = len(arguments) - columns
        if not least <= given <= len(wanted):
            raise self._error(node, f"{name} takes {signature.takes}", f"for example {signature.example}")
        sources = [self._input(argument, signature, interval) for argument in arguments[:columns]]
        parameters = [
            self._arguments.parameter(argument, parameter, name, signature.example)
            for argument, parameter in zip(arguments[columns:], wanted, strict=False)
        ]
        parameters += [cast("float", parameter.default) for parameter in wanted[given:]]
        sources = sources or [BarValue("close", 0, interval)] * signature.columns
        return sources, tuple(parameters), interval

    def _input(self, node: ast.expr, signature: Signature, interval: Interval) -> NumberNode:
        outer, self._inside = self._inside, interval
        found = self.number(node, interval)
        self._inside = outer
        if isinstance(found, Number):
            name = signature.name
            raise self._error(node, f"{name} needs a column before the period", f"for example {name}(close, 20)")
        return found

    def _of_condition(self, node: ast.Call, name: str, interval: Interval) -> IndicatorValue:
        """Return in how many bars a condition held, or how many bars ago it did."""
        arguments = node.args
        if len(arguments) > 1 and is_text(arguments[-1]):
            arguments, interval = arguments[:-1], self._interval(arguments[-1])
        called = OF_CONDITIONS[name]
        wanted = INDICATORS[called].parameters
        if len(arguments) != 1 + len(wanted):
            takes = ["a condition", *(f"a {parameter.name}" for parameter in wanted)]
            raise self._error(node, f"{name} takes {', '.join(takes)} and an interval", f"for example {example(name)}")
        outer, self._inside = self._inside, interval
        condition = without_not(self.condition(arguments[0], interval))
        self._inside = outer
        if not any(map(columns_of, atoms(condition))):
            raise self._error(arguments[0], f"{name} needs a column to watch", f"for example {example(name)}")
        parameters = tuple(
            self._arguments.parameter(argument, parameter, name, example(name))
            for argument, parameter in zip(arguments[1:], wanted, strict=True)
        )
        found = IndicatorValue(called, (Truth(condition, interval),), parameters, interval)
        self._arguments.charge(node, found)
        return found
