"""An adapter with a tape and a board in memory."""

from tests.feeds.fakes import FakeBoard, FakeTape, Record, catalogue
from tickfloor.contracts.records import Kind
from tickfloor.feeds.audit import Audit
from tickfloor.feeds.binance.adapter import BinanceAdapter
from tickfloor.feeds.publisher import MarketPublisher


class Feed:
    def __init__(self, venue: str = "binance", *, depth: int = 500, capacity: int = 1000, audit: bool = False) -> None:
        self.tape = FakeTape()
        self.board = FakeBoard(depth=depth, capacity=capacity)
        self.audit = Audit() if audit else None
        self.publisher = MarketPublisher(
            self.tape, self.board, catalogue(), venue, bar_slots=self.board.ring, observer=self.audit
        )
        self.adapter = BinanceAdapter(venue, self.publisher, audit=self.audit)

    def send(self, recv_ns: int, *payloads: bytes) -> list[Record]:
        """Give frames to the adapter, flush, and return the records they made."""
        before = self.tape.sequence
        for payload in payloads:
            self.adapter.on_frame(recv_ns, payload)
        self.publisher.flush()
        return self.tape.records[before:]

    def kinds(self) -> list[Kind]:
        return [Kind(record.kind) for record in self.tape.records]
