"""The columns that the traders of an engine share, each in one slot of every frame."""

from collections.abc import Iterable

from tickfloor.traders.language.nodes import BarValue, IndicatorValue, NumberNode


class Columns:
    """Gives every distinct column a slot while somebody uses it; freed slots are used again."""

    def __init__(self) -> None:
        self._slots: dict[NumberNode, int] = {}
        self._users: dict[NumberNode, int] = {}
        self._free: list[int] = []

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

    def acquire(self, columns: Iterable[NumberNode]) -> None:
        """Take columns into use."""
        for column in columns:
            if column not in self._slots:
                self._slots[column] = self._free.pop() if self._free else len(self._slots)
            self._users[column] = self._users.get(column, 0) + 1

    def release(self, columns: Iterable[NumberNode]) -> None:
        """Give columns back."""
        for column in columns:
            self._users[column] -= 1
            if not self._users[column]:
                del self._users[column]
                self._free.append(self._slots.pop(column))
