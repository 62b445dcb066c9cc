"""The columns and rules that a strategy's class declares, checked as those of a trader are."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language.parse import parse
from tickfloor.traders.plans import planned
from tickfloor.traders.strategies.budget import Budget
from tickfloor.traders.strategies.errors import DeclarationError, StrategyError
from tickfloor.traders.strategies.strategy import Strategy

MOST_DECLARED = 100
"""Columns, and rules, of one strategy."""

_LONGEST_NAME = 100
_BEFORE, _AFTER = "(", ") > 0"


class Declared(NamedTuple):
    """What a strategy's class says of itself.

    Attributes:
        columns: texts by name.
        rules: a trader for each rule, by the rule's name; their signals are for the strategy alone.
    """

    columns: Mapping[str, str]
    rules: Mapping[str, TraderSpec]
    budget: Budget


NOTHING = Declared({}, {}, Budget())
"""What is known of a strategy that is not loaded."""


def declared_by(made: type[Strategy], spec: TraderSpec) -> Declared:
    """Return what a class declares for a trader.

    Raises:
        DeclarationError: a text is no column or no rule.
        StrategyError: something else is wrong with it.
    """
    columns = _texts(made, "columns")
    rules = _texts(made, "rules")
    if rules and made.on_signal is Strategy.on_signal:
        raise StrategyError(f"{made.__name__} declares rules and has no on_signal to hear of them; write it")
    if not isinstance(made.budget, Budget):
        raise StrategyError(f"{made.__name__}.budget must be a Budget, not {type(made.budget).__name__}")
    for name, text in columns.items():
        _check_column(made, name, text, spec)
    hidden = {name: _as_rule(spec, f"{spec.name}/{name}", text) for name, text in rules.items()}
    for name, rule in hidden.items():
        try:
            planned(rule)
        except RuleError as error:
            raise DeclarationError(made.__name__, f"rules[{name!r}]", error) from error
    return Declared(columns, hidden, made.budget)


def _as_rule(spec: TraderSpec, name: str, text: str) -> TraderSpec:
    """Return the trader that a strategy's rule is: the same while its text is, whatever becomes of the code."""
    return msgspec.structs.replace(spec, name=name, rule=text, strategy="", strategy_digest="", revision=1)


def _texts(made: type[Strategy], what: str) -> dict[str, str]:
    declared = getattr(made, what)
    whose = f"{made.__name__}.{what}"
    if not isinstance(declared, Mapping):
        raise StrategyError(f"{whose} must be a dict of texts by name, not {type(declared).__name__}")
    if len(declared) > MOST_DECLARED:
        raise StrategyError(f"{whose} has {len(declared):,} entries; at most {MOST_DECLARED} are kept")
    for name, text in declared.items():
        if not isinstance(name, str) or not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise StrategyError(f"{whose}: {name!r:.200} is no name; use 1 to {_LONGEST_NAME} printable characters")
        if not isinstance(text, str):
            raise StrategyError(f"{whose}[{name!r}] must be a text, not {type(text).__name__}")
    return dict(declared)


def _check_column(made: type[Strategy], name: str, text: str, spec: TraderSpec) -> None:
    """Check a column as the rule language does: by a rule that reads nothing else."""
    try:
        parse(text)
        # Without the demand for live data it reads nothing else.
        planned(msgspec.structs.replace(_as_rule(spec, spec.name, _BEFORE + text + _AFTER), requires_live=False))
    except RuleError as error:
        column = error.column if error.text == text else error.column - len(_BEFORE)
        place = min(max(1, column), len(text) + 1)
        told = RuleError(error.message, text=text, column=place, hint=error.hint)
        raise DeclarationError(made.__name__, f"columns[{name!r}]", told) from error
