"""The last few states of a recursive indicator, so that commits can be taken back exactly."""

from array import array

from tickfloor.indicators.protocol import REVISABLE_BARS, Numbers, State


class RecentStates:
    """A bounded log of states, each ``width`` numbers: the state before each of the last commits."""

    __slots__ = ("_numbers", "_width")

    def __init__(self, width: int) -> None:
        self._width = width
        self._numbers = array("d")

    def push(self, state: Numbers) -> None:
        """Note the state before a commit, forgetting the oldest beyond :data:`REVISABLE_BARS`."""
        self._numbers.extend(state)
        if len(self._numbers) > REVISABLE_BARS * self._width:
            del self._numbers[: self._width]

    def take_back(self, bars: int) -> Numbers | None:
        """Return the state before the last ``bars`` commits and forget them; None if that is before the first."""
        at = len(self._numbers) - bars * self._width
        if at < 0:
            del self._numbers[:]
            return None
        state = self._numbers[at : at + self._width].tolist()
        del self._numbers[at:]
        return state

    def state(self) -> State:
        """Return the log, oldest first."""
        return self._numbers.tobytes()

    def restore(self, state: State) -> None:
        """Become the log that gave this state."""
        self._numbers = array("d", state)
