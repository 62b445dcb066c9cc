"""The last few states of a recursive indicator, so that commits can be taken back exactly."""

from array import array
from collections.abc import Sequence
from typing import ClassVar

from tickfloor.indicators.protocol import REVISABLE_BARS, Numbers, State


class RecentStates:
    """A bounded log of states, each ``width`` numbers: the state before each of the last commits."""

    __slots__ = ("_numbers", "_width")

    def __init__(self, width: int) -> None:
        self._width = width
        self._numbers = array("d")

    def push(self, state: Sequence[float]) -> None:
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


class Recursive:
    """What indicators share that go on from a few numbers: a way back, and keeping the state.

    Attributes:
        START: the numbers before the first bar.
    """

    START: ClassVar[tuple[float, ...]]
    __slots__ = ("_recent",)

    def __init__(self) -> None:
        self._recent = RecentStates(len(self.START))
        self._set(self.START)

    def _numbers(self) -> Numbers:
        """Return what it goes on from."""
        raise NotImplementedError

    def _set(self, numbers: Sequence[float]) -> None:
        """Go on from these numbers."""
        raise NotImplementedError

    def rewind(self, bars: int) -> None:
        """Take back the last commits."""
        if bars:
            self._set(self._recent.take_back(bars) or self.START)

    def state(self) -> State:
        """Return what it goes on from, and the recent states."""
        return array("d", self._numbers()).tobytes() + self._recent.state()

    def restore(self, state: State) -> None:
        """Become the indicator that gave this state."""
        own = 8 * len(self.START)
        self._set(array("d", state[:own]).tolist())
        self._recent.restore(state[own:])
