"""What all faces over captures share: they send what was recorded, as it was."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import HostilityError, SimulatorError
from tickfloor.simulator.stream import Streams

AS_THEY_WERE = "a capture's frames are sent as they were"


class CapturedFace(ABC):
    """Streams by their recorded names, and what nobody can change about them; see RecordedFace.

    Attributes:
        hurry: how many more frames are sent before they are due.
        now_ns: receive time of the newest frame that was played, before that of the first line.
    """

    def __init__(self, venue: str, conditions: Conditions, streams: Streams) -> None:
        self.venue = venue
        self.conditions = conditions
        self.streams = streams
        self.hurry = 0
        self.now_ns = 0
        self._names: dict[str, None] = {}

    @abstractmethod
    def symbol_of(self, stream: str) -> str:
        """Return the symbol that a stream's name names."""

    @abstractmethod
    def figures(self, symbol: str) -> dict[str, Any]:
        """Return what a ledger says of a symbol, but for its frames."""

    def stream_names(self) -> Collection[str]:
        """Return the names of the streams that were recorded."""
        return self._names

    def symbols(self) -> list[str]:
        """Return what the streams name."""
        return list(dict.fromkeys(map(self.symbol_of, self._names)))

    def send(self, name: str, payload: bytes) -> None:
        """Send a frame to those who want it."""
        stream = self.streams.get(name)
        if stream is not None and stream.heard:
            stream.publish(payload)

    def ledger(self, symbol: str | None) -> dict[str, Any]:
        """Return the figures of what was played so far, and the frames of every stream."""
        symbols = self.symbols()
        if symbol is not None and symbol not in symbols:
            raise SimulatorError(f"there is no symbol {symbol!r}")
        return {
            each: self.figures(each) | {"frames": self._frames(each)}
            for each in (symbols if symbol is None else [symbol])
        }

    def skew(self, skew_ns: int) -> None:
        """Refuse: recorded frames are sent as they were."""
        del skew_ns
        raise HostilityError(f"{AS_THEY_WERE}: clocks cannot be set")

    def burst(self, events: int) -> None:
        """Send the next so many frames at once."""
        self.hurry += events

    def reset_sequence(self, symbol: str, *, trades: bool) -> None:
        """Refuse: recorded frames are sent as they were."""
        del symbol, trades
        raise HostilityError(f"{AS_THEY_WERE}: they cannot be numbered anew")

    def settle(self) -> None:
        """Send what is held back."""
        self.streams.settle()

    def _frames(self, symbol: str) -> dict[str, dict[str, int]]:
        return {
            stream.name: {"published": stream.published, "sent": stream.sent}
            for stream in self.streams
            if stream.published and self.symbol_of(stream.name) == symbol
        }
