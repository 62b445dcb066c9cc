"""The recent inputs of an indicator over a window, kept long enough to take commits back."""

from array import array

from tickfloor.indicators.protocol import REVISABLE_BARS, State


class RecentValues:
    """The last ``length`` closed inputs, and :data:`REVISABLE_BARS` before them."""

    __slots__ = ("_kept", "values")

    def __init__(self, length: int) -> None:
        self._kept = length + REVISABLE_BARS
        self.values = array("d")

    def push(self, value: float) -> None:
        """Add a closed input."""
        self.values.append(value)
        if len(self.values) > self._kept:
            del self.values[0]

    def rewind(self, bars: int) -> None:
        """Forget the last inputs."""
        if bars:
            del self.values[-bars:]

    def state(self) -> State:
        """Return the inputs, oldest first."""
        return self.values.tobytes()

    def restore(self, state: State) -> None:
        """Become the window that gave this state."""
        self.values = array("d", state)
