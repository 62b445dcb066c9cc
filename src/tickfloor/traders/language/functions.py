"""Every function that a rule can call, and what each takes."""

from collections.abc import Mapping
from dataclasses import dataclass

from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import COLUMN, PERIOD, Parameter
from tickfloor.traders.language.formulas import FORMULAS
from tickfloor.traders.language.vocabulary import (
    CALCULATIONS,
    CLOCKS,
    CONDITIONS,
    CROSSES,
    INDICATOR_NAMES,
    OF_CONDITIONS,
    RUNS,
)


@dataclass(frozen=True, slots=True)
class Signature:
    """What an indicator, or what is called like one, takes before the interval.

    Attributes:
        columns: how many columns come first; a single one may be left out, and is close then.
        parameters: the numbers that follow; those with a default may be left out.
    """

    name: str
    columns: int
    parameters: tuple[Parameter, ...]

    @property
    def least(self) -> int:
        """How many parameters have to be given."""
        return sum(parameter.default is None for parameter in self.parameters)

    @property
    def may_be_bare(self) -> bool:
        """Whether the name alone is a call."""
        return not self.least and self.columns < 2

    @property
    def takes(self) -> str:
        """What it takes, as words."""
        words = ["a column"] if self.columns == 1 else [f"{self.columns} columns"] if self.columns else []
        words += [f"a {parameter.name}" for parameter in self.parameters]
        return ", ".join(words) + " and an interval" if words else "nothing but an interval"

    @property
    def example(self) -> str:
        """A call of it."""
        arguments = ["close", "volume"] if self.columns == 2 else ["close"] if self.name in RUNS else []
        arguments += [f"{_usual(self.name, parameter):g}" for parameter in self.parameters]
        return f"{self.name}({', '.join(arguments)})" if arguments else self.name


def _usual(name: str, parameter: Parameter) -> float:
    if parameter.default is not None:
        return parameter.default
    return 3 if name in RUNS else 14 if parameter.whole else 2


def _signatures() -> Mapping[str, Signature]:
    found = {
        name: Signature(name, INDICATORS[called].inputs.count(COLUMN), INDICATORS[called].parameters)
        for name, called in INDICATOR_NAMES.items()
    }
    found |= {name: Signature(name, formula.columns, formula.parameters) for name, formula in FORMULAS.items()}
    return found | {name: Signature(name, 1, (PERIOD,)) for name in RUNS}


SIGNATURES = _signatures()
"""Indicators, formulas and runs, by name."""

FUNCTIONS = (*INDICATOR_NAMES, *FORMULAS, *OF_CONDITIONS, *CALCULATIONS, *CLOCKS, *CONDITIONS)

_EXAMPLES = {
    "abs": "abs(change(5))",
    "min": "min(bid, last)",
    "max": "max(ask, last)",
    "any_of": "any_of(rsi(14) < 30, close < lowest(low[1], 20))",
    "all_of": "all_of(rsi(14) < 30, close > sma(50))",
    "between": "between(rsi(14), 40, 60)",
    "session": 'session("09:30", "16:00", "America/New_York")',
    "count_of": "count_of(close > open, 10)",
    "bars_since": "bars_since(crosses_above(ema(12), ema(26)))",
}


def example(name: str) -> str:
    """Return a call of a function."""
    if name in SIGNATURES:
        return SIGNATURES[name].example
    if name in CROSSES:
        return f"{name}(ema(12), ema(26))"
    return _EXAMPLES.get(name, name)
