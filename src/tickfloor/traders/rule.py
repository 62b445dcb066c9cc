"""One trader as the engine holds it: its spec, its plan, and the test made from them."""

from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.columns import Columns
from tickfloor.traders.evaluate import test_of
from tickfloor.traders.language.plan import Plan


class Rule:
    """A compiled trader.

    Attributes:
        spec: what the user asked for.
        plan: the checked rule and its columns.
        test: decides it on a current and a previous frame.
        values: text and slot of every column its signals carry.
        at_close: decided at closes of ``plan.interval`` only.
    """

    __slots__ = ("at_close", "plan", "spec", "test", "values")

    def __init__(self, spec: TraderSpec, plan: Plan, columns: Columns) -> None:
        self.spec = spec
        self.plan = plan
        self.test = test_of(plan.condition, columns.slot, lambda column: columns.slot(plan.stood.get(column, column)))
        self.values = tuple((text, columns.slot(column)) for text, column in plan.shown)
        self.at_close = spec.when == "close"
