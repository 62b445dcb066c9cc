"""Third pass: push `not` down to the comparisons.

In three-valued logic that changes nothing (De Morgan holds, and a comparison with an unknown is as unknown as its
opposite), and afterwards "unknown" and "false" lead to the same decision everywhere: no match. So the engine
evaluates two-valued tests, which an unknown operand makes false.
"""

from dataclasses import replace

from tickfloor.traders.language.nodes import All, Any, Comparison, ComparisonOperator, Condition, Cross, Not, QualityIs

_OPPOSITE: dict[ComparisonOperator, ComparisonOperator] = {
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
    "==": "!=",
    "!=": "==",
}


def without_not(condition: Condition, *, negated: bool = False) -> Condition:
    """Return the same condition, or its opposite, without a :class:`Not` in it."""
    match condition:
        case Not(condition=inner):
            return without_not(inner, negated=not negated)
        case All(conditions=conditions) | Any(conditions=conditions):
            joined = All if isinstance(condition, All) is not negated else Any
            parts = (without_not(part, negated=negated) for part in conditions)
            several = tuple(each for part in parts for each in _joined_alike(part, joined))
            return several[0] if len(several) == 1 else joined(several)
        case Comparison(operator=operator, left=left, right=right):
            return Comparison(_OPPOSITE[operator], left, right) if negated else condition
        case Cross() | QualityIs():
            return replace(condition, negated=condition.negated != negated)


def _joined_alike(condition: Condition, join: type[All | Any]) -> tuple[Condition, ...]:
    """Return what a condition joins in this way, so that equal rules are equal however they were put in brackets."""
    return condition.conditions if isinstance(condition, join) else (condition,)
