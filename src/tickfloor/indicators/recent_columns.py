"""The recent inputs of an indicator that keeps several numbers a bar."""

from tickfloor.indicators.protocol import State
from tickfloor.indicators.window import RecentValues


class RecentColumns:
    """Several :class:`RecentValues` that grow and are taken back together."""

    __slots__ = ("columns",)

    def __init__(self, width: int, length: int) -> None:
        self.columns = tuple(RecentValues(length) for _ in range(width))

    def push(self, *values: float) -> None:
        """Add one closed bar's numbers."""
        for column, value in zip(self.columns, values, strict=True):
            column.push(value)

    def rewind(self, bars: int) -> None:
        """Forget the last bars."""
        for column in self.columns:
            column.rewind(bars)

    def state(self) -> State:
        """Return one column after the other, each oldest first."""
        return b"".join(column.state() for column in self.columns)

    def restore(self, state: State) -> None:
        """Become the columns that gave this state."""
        length = len(state) // len(self.columns)
        for index, column in enumerate(self.columns):
            column.restore(state[index * length : (index + 1) * length])
