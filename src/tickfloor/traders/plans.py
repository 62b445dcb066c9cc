"""The plans of rules that this process has met: parsing a rule costs more than all else that is done to add it."""

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from tickfloor.contracts.errors import RuleError, TickfloorError
from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.language.plan import Plan, plan

MOST_KEPT = 4096
"""Some 2 KB each."""

_decode = msgspec.msgpack.Decoder(list[TraderSpec]).decode


class TradersRefusedError(TickfloorError):
    """Traders cannot run; nothing has been changed. ``refused`` holds the reason by name."""

    def __init__(self, refused: dict[str, str]) -> None:
        super().__init__("; ".join(f"trader {name!r}: {reason}" for name, reason in refused.items()))
        self.refused = refused


_plans: dict[tuple[str, str, str, bool], Plan] = {}
"""by all that a plan depends on, oldest first; a forked process has those of its parent"""


def planned(spec: TraderSpec) -> Plan:
    """Return the plan of a trader's rule, parsed once in a process while it is among the last :data:`MOST_KEPT`.

    Raises:
        RuleError: the rule is not valid, or reads no column.
        ValueError: the default interval is not one.
    """
    text = (spec.rule, spec.when, spec.interval, spec.requires_live)
    found = _plans.get(text)
    if found is None:
        found = plan(spec)
        if len(_plans) >= MOST_KEPT:
            del _plans[next(iter(_plans))]
        _plans[text] = found
    return found


def prepare(payload: bytes) -> None:
    """Plan the rules of these traders, encoded, for all processes that are forked from this one.

    What is not valid is left to whoever is to run it, and can say so.
    """
    for spec in _decode(payload):
        with suppress(RuleError, ValueError):
            planned(spec)


def plans_of(specs: Iterable[TraderSpec]) -> list[Plan]:
    """Return the plans of several traders, aligned with them.

    Raises:
        TradersRefusedError: naming every trader whose rule is not valid.
    """
    plans = []
    refused = {}
    for spec in specs:
        try:
            plans.append(planned(spec))
        except RuleError as error:
            refused[spec.name] = f"column {error.column}: {error.message}" + (f"; {error.hint}" if error.hint else "")
        except ValueError as error:
            refused[spec.name] = str(error)
    if refused:
        raise TradersRefusedError(refused)
    return plans
