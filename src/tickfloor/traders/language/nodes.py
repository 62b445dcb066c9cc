"""The checked rule as a tree of frozen nodes: numbers, and conditions over them.

Every number node has a ``text``, written relative to an interval as a user would write it. Two nodes with the
same text at the same interval are the same column.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import COLUMN
from tickfloor.traders.language.vocabulary import WRITTEN, MarketColumn

ArithmeticOperator = Literal["+", "-", "*", "/", "%", "**"]
ComparisonOperator = Literal["<", "<=", ">", ">=", "==", "!="]
MIRRORED: dict[ComparisonOperator, ComparisonOperator] = {
    "<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!=",
}  # fmt: skip
"""What a comparison becomes when its sides change places."""


@dataclass(frozen=True, slots=True)
class Number:
    """A constant; NaN where constant arithmetic has no finite result."""

    value: float

    def text(self, interval: Interval) -> str:  # noqa: ARG002
        """Return the shortest digits that give the same float."""
        return digits(self.value)


@dataclass(frozen=True, slots=True)
class Market:
    """A market column; its value at a closed bar is the one that stood when the bar of ``interval`` closed."""

    column: MarketColumn
    interval: Interval

    def text(self, interval: Interval) -> str:  # noqa: ARG002
        """Return the column's name."""
        return self.column.name.lower()


@dataclass(frozen=True, slots=True)
class BarValue:
    """A field of the bar ``back`` bars before the current one; 0 is the current one."""

    field: str
    back: int
    interval: Interval

    def text(self, interval: Interval) -> str:
        """Return ``close``, ``close[2]`` or ``close("1h")[2]``."""
        where = "" if self.interval is interval else f'("{self.interval.label}")'
        return self.field + where + (f"[{self.back}]" if self.back else "")


@dataclass(frozen=True, slots=True)
class Truth:
    """A condition as a number, for an indicator to count: 1 where it holds, 0 where it does not, else unknown.

    Everything in it is on one interval; a crossing in it compares a bar with the bar before.
    """

    condition: "Condition"
    interval: Interval

    def text(self, interval: Interval) -> str:  # noqa: ARG002
        """Return the condition."""
        return condition_text(self.condition, self.interval)


@dataclass(frozen=True, slots=True)
class IndicatorValue:
    """An indicator over number nodes of the same interval, one for each of its inputs.

    ``parameters`` are complete: those the rule left out have their defaults.
    """

    function: str
    sources: tuple["NumberNode", ...]
    parameters: tuple[float, ...]
    interval: Interval

    def text(self, interval: Interval) -> str:
        """Return ``rsi(14)``, ``ema(high - low, 5)`` or ``rsi(14, "15m")``."""
        inputs = INDICATORS[self.function].inputs
        named = [source for source, taken in zip(self.sources, inputs, strict=True) if taken == COLUMN]
        if named == [BarValue("close", 0, self.interval)]:
            named = []
        arguments = [source.text(self.interval) for source in named]
        arguments += [digits(parameter) for parameter in self.parameters]
        return _call(WRITTEN.get(self.function, self.function), arguments, self.interval, interval)


@dataclass(frozen=True, slots=True)
class Formula:
    """A calculation over columns of one interval that has a name of its own, such as ``bbands_upper(20, 2)``.

    ``arguments`` are as the rule would write them, without the interval.
    """

    function: str
    arguments: tuple[str, ...]
    expression: "NumberNode"
    interval: Interval

    def text(self, interval: Interval) -> str:
        """Return the call."""
        return _call(self.function, self.arguments, self.interval, interval)


@dataclass(frozen=True, slots=True)
class Clock:
    """A part of the venue's time, in UTC or in a time zone: ``hour``, ``minute``, ``weekday`` or ``minute_of_day``.

    It is the time of the record, or of the close, at which a rule is decided, and decides none by itself.
    """

    kind: str
    zone: str
    """name of the time zone, empty for UTC"""

    @property
    def interval(self) -> Interval:
        """Return the interval that it is kept under, which means nothing for a time."""
        return Interval.M1

    def text(self, interval: Interval) -> str:  # noqa: ARG002
        """Return ``hour`` or ``hour("America/New_York")``."""
        return f'{self.kind}("{self.zone}")' if self.zone else self.kind


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A column of another instrument, as it stands when the rule is decided; it decides none by itself.

    Unknown until that instrument has been seen. A ``symbol`` without a venue is of the rule's own venue.
    """

    column: "Market | BarValue | IndicatorValue | Formula"
    symbol: str

    @property
    def interval(self) -> Interval:
        """Return the column's interval."""
        return self.column.interval

    def text(self, interval: Interval) -> str:
        """Return ``close["BTCUSDT"]`` or ``rsi(14, "1h")["binance:BTCUSDT"]``."""
        return f'{self.column.text(interval)}["{self.symbol}"]'


@dataclass(frozen=True, slots=True)
class Stood:
    """How a column of another interval stood when the bar of ``interval`` closed, as a rule of that interval saw it.

    A per-tick rule saw the bar of the other interval that was forming, an at-close rule the last closed one.
    """

    column: "BarValue | IndicatorValue | Formula"
    interval: Interval
    at_close: bool

    def text(self, interval: Interval) -> str:
        """Return a name that no rule can write."""
        return f"{'closed' if self.at_close else 'forming'} {self.column.text(interval)}"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two numbers combined; unknown where the result is not finite."""

    operator: ArithmeticOperator
    left: "NumberNode"
    right: "NumberNode"

    def text(self, interval: Interval) -> str:
        """Return the operands around the operator, nested ones in parentheses."""
        return f"{_operand(self.left, interval)} {self.operator} {_operand(self.right, interval)}"


@dataclass(frozen=True, slots=True)
class Negative:
    """Minus a number."""

    operand: "NumberNode"

    def text(self, interval: Interval) -> str:
        """Return the operand behind a minus."""
        return f"-{_operand(self.operand, interval)}"


@dataclass(frozen=True, slots=True)
class Calculation:
    """``abs``, ``min`` or ``max``; unknown if any operand is."""

    function: str
    operands: tuple["NumberNode", ...]

    def text(self, interval: Interval) -> str:
        """Return the call."""
        return f"{self.function}({', '.join(operand.text(interval) for operand in self.operands)})"


NumberNode = (
    Number
    | Market
    | BarValue
    | Truth
    | IndicatorValue
    | Formula
    | Clock
    | Elsewhere
    | Stood
    | Arithmetic
    | Negative
    | Calculation
)
Column = Market | BarValue | IndicatorValue | Formula | Clock | Elsewhere


def _call(name: str, arguments: Sequence[str], own: Interval, interval: Interval) -> str:
    """Return a call as a user would write it on an interval; a name alone where there is nothing to say."""
    if own is not interval:
        arguments = (*arguments, f'"{own.label}"')
    return f"{name}({', '.join(arguments)})" if arguments else name


def digits(value: float) -> str:
    """Return the shortest text of a number that gives the same float."""
    return str(int(value)) if value == value and abs(value) < 1e15 and value == int(value) else repr(float(value))


def _operand(node: NumberNode, interval: Interval) -> str:
    text = node.text(interval)
    return f"({text})" if isinstance(node, Arithmetic | Negative) else text


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two numbers compared; unknown if either is."""

    operator: ComparisonOperator
    left: NumberNode
    right: NumberNode


@dataclass(frozen=True, slots=True)
class QualityIs:
    """The data quality is, or is not, the given one; unknown before the first quality record."""

    column: Market
    quality: Quality
    negated: bool


@dataclass(frozen=True, slots=True)
class Cross:
    """``left`` crosses ``right``: on one side or equal at the last close of the rule's interval, beyond it now.

    Unknown if either side is unknown at either time. ``negated`` means known and not crossing.
    """

    above: bool
    left: NumberNode
    right: NumberNode
    negated: bool = False


@dataclass(frozen=True, slots=True)
class All:
    """Every condition holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one condition holds."""

    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition is known not to hold."""

    condition: "Condition"


Atom = Comparison | QualityIs | Cross
Condition = Atom | All | Any | Not


def condition_text(condition: Condition, interval: Interval) -> str:
    """Return a condition as a user would write it on an interval, with the fewest parentheses that keep its meaning."""
    match condition:
        case All(conditions=several):
            return " and ".join(_inner(inner, interval, Any) for inner in several)
        case Any(conditions=several):
            return " or ".join(_inner(inner, interval, All) for inner in several)
        case Not(condition=inner):
            return f"not {_inner(inner, interval, All, Any)}"
        case Comparison(operator=operator, left=left, right=right):
            return f"{left.text(interval)} {operator} {right.text(interval)}"
        case QualityIs(quality=quality, negated=negated):
            return f'quality {"!=" if negated else "=="} "{quality.name.lower()}"'
        case Cross(above=above, left=left, right=right, negated=negated):
            call = f"crosses_{'above' if above else 'below'}({left.text(interval)}, {right.text(interval)})"
            return f"not {call}" if negated else call


def _inner(condition: Condition, interval: Interval, *in_parentheses: type) -> str:
    text = condition_text(condition, interval)
    return f"({text})" if isinstance(condition, in_parentheses) else text


def operands(node: NumberNode) -> tuple[NumberNode, ...]:
    """Return the numbers directly inside a number node, in the order they are written."""
    match node:
        case IndicatorValue(sources=sources):
            return sources
        case Formula(expression=expression):
            return (expression,)
        case Truth(condition=condition):
            return tuple(operand for atom in atoms(condition) for operand in atom_operands(atom))
        case Stood(column=column):
            return (column,)
        case Arithmetic(left=left, right=right):
            return (left, right)
        case Negative(operand=operand):
            return (operand,)
        case Calculation(operands=several):
            return several
        case _:
            return ()


def leaves(node: NumberNode) -> tuple[Column, ...]:
    """Return the columns a number node reads directly, each once, in the order they are written."""
    if isinstance(node, Column):
        return (node,)
    return tuple(dict.fromkeys(leaf for operand in operands(node) for leaf in leaves(operand)))


def atoms(condition: Condition) -> tuple["Atom", ...]:
    """Return the comparisons and crossings of a condition, in the order they are written."""
    match condition:
        case All(conditions=conditions) | Any(conditions=conditions):
            return tuple(atom for inner in conditions for atom in atoms(inner))
        case Not(condition=inner):
            return atoms(inner)
        case _:
            return (condition,)


def atom_operands(atom: Atom) -> tuple[NumberNode, ...]:
    """Return the numbers that an atom compares."""
    return (atom.column,) if isinstance(atom, QualityIs) else (atom.left, atom.right)


def columns_of(atom: Atom) -> tuple[Column, ...]:
    """Return the columns an atom reads, each once, in the order they are written."""
    return tuple(dict.fromkeys(leaf for operand in atom_operands(atom) for leaf in leaves(operand)))
