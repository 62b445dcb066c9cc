"""A venue in virtual time, from its trades to what is done about a stream that does not bring them."""

import asyncio
import json
from random import Random
from urllib.parse import parse_qs, urlsplit

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.live import virtual_time
from tests.feeds.live.venue import FakeDialect, key
from tests.feeds.live.venue import Lines as LogLines
from tests.feeds.live.virtual_time import VirtualLoop
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.repairing.repair_queue import RepairQueue
from tickfloor.feeds.live.repairing.repairs import LiveRepairs
from tickfloor.feeds.live.repairing.rest import Answer
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.live.watching.rerouting import Rerouting
from tickfloor.feeds.live.watching.seen_market import SeenMarket
from tickfloor.feeds.live.watching.watchdog import Patience
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import BacklogTrade, Channel, StreamKey

SECOND = 1_000_000_000
WATCHED, LIVELY = key("trades WATCHED"), key("trades LIVELY")


class Line:
    """The connection that has all streams."""

    name = "all-1"
    keys = (WATCHED, LIVELY)

    def __init__(self, reconnect) -> None:
        self.reconnect = reconnect


class Venue:
    """Two instruments: one that is watched, and one that may be lively, by which the venue's clock is seen.

    Attributes:
        ahead: seconds of the venue's clock to ours; way: of what it sends to us.
        deaf: streams that are accepted and silent.
        moved: when a stream, or all of them, were carried another way; seconds of the loop.
    """

    def __init__(self, loop: VirtualLoop, ahead: float, way: float) -> None:
        self.loop = loop
        self.ahead = ahead
        self.way = way
        self.heard: dict[StreamKey, int] = {}
        self.trades: dict[str, list[int]] = {"WATCHED": [], "LIVELY": []}
        self.deaf: set[StreamKey] = set()
        self.moved: list[float] = []
        self.since: dict[StreamKey, int] = {}
        self.publisher = MarketPublisher(FakeTape(), FakeBoard(), catalogue(), "fake", bar_slots=512)
        self.queue = RepairQueue(self.fetch, weight_per_minute=6_000, clock=loop.utc_ns)
        dialect = FakeDialect()
        repairs = LiveRepairs(dialect, self.queue, clock=loop.utc_ns)
        repairs.attach(self, lambda keys: None)
        self.joins = TradeJoins(repairs)
        self.rerouting = Rerouting(
            self, Staleness(self.publisher.known), adapter=self, dialect=dialect, joins=self.joins,
            market=SeenMarket(self.publisher), questions=self.queue, now=loop.utc_ns, log=LogLines(),
            patience=Patience(),
        )  # fmt: skip

    # Its lines

    def accept(self) -> None:
        self.since = dict.fromkeys((WATCHED, LIVELY), self.loop.utc_ns())

    def lose(self) -> None:
        self.since = {}

    def accepted(self) -> dict[StreamKey, int]:
        return self.since

    def of(self, stream: StreamKey) -> Line:
        return Line(lambda: self.move(stream))

    def move(self, stream: StreamKey) -> None:
        self.moved.append(self.loop.time())

    # Its market

    @property
    def clock_ns(self) -> int:
        return self.loop.utc_ns() + round(self.ahead * 1e9)

    def trade(self, symbol: str) -> None:
        made = self.trades[symbol]
        made.append(self.clock_ns)
        stream = StreamKey(Channel.TRADES, symbol)
        if stream in self.since and stream not in self.deaf:
            self.loop.call_later(self.way, self.receive, stream, len(made), made[-1])

    def receive(self, stream: StreamKey, number: int, made_ns: int) -> None:
        now = self.loop.utc_ns()
        writer = self.publisher.open(stream.symbol)
        self.joins.watch(writer)
        try:
            writer.trade(made_ns, now, 1.0, 1.0, 1, number, 1)
        except FrameError:
            # Its time is too far from what was seen of the venue's clock so far.
            return
        self.heard[stream] = now

    async def fetch(self, path: str) -> Answer:
        url = urlsplit(path)
        query = parse_qs(url.query)
        [symbol] = query["symbol"]
        made = self.trades[symbol]
        first = int(query["from"][0]) if url.path == "/trades" else len(made)
        body = [[number, made[number - 1]] for number in range(max(1, first), len(made) + 1)]
        await asyncio.sleep(self.way)
        return Answer(200, {}, json.dumps(body).encode(), self.loop.utc_ns(), path)

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        if trades := json.loads(body):
            writer = self.publisher.open(parse_qs(urlsplit(ref).query)["symbol"][0])
            told = [BacklogTrade(made_ns, 1.0, 1.0, 1, number, 1, "1", "1") for number, made_ns in trades]
            self.joins.backlog(writer, told, recv_ns)

    # Its time

    async def pass_seconds(self, seconds: int, watched=lambda: False, lively=lambda: True) -> None:
        """Let it trade, look at it every second, and stop where a stream was moved."""
        working = asyncio.create_task(self.queue.run())
        for _ in range(seconds):
            for symbol, trades in (("WATCHED", watched), ("LIVELY", lively)):
                if trades():
                    self.trade(symbol)
            await asyncio.sleep(1.0)
            self.joins.tick(self.loop.utc_ns())
            self.rerouting.look(self.loop.utc_ns())
            if self.moved:
                break
        working.cancel()
        await asyncio.wait({working})


def in_venue(test, ahead: float = 0.0, way: float = 0.1) -> Venue:
    """Run a test with a venue to its end and return the venue."""
    made = []

    async def main(loop: VirtualLoop) -> None:
        made.append(Venue(loop, ahead, way))
        await test(made[0])

    virtual_time.run(main)
    return made[0]


CLOCKS = st.sampled_from([0.0, 1.27, -1.27, 30.0, -30.0, 3000.0, -3000.0])
WAYS = st.floats(0.01, 0.9)


@settings(max_examples=40, deadline=None)
@given(ahead=CLOCKS, way=WAYS, before=st.booleans(), rate=st.sampled_from([0.3, 1.0]), seed=st.integers(0, 1 << 32))
def test_a_stream_that_never_spoke_is_found_by_the_first_answer_where_the_venue_s_clock_is_seen(
    ahead, way, before, rate, seed
):
    draw = Random(seed).random

    async def test(venue: Venue) -> None:
        venue.accept()
        if before:
            # It spoke on an earlier connection, and traded on while there was none.
            await venue.pass_seconds(30, watched=lambda: True)
            venue.lose()
            await venue.pass_seconds(5, watched=lambda: True)
        else:
            await venue.pass_seconds(5)
        venue.deaf.add(WATCHED)
        venue.accept()
        begun = venue.loop.time()
        await venue.pass_seconds(60, watched=lambda: draw() < rate)
        [moved] = venue.moved
        venue.moved = [moved - begun]

    # Where our clock seems ahead of the venue's, that much later is what counts as clearly made after.
    venue = in_venue(test, ahead, way)
    [seconds] = venue.moved
    assert 20 <= seconds <= (25 if ahead >= -1.27 else 50)


@settings(max_examples=60, deadline=None)
@given(
    ahead=CLOCKS, way=WAYS, lively=st.sampled_from([0.0, 0.01, 0.2, 1.0]), earlier=st.integers(0, 3),
    losses=st.integers(0, 3), seed=st.integers(0, 1 << 32),
)  # fmt: skip
@example(ahead=3000.0, way=0.9, lively=0.2, earlier=3, losses=3, seed=0)
def test_an_instrument_that_does_not_trade_is_never_rerouted(ahead, way, lively, earlier, losses, seed):
    """Whatever its clock, and however often the connection is lost; trades are made while there is none only."""
    draw = Random(seed).random

    async def test(venue: Venue) -> None:
        for _ in range(earlier):
            venue.trade("WATCHED")
            await asyncio.sleep(1.0)
        for _ in range(1 + losses):
            await venue.pass_seconds(10, watched=lambda: draw() < 0.5, lively=lambda: draw() < lively)
            # What is under way has been traded before, however late it comes.
            venue.accept()
            await venue.pass_seconds(round(300 * draw()), lively=lambda: draw() < lively)
            venue.lose()

    assert in_venue(test, ahead, way).moved == []


@settings(max_examples=40, deadline=None)
@given(ahead=CLOCKS, way=WAYS, rate=st.sampled_from([0.003, 0.02, 0.1, 1.0]), seed=st.integers(0, 1 << 32))
def test_a_stream_that_brings_its_trades_is_never_rerouted(ahead, way, rate, seed):
    draw = Random(seed).random

    async def test(venue: Venue) -> None:
        for _ in range(3):
            venue.accept()
            await venue.pass_seconds(400, watched=lambda: draw() < rate, lively=lambda: draw() < 0.5)
            venue.lose()
            await venue.pass_seconds(7, watched=lambda: draw() < rate)

    assert in_venue(test, ahead, way).moved == []


def test_where_the_venue_s_clock_is_not_seen_a_second_answer_is_needed():
    async def test(venue: Venue) -> None:
        venue.accept()
        venue.deaf.update((WATCHED, LIVELY))
        venue.trade("WATCHED")
        await venue.pass_seconds(40, watched=lambda: True, lively=lambda: False)
        assert venue.moved == []
        await venue.pass_seconds(20, watched=lambda: True, lively=lambda: False)
        assert venue.moved != []

    in_venue(test)
