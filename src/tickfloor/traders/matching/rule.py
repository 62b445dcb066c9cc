"""One trader as the engine holds it: its spec, its plan, and where its columns lie."""

from tickfloor.contracts.traders import TraderSpec
from tickfloor.traders.columns.slots import Columns
from tickfloor.traders.language.nodes import NumberNode
from tickfloor.traders.language.plan import Plan


class Rule:
    """A trader whose columns have slots.

    Attributes:
        matches, signals: how often it has become true aloud, and given a signal.
        decided_before: evaluations of its group on the same inputs before it came, less those it brought with it.
        spec: what the user asked for.
        plan: the checked rule and its columns.
        texts, slots: of every column its signals carry.
        at_close: decided at closes of ``plan.interval`` only.
    """

    __slots__ = ("_columns", "at_close", "decided_before", "matches", "plan", "signals", "slots", "spec", "texts")

    def __init__(self, spec: TraderSpec, plan: Plan, columns: Columns) -> None:
        self._columns = columns
        self.matches = 0
        self.signals = 0
        self.decided_before = 0
        self.spec = spec
        self.plan = plan
        self.texts = tuple(text for text, _ in plan.shown)
        self.slots = tuple(columns.slot(column) for _, column in plan.shown)
        self.at_close = spec.when == "close"

    def slot_then(self, column: NumberNode) -> int:
        """Return the slot that shows a column in the frame of a crossing's past."""
        return self._columns.slot(self.plan.stood.get(column, column))
