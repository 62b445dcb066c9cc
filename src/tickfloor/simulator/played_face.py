"""What faces over captures share whose snapshots come in band: what was played is what can be asked for."""

from abc import abstractmethod
from collections import Counter
from typing import Any, Final

import msgspec

from tickfloor.feeds.errors import FrameError
from tickfloor.simulator.captured_face import CapturedFace
from tickfloor.simulator.conditions import Conditions
from tickfloor.simulator.played_book import PlayedBook
from tickfloor.simulator.played_trades import PlayedTrades
from tickfloor.simulator.rfc3339_text import rfc3339
from tickfloor.simulator.settings import SimulatorSettings
from tickfloor.simulator.stream import Streams

WIRE_DECIMALS: Final = 8
"""Of a symbol of which nothing was recorded that shows them."""
_UNREADABLE: Final = (msgspec.MsgspecError, FrameError, ValueError)


class PlayedFace(CapturedFace):
    """Trades, books and last states by symbol; see RecordedFace.

    A stream is named by channel and symbol, for example ``book:BTC/USD``.

    Attributes:
        books: those of which a snapshot was played, by symbol.
        last: the newest frame of every stream whose frames say all there is to say, by stream.
        unread: frames and answers that could not be read; they are sent as they were all the same.
    """

    def __init__(self, venue: str, settings: SimulatorSettings, conditions: Conditions, streams: Streams) -> None:
        super().__init__(venue, conditions, streams)
        self.settings = settings
        self.unread = 0
        self.books: dict[str, PlayedBook] = {}
        self.last: dict[str, bytes] = {}
        self._trades: dict[str, PlayedTrades] = {}
        self._decimals: dict[str, Counter[str]] = {}

    # What each venue reads in its own way

    @abstractmethod
    def name_of(self, payload: bytes) -> tuple[str, str] | None:
        """Return channel and symbol of a frame with data, or None for anything else."""

    @abstractmethod
    def know_frame(self, channel: str, symbol: str, payload: bytes) -> None:
        """Note what a frame tells of its symbol before anything is served.

        Raises:
            MsgspecError, FrameError, ValueError: it is malformed.
        """

    @abstractmethod
    def know_body(self, ref: str, body: bytes) -> None:
        """Note a recorded REST answer.

        Raises:
            MsgspecError, FrameError, ValueError: it is malformed.
        """

    @abstractmethod
    def take(self, channel: str, symbol: str, payload: bytes) -> None:
        """Take in a frame as it is played.

        Raises:
            MsgspecError, FrameError, ValueError: it is malformed.
        """

    def know_answer(self, payload: bytes) -> None:
        """Note an answer or the like; most say nothing that is needed."""

    def as_sent(self, payload: bytes) -> bytes:
        """Return a frame as its stream takes it."""
        return payload

    # The capture

    def know(self, recv_ns: int, kind: str, ref: str, payload: bytes) -> None:
        """Note a stream's name and what its frames tell, or a body."""
        self.now_ns = self.now_ns or recv_ns
        try:
            if kind == "H":
                self.know_body(ref, payload)
            elif kind == "F":
                named = self.name_of(payload)
                if named is None:
                    self.know_answer(payload)
                else:
                    self._names[":".join(named)] = None
                    self.know_frame(*named, payload)
        except _UNREADABLE:
            self.unread += 1

    def play(self, recv_ns: int, payload: bytes) -> None:
        """Send a frame as it was; answers, heartbeats and the like everybody gets of their own."""
        self.now_ns = max(self.now_ns, recv_ns)
        named = self.name_of(payload)
        if named is None:
            return
        try:
            self.take(*named, payload)
        except _UNREADABLE:
            self.unread += 1
        self.send(":".join(named), self.as_sent(payload))

    # What there is of it

    def symbol_of(self, stream: str) -> str:
        """Return the symbol that a stream's name names."""
        return stream.partition(":")[2]

    def trades_of(self, symbol: str) -> PlayedTrades:
        """Return what was traded of a symbol."""
        found = self._trades.get(symbol)
        if found is None:
            found = self._trades[symbol] = PlayedTrades()
        return found

    def note_decimals(self, symbol: str, price: str, qty: str) -> None:
        """Note how finely a price and a quantity are written."""
        found = self._decimals.setdefault(symbol, Counter())
        for name, text in (("price", price), ("qty", qty)):
            found[name] = max(found[name], len(text.partition(".")[2]))

    def decimals_of(self, symbol: str) -> tuple[int, int]:
        """Return how many decimals prices and quantities have."""
        found = self._decimals.get(symbol, Counter(price=WIRE_DECIMALS, qty=WIRE_DECIMALS))
        return found["price"], found["qty"]

    def stamp(self, decimals: int) -> str:
        """Return the market's time as venues write it."""
        return rfc3339(self.now_ns, decimals)

    def weight_header(self, used: int) -> tuple[str, str] | None:
        """Return None: the venue does not say what was used."""
        del used
        return None

    def figures(self, symbol: str) -> dict[str, Any]:
        """Return sums, bars and book of what was played so far."""
        book = self.books.get(symbol, PlayedBook())
        return self.trades_of(symbol).figures() | {"book": book.figures()}
