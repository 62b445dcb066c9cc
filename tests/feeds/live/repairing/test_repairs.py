"""What is missing is asked for until it has come, and no more often than it helps."""

import asyncio
from collections import Counter
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.live import virtual_time
from tests.feeds.live.virtual_time import START_NS, VirtualLoop
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.backoff import Backoff
from tickfloor.feeds.live.repairing.repair_queue import RepairQueue
from tickfloor.feeds.live.repairing.repairs import LiveRepairs
from tickfloor.feeds.live.repairing.rest import Answer, RestError
from tickfloor.feeds.live.venue_feed import TICK_SECONDS
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import BacklogTrade, Channel, Missing, Request, StreamKey

PAGE = 100
ANSWER_SECONDS = 0.05
"""From a request to its answer; like all time here, of a loop that never waits."""


class FakeDialect:
    """Asks for trades by REST, and for books, unless they come with a subscription."""

    venue = "binance"

    def __init__(self, *, rest: bool = True) -> None:
        self.rest = rest

    def trades(self, symbol: str, missing: Missing) -> Request:
        return Request(f"/trades?symbol={symbol}&fromId={missing.first_id}", 1)

    def snapshot(self, symbol: str) -> Request | None:
        return Request(f"/depth?symbol={symbol}", 1) if self.rest else None


class Venue:
    """A venue with trades up to an id, whose REST side fails as told; its adapter is in the same object."""

    def __init__(self, loop: VirtualLoop, *, rest: bool = True, newest: int = 1_000) -> None:
        self.loop = loop
        self.newest = newest
        self.failures: list[int] = []
        self.malformed = 0
        self.too_old = 0
        self.sent: list[tuple[float, str]] = []
        self.resubscribed: list[StreamKey] = []
        self.books: list[str] = []
        self.queue = RepairQueue(self.fetch, weight_per_minute=6_000, clock=loop.utc_ns)
        self.repairs = LiveRepairs(
            FakeDialect(rest=rest), self.queue, clock=loop.utc_ns,
            backoff=lambda: Backoff(uniform=lambda _, most: most),
        )  # fmt: skip
        self.repairs.attach(self, self.resubscribed.extend)
        self.joins = TradeJoins(self.repairs)
        self.tape = FakeTape()
        publisher = MarketPublisher(self.tape, FakeBoard(), catalogue(), "binance", bar_slots=512)
        self.writer = publisher.open("BTCUSDT")
        self.joins.watch(self.writer)

    async def fetch(self, path: str) -> Answer:
        self.sent.append((round(self.loop.time(), 3), path))
        await asyncio.sleep(ANSWER_SECONDS)
        status = self.failures.pop(0) if self.failures else 200
        if not status:
            raise RestError("no connection")
        return Answer(status, {}, b"{}", self.loop.utc_ns(), path)

    def on_http(self, recv_ns: int, ref: str, body: bytes) -> None:
        url = urlsplit(ref)
        query = parse_qs(url.query)
        if self.malformed:
            self.malformed -= 1
            raise FrameError("not what was promised")
        if url.path == "/depth":
            if self.too_old:
                self.too_old -= 1
                self.repairs.book(query["symbol"][0])
            else:
                self.books.append(query["symbol"][0])
            return
        first = int(query["fromId"][0])
        ids = range(first, min(first + PAGE, self.newest + 1))
        trades = [BacklogTrade(START_NS + each, 1.0, 1.0, 1, each, 1, "1", "1") for each in ids]
        self.joins.backlog(self.writer, trades, recv_ns, trades[-1].trade_id, complete_from=first)

    def live(self, trade_id: int) -> None:
        self.writer.trade(START_NS + trade_id, self.loop.utc_ns(), 1.0, 1.0, 1, trade_id, 1)

    @property
    def ids(self) -> list[int]:
        return [int(record.c) for record in self.tape.records if record.kind == Kind.TRADE]

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.sent]

    async def work(self, seconds: float) -> None:
        """Let queue and joins work for a while."""
        working = asyncio.create_task(self.queue.run())
        end = self.loop.time() + seconds
        while self.loop.time() < end:
            self.joins.tick(self.loop.utc_ns())
            await asyncio.sleep(TICK_SECONDS)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working


def working(begin, seconds: float = 30.0, **more) -> Venue:
    """Let a test begin something, and everything work for a while in virtual time."""
    made = []

    async def main(loop: VirtualLoop) -> None:
        made.append(Venue(loop, **more))
        begin(made[0])
        await made[0].work(seconds)

    virtual_time.run(main)
    return made[0]


def a_hole(venue: Venue) -> None:
    venue.live(1)
    venue.live(351)


def test_a_hole_is_fetched_page_after_page_and_each_page_once():
    venue = working(a_hole)
    assert venue.ids == list(range(1, 402))
    pages = [int(path.rpartition("=")[2]) for _, path in venue.sent]
    assert pages == [2, 102, 202, 302]
    assert venue.writer.quality is Quality.LIVE
    assert venue.times[-1] < 0.5


@pytest.mark.parametrize("failures", [[0] * 3, [503] * 7, [429], [400], [404, 0, 500]])
def test_a_hole_is_filled_in_the_end_though_requests_fail(failures: list[int]):
    def begin(venue: Venue) -> None:
        venue.failures = list(failures)
        a_hole(venue)

    venue = working(begin, 120.0)
    assert sorted(venue.ids) == list(range(1, 402))
    assert venue.writer.quality is Quality.LIVE


def test_a_range_under_way_is_not_asked_for_again_not_even_a_part_of_it():
    def begin(venue: Venue) -> None:
        for first, last in ((2, 100), (2, 100), (5, 9), (90, 110)):
            venue.repairs.trades("BTCUSDT", Missing(first, last))
        venue.repairs.trades("ETHUSDT", Missing(2, 100))

    paths = Counter(path for _, path in working(begin, 0.2).sent)
    assert paths == {f"/trades?symbol={rest}": 1 for rest in
                     ("BTCUSDT&fromId=2", "BTCUSDT&fromId=90", "ETHUSDT&fromId=2")}  # fmt: skip


def test_a_book_is_asked_for_once_while_it_is_under_way():
    def begin(venue: Venue) -> None:
        for symbol in ("BTCUSDT", "ETHUSDT", "BTCUSDT"):
            venue.repairs.book(symbol)

    assert working(begin).books == ["BTCUSDT", "ETHUSDT"]


def test_a_book_that_was_too_old_is_fetched_again_ever_later():
    def begin(venue: Venue) -> None:
        venue.too_old = 5
        venue.repairs.book("BTCUSDT")

    venue = working(begin)
    assert venue.books == ["BTCUSDT"]
    assert venue.times == [0.0, 0.3, 0.85, 1.9, 3.95, 8.0]


def test_asking_while_a_book_is_under_way_makes_no_later_request_wait_longer():
    def begin(venue: Venue) -> None:
        venue.too_old = 1
        for _ in range(100):
            venue.repairs.book("BTCUSDT")

    assert working(begin).times == [0.0, 0.3]


def test_a_book_that_failed_or_cannot_be_read_is_asked_for_until_it_comes():
    def begin(venue: Venue) -> None:
        venue.failures = [500] * 20
        venue.malformed = 4
        venue.repairs.book("BTCUSDT")

    venue = working(begin, 300.0)
    assert venue.books == ["BTCUSDT"]
    statistics = venue.repairs.statistics()
    assert (statistics.failed, statistics.malformed, statistics.answered) == (2, 4, 1)


def test_a_book_that_the_venue_does_not_have_is_not_asked_for_again():
    def begin(venue: Venue) -> None:
        venue.failures = [400]
        venue.repairs.book("NOSUCH")

    venue = working(begin)
    assert (len(venue.sent), venue.repairs.statistics().failed) == (1, 1)


def test_a_book_that_comes_with_a_subscription_is_subscribed_anew():
    venue = working(lambda venue: venue.repairs.book("BTCUSDT"), 1.0, rest=False)
    assert venue.resubscribed == [StreamKey(Channel.BOOK, "BTCUSDT")]
    assert venue.repairs.statistics().resubscribed == 1
