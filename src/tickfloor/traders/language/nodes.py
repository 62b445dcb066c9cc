"""The checked rule as a tree of frozen nodes: numbers, and conditions over them.

Every number node has a ``text``, written relative to an interval as a user would write it. Two nodes with the
same text at the same interval are the same column.
"""

from dataclasses import dataclass
from typing import Literal

from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Quality
from tickfloor.traders.language.vocabulary import MarketColumn

ArithmeticOperator = Literal["+", "-", "*", "/", "%", "**"]
ComparisonOperator = Literal["<", "<=", ">", ">=", "==", "!="]


@dataclass(frozen=True, slots=True)
class Number:
    """A constant; NaN where constant arithmetic has no finite result."""

    value: float

    def text(self, interval: Interval) -> str:  # noqa: ARG002
        """Return the shortest digits that give the same float."""
        value = self.value
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


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
class TrueRange:
    """The bar's true range, which atr averages."""

    interval: Interval

    def text(self, interval: Interval) -> str:  # noqa: ARG002
        """Return a name that no rule can write."""
        return "true range"


@dataclass(frozen=True, slots=True)
class IndicatorValue:
    """An indicator over a number node of the same interval."""

    function: str
    source: "NumberNode"
    period: int
    interval: Interval

    def text(self, interval: Interval) -> str:
        """Return ``rsi(14)``, ``ema(high - low, 5)`` or ``rsi(14, "15m")``."""
        usual = self.function == "atr" or self.source == BarValue("close", 0, self.interval)
        source = "" if usual else self.source.text(self.interval) + ", "
        where = "" if self.interval is interval else f', "{self.interval.label}"'
        return f"{self.function}({source}{self.period}{where})"


@dataclass(frozen=True, slots=True)
class Stood:
    """How a column of another interval stood when the bar of ``interval`` closed, as a rule of that interval saw it.

    A per-tick rule saw the bar of the other interval that was forming, an at-close rule the last closed one.
    """

    column: "BarValue | IndicatorValue"
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


NumberNode = Number | Market | BarValue | TrueRange | IndicatorValue | Stood | Arithmetic | Negative | Calculation
Column = Market | BarValue | IndicatorValue


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


Condition = Comparison | QualityIs | Cross | All | Any | Not


def operands(node: NumberNode) -> tuple[NumberNode, ...]:
    """Return the numbers directly inside a number node, in the order they are written."""
    match node:
        case IndicatorValue(source=source):
            return (source,)
        case Stood(column=column):
            return (column,)
        case Arithmetic(left=left, right=right):
            return (left, right)
        case Negative(operand=operand):
            return (operand,)
        case Calculation(operands=several):
            return several
        case TrueRange(interval=interval):
            return (BarValue("high", 0, interval), BarValue("low", 0, interval), BarValue("close", 1, interval))
        case _:
            return ()


def leaves(node: NumberNode) -> tuple[Column, ...]:
    """Return the columns a number node reads directly, each once, in the order they are written."""
    if isinstance(node, Market | BarValue | IndicatorValue):
        return (node,)
    return tuple(dict.fromkeys(leaf for operand in operands(node) for leaf in leaves(operand)))


def atoms(condition: Condition) -> tuple[Comparison | QualityIs | Cross, ...]:
    """Return the comparisons and crossings of a condition, in the order they are written."""
    match condition:
        case All(conditions=conditions) | Any(conditions=conditions):
            return tuple(atom for inner in conditions for atom in atoms(inner))
        case Not(condition=inner):
            return atoms(inner)
        case _:
            return (condition,)


def columns_of(atom: Comparison | QualityIs | Cross) -> tuple[Column, ...]:
    """Return the columns an atom reads, each once, in the order they are written."""
    if isinstance(atom, QualityIs):
        return (atom.column,)
    return tuple(dict.fromkeys((*leaves(atom.left), *leaves(atom.right))))
