"""What stands between the parentheses of a call, and how much of it a rule may use in all."""

import ast
from collections.abc import Iterable
from difflib import get_close_matches

from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.indicators.protocol import Parameter
from tickfloor.traders.language.clock import is_zone, minute_of, zones
from tickfloor.traders.language.cost import Budget
from tickfloor.traders.language.nodes import NumberNode
from tickfloor.traders.language.parse import Source
from tickfloor.traders.language.vocabulary import DEEPEST_HISTORY, MOST_BARS, MOST_COST

_INTERVAL_HINT = "intervals are " + ", ".join(BY_LABEL)
_ZONE_HINT = 'for example "America/New_York"; UTC is meant where none is named'


class Arguments:
    """Reads the constants of one rule's calls, with errors at their places."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._bars = 0
        self._budget = Budget()

    def error(self, node: ast.AST, message: str, hint: str = "") -> RuleError:
        """Return the error at a node's place."""
        return self._source.error(message, self._source.column(node), hint)

    def interval(self, node: ast.expr) -> Interval:
        """Return the interval that a text names."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise self.error(node, 'an interval is a text, for example "15m"', _INTERVAL_HINT)
        interval = BY_LABEL.get(node.value)
        if interval is None:
            raise self.error(node, f'there is no interval "{node.value}"', _INTERVAL_HINT)
        return interval

    def zone(self, node: ast.expr) -> str:
        """Return the time zone that a text names, empty for UTC."""
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise self.error(node, "a time zone is a text", _ZONE_HINT)
        if node.value == "UTC":
            return ""
        if not is_zone(node.value):
            hint = nearest(node.value, zones()) or _ZONE_HINT
            raise self.error(node, f'there is no time zone "{node.value}"', hint)
        return node.value

    def minute(self, node: ast.expr) -> int:
        """Return the minute of the day that a text names."""
        minute = minute_of(node.value) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
        if minute is None:
            raise self.error(node, 'a time is a text of hours and minutes, for example "09:30"')
        return minute

    def parameter(self, node: ast.expr, wanted: Parameter, name: str, example: str) -> float:
        """Return one of the numbers that an indicator is made with."""
        value = _number(node)
        if value is None or (wanted.whole and type(value) is not int):
            bars = "a whole number of bars" if wanted.whole else "a number"
            raise self.error(node, f"the {wanted.name} of {name} is {bars}", f"for example {example}")
        if not wanted.least <= value <= wanted.most:
            bars = " bars" if wanted.whole else ""
            limits = f"{wanted.least:,} to {wanted.most:,}{bars}"
            raise self.error(node, f"the {wanted.name} is from {limits}, not {_shown(value)}")
        if wanted.whole:
            self._reach(node, int(value))
        return value

    def back(self, node: ast.expr, field: str) -> int:
        """Return how many bars back a history index looks."""
        if not isinstance(node, ast.Constant) or type(node.value) is not int:
            raise self.error(node, "history is counted in whole bars", f"write {field}[1] for the bar before")
        if node.value > DEEPEST_HISTORY:
            raise self.error(node, f"history reaches back {DEEPEST_HISTORY} bars, not {_shown(node.value)}")
        self._reach(node, node.value)
        return node.value

    def charge(self, node: ast.expr, column: NumberNode) -> None:
        """Count what a column costs; what the rule has of it already is shared."""
        if self._budget.charge(column) > MOST_COST:
            raise self.error(
                node,
                f"the rule costs more than {MOST_COST:,} with this column",
                "nest less, shorten periods, or split it into several traders",
            )

    def _reach(self, node: ast.expr, bars: int) -> None:
        self._bars += bars
        if self._bars > MOST_BARS:
            raise self.error(
                node,
                f"the periods and histories of a rule reach back {MOST_BARS:,} bars in all, "
                f"with this one {self._bars:,}",
                "shorten them, take a longer interval, or split the rule into several traders",
            )


def is_text(node: ast.expr) -> bool:
    """Return whether a node is a text."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def is_number(node: ast.expr) -> bool:
    """Return whether a node is a number as it is written."""
    return _number(node) is not None


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    return node.value if isinstance(node, ast.Constant) and type(node.value) in (int, float) else None  # type: ignore[return-value]


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question after the known name that a misspelt one resembles, or nothing."""
    by_lower = {each.lower(): each for each in known}
    found = get_close_matches(name.lower()[:80], list(by_lower), n=1, cutoff=0.6)
    return f"did you mean `{by_lower[found[0]]}`?" if found else ""


def _shown(value: float) -> str:
    return f"{value:,}" if abs(value) < 10**12 else "that many"
