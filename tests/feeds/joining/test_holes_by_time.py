"""Exchanges whose REST side finds trades by time and not by id: holes of any size are filled all the same."""

import asyncio
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.live import virtual_time
from tests.feeds.live.virtual_time import START_NS, VirtualLoop
from tests.feeds.venues import coinbase_feed, kraken_feed
from tickfloor.contracts.records import Kind, Quality
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.live.repairing.repair_queue import RepairQueue
from tickfloor.feeds.live.repairing.repairs import LiveRepairs
from tickfloor.feeds.live.repairing.rest import Answer
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venues.table import adapter_of, dialect_of

SECOND = 1_000_000_000


class Kraken:
    """``Trades``: from after a time on, the oldest first."""

    symbol = "BTC/USD"

    def __init__(self, times: list[int]) -> None:
        self.times = times

    def frame(self, ids: list[int], kind: str = "update") -> bytes:
        # The stream's times have microseconds, and REST's are finer.
        items = [kraken_feed.trade(each, self.times[each] // 1_000 * 1_000, "1.5", "1") for each in ids]
        return kraken_feed.trades(*items, kind=kind)

    def answer(self, query: dict[str, str]) -> bytes:
        since, count = int(query.get("since", "0")), int(query["count"])
        found = [each for each, made_ns in enumerate(self.times) if made_ns > since]
        found = found[:count] if since else found[-count:]
        rows = ",".join(
            f'["1.5","1",{self.times[each] // SECOND}.{self.times[each] % SECOND:09},"b","m","",{each}]'
            for each in found
        )
        return f'{{"error":[],"result":{{"XXBTZUSD":[{rows}],"last":"0"}}}}'.encode()


class Coinbase:
    """``ticker``: of the seconds between two times, the newest first."""

    symbol = "BTC-USD"

    def __init__(self, times: list[int]) -> None:
        self.times = times

    def item(self, trade_id: int) -> dict[str, str]:
        return coinbase_feed.trade(trade_id, time_ns=self.times[trade_id])

    def frame(self, ids: list[int], kind: str = "update") -> bytes:
        self.frames = getattr(self, "frames", -1) + 1
        return coinbase_feed.trades(self.frames, *(self.item(each) for each in reversed(ids)), kind=kind)

    def answer(self, query: dict[str, str]) -> bytes:
        start, end = int(query.get("start", "0")) * SECOND, int(query.get("end", "9" * 9)) * SECOND
        found = [each for each, made_ns in enumerate(self.times) if start <= made_ns < end]
        return json.dumps({"trades": [self.item(each) for each in found[: -int(query["limit"]) - 1 : -1]]}).encode()


MODELS = {"kraken": Kraken, "coinbase": Coinbase}


class Floor:
    """An adapter whose repairs are answered by a model, in virtual time."""

    def __init__(self, loop: VirtualLoop, venue: str, times: list[int]) -> None:
        self.loop = loop
        self.model = MODELS[venue](times)
        self.paths: list[str] = []
        self.tape = FakeTape()
        self.publisher = MarketPublisher(self.tape, FakeBoard(), catalogue(), venue, bar_slots=512)
        dialect = dialect_of(VenueSettings(venue=venue))
        self.queue = RepairQueue(self.fetch, weight_per_minute=6_000, clock=loop.utc_ns)
        repairs = LiveRepairs(dialect, self.queue, clock=loop.utc_ns)
        self.joins = TradeJoins(repairs)
        self.adapter = adapter_of(venue, self.publisher, joins=self.joins, repairs=repairs, audit=None)
        repairs.attach(self.adapter, lambda keys: None)
        self.read = self.adapter.reader("ws1")

    async def fetch(self, path: str) -> Answer:
        self.paths.append(path)
        await asyncio.sleep(0.05)
        query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
        return Answer(200, {}, self.model.answer(query), self.loop.utc_ns(), path)

    def receive(self, *ids: int, kind: str = "update") -> None:
        self.read(self.loop.utc_ns(), self.model.frame(list(ids), kind))

    async def work(self, seconds: float) -> None:
        working = asyncio.create_task(self.queue.run())
        end = self.loop.time() + seconds
        while self.loop.time() < end:
            self.joins.tick(self.loop.utc_ns())
            await asyncio.sleep(0.05)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working

    @property
    def ids(self) -> list[int]:
        return [int(record.c) for record in self.tape.records if record.kind == Kind.TRADE]

    @property
    def quality(self) -> Quality:
        writer = self.publisher.known(self.model.symbol)
        assert writer is not None
        return writer.quality


def working(venue: str, times: list[int], begin, seconds: float = 30.0) -> Floor:
    made = []

    async def main(loop: VirtualLoop) -> None:
        made.append(Floor(loop, venue, times))
        begin(made[0])
        await made[0].work(seconds)

    virtual_time.run(main)
    return made[0]


def evenly(count: int, apart_ns: int = 20_000_123) -> list[int]:
    """Return times of so many trades up to now."""
    return [START_NS - (count - each) * apart_ns for each in range(count)]


@pytest.mark.parametrize("venue", MODELS)
@pytest.mark.parametrize("live", [[3, 4_500], [3, 999, 3_000, 4_500], [0, 2, 4_500]])
def test_a_hole_of_thousands_of_trades_is_fetched_page_after_page(venue, live):
    floor = working(venue, evenly(4_501), lambda floor: [floor.receive(each) for each in live])
    assert floor.ids == list(range(live[0], 4_501))
    assert floor.quality is Quality.LIVE
    assert len(floor.paths) <= 7


@pytest.mark.parametrize("venue", MODELS)
def test_a_hole_after_the_first_snapshot_is_filled_from_where_the_snapshot_ends(venue):
    def begin(floor: Floor) -> None:
        floor.receive(*range(10, 60), kind="snapshot")
        floor.receive(2_999)

    floor = working(venue, evenly(3_000), begin)
    assert floor.ids == list(range(60, 3_000))
    assert len(floor.paths) <= 4


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(sorted(MODELS)),
    st.lists(st.sampled_from([0, 0, 1, 999, 1_000, 250_000, 400_000_000]), min_size=30, max_size=200),
    st.data(),
)
def test_whatever_was_received_everything_between_is_published_once(venue, gaps, data):
    times, now = [], START_NS - 100 * SECOND
    for gap in gaps:
        # Many trades in the same moment: only their ids tell them apart.
        now += gap
        times += [now] * 4
    live = sorted(data.draw(st.sets(st.integers(0, len(times) - 1), min_size=2, max_size=8)))
    floor = working(venue, times[: live[-1] + 1], lambda floor: [floor.receive(each) for each in live], seconds=10.0)
    assert floor.ids == list(range(live[0], live[-1] + 1))
    assert floor.quality is Quality.LIVE
