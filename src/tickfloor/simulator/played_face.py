"""What faces over captures share whose snapshots come in band: what was played is what can be asked for."""

from collections.abc import Collection, Iterator
from typing import Any

from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.errors import HostilityError, SimulatorError
from tickfloor.simulator.face import WireLimits
from tickfloor.simulator.played_book import PlayedBook
from tickfloor.simulator.played_trades import PlayedTrades
from tickfloor.simulator.rfc3339_text import rfc3339
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.stream import Streams

AS_THEY_WERE = "a capture's frames are sent as they were"


class PlayedFace:
    """Trades, books and last states by symbol, and what a ledger says of them; see RecordedFace.

    A stream is named by channel and symbol, for example ``book:BTC/USD``.

    Attributes:
        books: those of which a snapshot was played, by symbol.
        last: the newest frame of every stream whose frames say all there is to say, by stream.
        unread: frames and answers that could not be read; they are sent as they were all the same.
        now_ns: receive time of the newest frame.
    """

    limits: WireLimits

    def __init__(self, venue: str, settings: SimulatorSettings, conditions: Conditions, streams: Streams) -> None:
        self.venue = venue
        self.settings = settings
        self.conditions = conditions
        self.streams = streams
        self.hurry = 0
        self.now_ns = 0
        self.unread = 0
        self.books: dict[str, PlayedBook] = {}
        self.last: dict[str, bytes] = {}
        self._names: dict[str, None] = {}
        self._trades: dict[str, PlayedTrades] = {}

    def recorded(self) -> Collection[str]:
        """Return the names of the streams that there are."""
        return self._names

    def symbols(self) -> list[str]:
        """Return what frames have named."""
        return list(dict.fromkeys(name.partition(":")[2] for name in self._names))

    def trades_of(self, symbol: str) -> PlayedTrades:
        """Return what was traded of a symbol."""
        found = self._trades.get(symbol)
        if found is None:
            found = self._trades[symbol] = PlayedTrades()
        return found

    def stamp(self, decimals: int) -> str:
        """Return the market's time as venues write it."""
        return rfc3339(self.now_ns, decimals)

    def send(self, name: str, payload: bytes) -> None:
        """Send a frame to those who want it."""
        stream = self.streams.get(name)
        if stream is not None and stream.heard:
            stream.publish(payload)

    def weight_header(self, used: int) -> tuple[str, str] | None:
        """Return None: the venue does not say what was used."""
        del used
        return None

    def ledger(self, symbol: str | None) -> dict[str, Any]:
        """Return sums, bars and book of what was played so far, and the frames of every stream."""
        symbols = self.symbols()
        if symbol is not None and symbol not in symbols:
            raise SimulatorError(f"there is no symbol {symbol!r}")
        return {each: dict(self._entry(each)) for each in (symbols if symbol is None else [symbol])}

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

    def _found(self, name: str) -> None:
        self._names[name] = None

    def _entry(self, symbol: str) -> Iterator[tuple[str, Any]]:
        yield from self.trades_of(symbol).figures().items()
        yield "book", self.books.get(symbol, PlayedBook()).figures()
        yield (
            "frames",
            {
                stream.name: {"published": stream.published, "sent": stream.sent}
                for stream in self.streams
                if stream.published and stream.name.partition(":")[2] == symbol
            },
        )
