"""The columns that the traders of an engine share, each in one slot of every frame."""

from collections.abc import Collection, Iterable

from tickfloor.traders.language.nodes import (
    BarValue,
    Clock,
    Elsewhere,
    IndicatorValue,
    Market,
    NumberNode,
    Stood,
    leaves,
    operands,
)
from tickfloor.traders.language.plan import key

GIVEN = (BarValue, Market, Stood, Clock, Elsewhere)
"""Columns that are computed from no other."""


class Columns:
    """Gives every distinct column a slot while somebody uses it; freed slots are used again."""

    def __init__(self) -> None:
        self._slots: dict[NumberNode, int] = {}
        self._users: dict[NumberNode, int] = {}
        self._free: list[int] = []
        self._keys: dict[NumberNode, str] = {}
        self._chains: dict[NumberNode, tuple[int, ...]] = {}

    @property
    def width(self) -> int:
        """How many slots a frame has."""
        return len(self._slots) + len(self._free)

    @property
    def shared(self) -> int:
        """How many distinct bar and indicator columns are in use."""
        return sum(isinstance(column, BarValue | IndicatorValue) for column in self._slots)

    def slot(self, column: NumberNode) -> int:
        """Return the slot of a column in use."""
        return self._slots[column]

    def all(self) -> Collection[NumberNode]:
        """Return the columns in use."""
        return self._slots.keys()

    def chain(self, column: NumberNode) -> tuple[int, ...]:
        """Return what has to be computed for a column in use, itself last, inputs first."""
        chain = self._chains.get(column)
        if chain is None:
            slots: dict[int, None] = {}
            if not isinstance(column, GIVEN):
                for each in _inputs(column):
                    slots.update(dict.fromkeys(self.chain(each)))
                slots[self._slots[column]] = None
            chain = self._chains[column] = tuple(slots)
        return chain

    def ordered(self, columns: Iterable[NumberNode]) -> list[NumberNode]:
        """Return columns in use, and what they are computed from, in an order in which inputs come first.

        The order in which they came into use makes no difference.
        """
        ordered: dict[NumberNode, None] = {}

        def place(column: NumberNode) -> None:
            if column not in ordered:
                if not isinstance(column, GIVEN):
                    for each in _inputs(column):
                        place(each)
                ordered[column] = None

        for column in sorted(columns, key=self._keys.__getitem__):
            place(column)
        return list(ordered)

    def users(self, column: NumberNode) -> int:
        """Return how many use a column."""
        return self._users[column]

    def acquire(self, columns: Iterable[NumberNode]) -> None:
        """Take columns into use."""
        for column in columns:
            if column not in self._slots:
                self._slots[column] = self._free.pop() if self._free else len(self._slots)
                self._keys[column] = key(column)
            self._users[column] = self._users.get(column, 0) + 1

    def release(self, columns: Iterable[NumberNode]) -> None:
        """Give columns back."""
        for column in columns:
            self._users[column] -= 1
            if not self._users[column]:
                del self._users[column]
                self._free.append(self._slots.pop(column))
                del self._keys[column]
                self._chains.pop(column, None)


def _inputs(column: NumberNode) -> tuple[NumberNode, ...]:
    """Return the columns that a computed column is computed from."""
    if isinstance(column, IndicatorValue):
        return column.sources
    return tuple(leaf for operand in operands(column) for leaf in leaves(operand))
