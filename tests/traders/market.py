"""A market that a feed publishes on a real board, and the records of its tape."""

import os
from random import Random

from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.segment import read_only
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import RECORD, Side
from tickfloor.feeds.publishing.publisher import MarketPublisher

START_NS = 1_699_919_400_000_000_000  # ten minutes before midnight
MINUTE_NS = 60_000_000_000


class ListTape:
    def __init__(self) -> None:
        self.sequence = 0
        self.records: list[bytes] = []

    def append(self, ts_event, ts_init, instrument, kind, code, flags, a, b, c, d) -> None:
        self.records.append(RECORD.pack(self.sequence, ts_event, ts_init, instrument, kind, code, flags, a, b, c, d))
        self.sequence += 1

    def publish(self) -> None:
        pass


class BoardMarket:
    """Random trading of some instruments; what is published, is so by a feed's own publisher."""

    def __init__(self, random: Random, *, depth: int, longest_step_ms: int, late: bool = True) -> None:
        self.random = random
        self.longest_step_ms = longest_step_ms
        self.late = late
        self.fd = create_board("board", BoardLayout(2, depth), 1)
        self.writer = BoardWriter(self.fd, run_id=1, incarnation=1)
        self.eyes = read_only(self.fd)
        self.reader = BoardReader(self.eyes, run_id=1)
        self.tape = ListTape()
        self.instruments: list[Instrument] = []
        self.publisher = MarketPublisher(
            self.tape, self.writer, self.assign, "binance", bar_slots=self.writer.layout.ring
        )
        self.symbols = ["BTCUSDT", "ETHUSDT"]
        self.trade_ids = dict.fromkeys(self.symbols, 0)
        self.price = 100.0
        self.now_ns = START_NS

    def assign(self, venue: str, symbol: str) -> Instrument:
        self.instruments.append(Instrument(len(self.instruments), venue, symbol))
        return self.instruments[-1]

    def describe(self, row: int) -> Instrument:
        return self.instruments[row]

    def step(self) -> None:
        random = self.random
        self.now_ns += 1_000_000 * random.choice([0, random.randrange(2_000), random.randrange(self.longest_step_ms)])
        symbol = random.choice(self.symbols)
        what = random.random()
        writer = self.publisher.open(symbol)
        if what < 0.8 or not writer.trades:
            self.trade(symbol, late=self.late and what > 0.65 and writer.trades > 0)
        elif what < 0.9:
            bid = self.price - random.random()
            writer.quote(self.now_ns, self.now_ns, bid, 1.5, bid + random.random(), 2.0)
        else:
            writer.stats(self.now_ns, self.now_ns, (self.price, 200.0, 50.0, 1.0), (random.random(), 3.0, 7.0))

    def trade(self, symbol: str, *, late: bool = False) -> None:
        random = self.random
        self.price = max(50.0, self.price + random.uniform(-1, 1))
        at = self.now_ns
        if late:
            at = max(START_NS, at - random.randrange(1, 12) * MINUTE_NS)
        self.publisher.open(symbol).trade(
            at, self.now_ns, self.price, random.uniform(0.1, 5.0), random.choice(list(Side)), self.trade_ids[symbol], 1
        )
        self.trade_ids[symbol] += 1

    def batch(self, events: int) -> None:
        for _ in range(events):
            self.step()
        self.publisher.flush()

    def close(self) -> None:
        self.reader.close()
        self.writer.close()
        os.close(self.eyes)
        os.close(self.fd)
