"""Second pass, conditions: names, arguments, intervals and types of the syntax tree, giving typed nodes."""

import ast

from tickfloor.contracts.intervals import Interval
from tickfloor.traders.language.arguments import nearest
from tickfloor.traders.language.functions import SIGNATURES, example
from tickfloor.traders.language.nodes import (
    All,
    Any,
    Comparison,
    ComparisonOperator,
    Condition,
    Cross,
    IndicatorValue,
    Market,
    Not,
    Number,
    NumberNode,
    QualityIs,
)
from tickfloor.traders.language.numbers import QUALITY_HINT, NumberResolver
from tickfloor.traders.language.parse import Source
from tickfloor.traders.language.vocabulary import CONDITIONS, CROSSES, JOINS, QUALITIES, RUNS, MarketColumn

_COMPARISONS: dict[type[ast.cmpop], ComparisonOperator] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_MINUTES_A_DAY = 24 * 60


def resolve(source: Source, tree: ast.expr, interval: Interval) -> Condition:
    """Return the checked condition of a rule whose columns are on ``interval`` unless they say otherwise.

    Raises:
        RuleError: naming the column, and the nearest name where one is unknown.
    """
    return _Resolver(source).condition(tree, interval)


class _Resolver(NumberResolver):
    def condition(self, node: ast.expr, interval: Interval) -> Condition:
        match node:
            case ast.BoolOp(op=operator, values=values):
                conditions = tuple(self.condition(value, interval) for value in values)
                return All(conditions) if isinstance(operator, ast.And) else Any(conditions)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(self.condition(operand, interval))
            case ast.Compare():
                return self._comparisons(node, interval)
            case ast.Call(func=ast.Name(id=name)) if name in CONDITIONS:
                return self._function(node, name, interval)
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

    def _function(self, node: ast.Call, name: str, interval: Interval) -> Condition:
        if name in CROSSES:
            return self._cross(node, name, interval)
        if name in JOINS:
            if not node.args:
                raise self._error(node, f"{name} takes conditions", f"for example {example(name)}")
            conditions = tuple(self.condition(argument, interval) for argument in node.args)
            return All(conditions) if name == "all_of" else Any(conditions)
        if name in RUNS:
            return self._run(node, name, interval)
        return self._between(node, interval) if name == "between" else self._session(node)

    # Comparisons

    def _comparisons(self, node: ast.Compare, interval: Interval) -> Condition:
        operands = [node.left, *node.comparators]
        numbers: dict[int, NumberNode] = {}

        def number(index: int) -> NumberNode:
            """Return an operand, read once although the middle of a chain is compared twice."""
            if index not in numbers:
                numbers[index] = self.number(operands[index], interval)
            return numbers[index]

        pairs: list[Condition] = []
        for index, each in enumerate(node.ops):
            operator = _COMPARISONS[type(each)]
            left, right = operands[index], operands[index + 1]
            if _is_quality(left):
                pairs.append(self._quality(left, operator, right, interval))
            elif _is_quality(right):
                pairs.append(self._quality(right, operator, left, interval))
            else:
                pairs.append(Comparison(operator, number(index), number(index + 1)))
        return pairs[0] if len(pairs) == 1 else All(tuple(pairs))

    def _quality(
        self, column: ast.expr, operator: ComparisonOperator, other: ast.expr, interval: Interval
    ) -> QualityIs:
        if not isinstance(other, ast.Constant) or not isinstance(other.value, str):
            raise self._error(other, "quality is compared with its name", QUALITY_HINT)
        if other.value not in QUALITIES:
            raise self._error(
                other, f'there is no quality "{other.value}"', nearest(other.value, QUALITIES) or QUALITY_HINT
            )
        if operator not in ("==", "!="):
            raise self._error(column, "quality has no order", QUALITY_HINT)
        return QualityIs(Market(MarketColumn.QUALITY, interval), QUALITIES[other.value], operator == "!=")

    # Functions

    def _cross(self, node: ast.Call, name: str, interval: Interval) -> Cross:
        if len(node.args) != 2:
            raise self._error(node, f"{name} takes two arguments, not {len(node.args)}", f"for example {example(name)}")
        outer, self._crossing = self._crossing, True
        left, right = (self.number(argument, interval) for argument in node.args)
        self._crossing = outer
        if isinstance(left, Number) and isinstance(right, Number):
            raise self._error(node, f"{name} needs a column to watch", f"for example {name}(rsi(14), 30)")
        return Cross(name == "crosses_above", left, right)

    def _run(self, node: ast.Call, name: str, interval: Interval) -> Comparison:
        """Return that a column has risen, or fallen, for so many bars in a row."""
        sources, (bars,), interval = self.split(node, SIGNATURES[name], node.args, interval)
        run = IndicatorValue(RUNS[name], tuple(sources), (), interval)
        self._arguments.charge(node, run)
        return Comparison(">=", run, Number(float(bars)))

    def _between(self, node: ast.Call, interval: Interval) -> All:
        if len(node.args) != 3:
            raise self._error(
                node, f"between takes three arguments, not {len(node.args)}", f"for example {example('between')}"
            )
        number, low, high = (self.number(argument, interval) for argument in node.args)
        return All((Comparison("<=", low, number), Comparison("<=", number, high)))

    def _session(self, node: ast.Call) -> Condition:
        """Return that the time of day is in a part of the day, which may go on over midnight."""
        if not 2 <= len(node.args) <= 3:
            raise self._error(node, "session takes two times and a time zone", f"for example {example('session')}")
        start, end = (self._arguments.minute(argument) for argument in node.args[:2])
        if start in (end, _MINUTES_A_DAY):
            raise self._error(node.args[1], "a session begins and ends at two times", 'for example "00:00", "24:00"')
        now = self._clock(node, "minute_of_day", node.args[2:])
        begun, not_over = Comparison(">=", now, Number(float(start))), Comparison("<", now, Number(float(end)))
        return All((begun, not_over)) if start < end else Any((begun, not_over))


def _is_quality(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "quality"
