"""Seeded markets, several venues side by side."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from tickfloor.simulator.face import Face
from tickfloor.simulator.instrument import NS
from tickfloor.simulator.market import Market

STEP_EVENTS: Final = 256
"""What happens of one market between two writes."""


class SeededFace(Face, Protocol):
    """A venue over a market of its own."""

    market: Market


class SeededSource:
    """Endless; all venues keep the same time."""

    def __init__(self, faces: Sequence[SeededFace], start_ns: int, rate: float) -> None:
        """Take the faces with their markets.

        Args:
            rate: orders and quotes a second of each market.
        """
        self.faces: list[Face] = [*faces]
        self.now_ns = start_ns
        self.ended = False
        self._markets = [face.market for face in faces]
        self._step_ns = int(STEP_EVENTS / rate * NS)

    def recorded(self) -> Mapping[str, Collection[str]]:
        """Return nothing: it happens now."""
        return {}

    def ready(self) -> bool:
        """Say yes: the market waits for nobody."""
        return True

    def advance(self, to_ns: int) -> bool:
        """Let happen what is due, at most so much that others get a turn."""
        until_ns = min(to_ns, self.now_ns + self._step_ns)
        for market in self._markets:
            market.advance(until_ns)
        self.now_ns = max(self.now_ns, until_ns)
        return until_ns < to_ns
