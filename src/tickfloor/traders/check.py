"""Can these traders run, and what would each need?"""

from collections.abc import Sequence

from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.messages import RuleProblem, TradersChecked
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language.plan import columns


def check_traders(specs: Sequence[TraderSpec]) -> TradersChecked:
    """Return every trader's columns, and a problem for each rule that cannot run."""
    needed = {}
    problems = []
    for spec in specs:
        try:
            needed[spec.name] = tuple(sorted(columns(spec)))
        except RuleError as error:
            problems.append(
                RuleProblem(
                    trader=spec.name, text=error.text, column=error.column, message=error.message, hint=error.hint
                )
            )
        except ValueError as error:
            problems.append(RuleProblem(trader=spec.name, text=spec.rule, column=1, message=str(error), hint=""))
    return TradersChecked(columns=needed, problems=tuple(problems))
