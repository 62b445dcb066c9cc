"""How the columns of one interval are computed: the same for all instruments with the same traders."""

from collections.abc import Collection, Sequence
from copy import copy
from dataclasses import dataclass

from tickfloor.contracts.intervals import Interval
from tickfloor.indicators.protocol import REVISABLE_BARS
from tickfloor.traders.columns.evaluate import ColumnValue, column_value
from tickfloor.traders.columns.slots import Columns
from tickfloor.traders.language.nodes import BarValue, IndicatorValue, Market, NumberNode, Stood
from tickfloor.traders.language.plan import key
from tickfloor.traders.language.vocabulary import BAR_FIELDS


@dataclass(frozen=True, slots=True)
class IndicatorStep:
    """Update an indicator from the slots of its inputs."""

    slot: int
    sources: tuple[int, ...]
    function: str
    parameters: tuple[float, ...]
    key: str


@dataclass(frozen=True, slots=True)
class ValueStep:
    """Compute a column from other columns."""

    slot: int
    value: ColumnValue


class LaneProgram:
    """How the columns of one interval are computed, in an order in which inputs come first.

    Attributes:
        slots, keys: every column of the interval, aligned.
        fields: slot and field of columns of the current bar.
        history: slot, field and how many bars back.
        noted: slots of columns whose value is noted when a bar closes, each with the slot whose value now that is and
            what to refresh for it; market columns are their own, columns of other intervals lie in their lanes.
        noted_after: slots whose value is noted when everything that closes together has closed, each with the slot
            whose closed value that is.
        steps: everything computed from those.
        depth: closed bars to keep.
    """

    __slots__ = ("depth", "fields", "history", "interval", "keys", "noted", "noted_after", "slots", "steps")

    def __init__(self, interval: Interval, found: Sequence[NumberNode], columns: Columns) -> None:
        slot = columns.slot
        self.interval = interval
        self.slots = [slot(column) for column in found]
        self.keys = [key(column) for column in found]
        bars = [column for column in found if isinstance(column, BarValue)]
        self.fields = [(slot(column), BAR_FIELDS[column.field]) for column in bars if not column.back]
        self.history = [(slot(column), BAR_FIELDS[column.field], column.back) for column in bars if column.back]
        stood = [column for column in found if isinstance(column, Stood)]
        self.noted: list[tuple[int, int, Sequence[int]]] = [
            (slot(column), slot(column), ()) for column in found if isinstance(column, Market)
        ]
        self.noted += [
            (slot(each), slot(each.column), columns.chain(each.column)) for each in stood if not each.at_close
        ]
        self.noted_after = [(slot(each), slot(each.column)) for each in stood if each.at_close]
        self.steps = [_step(column, columns) for column in found if not isinstance(column, BarValue | Market | Stood)]
        self.depth = max((column.back for column in bars), default=0) + REVISABLE_BARS + 2

    def only(self, slots: Collection[int]) -> "LaneProgram":
        """Return a program with these of the computed and noted columns, and all of what a bar shows by itself."""
        other = copy(self)
        other.steps = [step for step in self.steps if step.slot in slots]
        left_out = {step.slot for step in self.steps}.difference(slots)
        kept = [(slot, key) for slot, key in zip(self.slots, self.keys, strict=True) if slot not in left_out]
        other.slots, other.keys = [slot for slot, _ in kept], [key for _, key in kept]
        return other


def _step(column: NumberNode, columns: Columns) -> IndicatorStep | ValueStep:
    slot = columns.slot(column)
    if isinstance(column, IndicatorValue):
        sources = tuple(columns.slot(source) for source in column.sources)
        return IndicatorStep(slot, sources, column.function, column.parameters, key(column))
    return ValueStep(slot, column_value(column, columns.slot))
