"""An adapter with a tape and a board in memory."""

from tests.feeds.fakes import FakeBoard, FakeTape, Record, catalogue
from tickfloor.contracts.records import Kind
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.audit import Audit
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import Control, Missing
from tickfloor.feeds.venues.binance.adapter import BinanceAdapter


class Asked:
    """Repairs that only note what was asked for."""

    def __init__(self) -> None:
        self.books: list[str] = []
        self.ranges: list[tuple[str, int, int]] = []

    def trades(self, symbol: str, missing: Missing) -> None:
        self.ranges.append((symbol, missing.first_id, missing.last_id))

    def book(self, symbol: str) -> None:
        self.books.append(symbol)


class Feed:
    def __init__(self, venue: str = "binance", *, depth: int = 500, capacity: int = 1000, audit: bool = False) -> None:
        self.tape = FakeTape()
        self.board = FakeBoard(depth=depth, capacity=capacity)
        self.audit = Audit() if audit else None
        self.publisher = MarketPublisher(
            self.tape, self.board, catalogue(), venue, bar_slots=self.board.ring, observer=self.audit
        )
        self.asked = Asked()
        self.joins = TradeJoins(self.asked, hold_ns=0, audit=self.audit)
        self.adapter = BinanceAdapter(venue, self.publisher, joins=self.joins, repairs=self.asked, audit=self.audit)
        self.read = self.adapter.reader("ws1")
        self.controls: list[Control] = []

    def send(self, recv_ns: int, *payloads: bytes) -> list[Record]:
        """Give frames to the adapter, flush, and return the records they made."""
        before = self.tape.sequence
        for payload in payloads:
            control = self.read(recv_ns, payload)
            if control is not None:
                self.controls.append(control)
        self.publisher.flush()
        return self.tape.records[before:]

    def kinds(self) -> list[Kind]:
        return [Kind(record.kind) for record in self.tape.records]
