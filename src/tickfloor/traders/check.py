"""Can these traders run, and what would each need?"""

from collections.abc import Sequence

from tickfloor.contracts.commands import RuleProblem, TradersChecked
from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.intervals import BY_LABEL
from tickfloor.contracts.traders import TraderSpec, trader_number
from tickfloor.traders.engine.roster import as_rule
from tickfloor.traders.language.plan import columns
from tickfloor.traders.plans import planned
from tickfloor.traders.strategies.declared import Declared
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.loader import LoadedStrategy
from tickfloor.traders.strategies.running import Blame


def check_traders(specs: Sequence[TraderSpec], vitals: Blame | None = None) -> TradersChecked:
    """Return every trader's columns, and a problem for each rule or strategy that cannot run.

    A strategy's file is run for that; ``vitals`` notes whose is running, where a supervisor looks.
    """
    needed: dict[str, tuple[str, ...]] = {}
    problems = []
    for spec in specs:
        try:
            if spec.strategy:
                declared = _declared(spec, vitals)
                rules = [*declared.rules.values(), *(as_rule(spec, text) for text in declared.columns.values())]
            else:
                rules = [spec]
            needed[spec.name] = tuple(sorted({column for rule in rules for column in columns(planned(rule))}))
        except RuleError as error:
            problems.append(
                RuleProblem(
                    trader=spec.name, text=error.text, column=error.column, message=error.message, hint=error.hint
                )
            )
        except (ValueError, StrategyError) as error:
            text = spec.strategy or spec.rule
            problems.append(RuleProblem(trader=spec.name, text=text, column=1, message=str(error), hint=""))
    return TradersChecked(columns=needed, problems=tuple(problems))


def _declared(spec: TraderSpec, vitals: Blame | None) -> Declared:
    """Return what a strategy's class declares, or raise why it cannot run."""
    if spec.rule:
        raise ValueError("it has a rule and a strategy; a trader has one of them")
    if spec.interval not in BY_LABEL:
        raise ValueError(f'interval "{spec.interval}" is none of {", ".join(BY_LABEL)}')
    if vitals is None:
        return _loaded_and_let_go(spec)
    vitals.enter(trader_number(spec.name))
    try:
        declared = _loaded_and_let_go(spec)
    except StrategyError:
        vitals.leave()
        raise
    vitals.leave()
    return declared


def _loaded_and_let_go(spec: TraderSpec) -> Declared:
    loaded = LoadedStrategy(spec)
    loaded.unload()
    return loaded.declared
