"""The mark on an instrument stays until its last reason is gone."""

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.publishing.publisher import MarketPublisher

NOW = 1_700_000_000_000_000_000


def market() -> tuple[MarketPublisher, FakeTape]:
    tape = FakeTape()
    return MarketPublisher(tape, FakeBoard(), catalogue(), "fake", bar_slots=512), tape


def test_an_instrument_is_stale_for_as_long_as_there_is_a_reason_and_marked_once():
    publisher, tape = market()
    writer = publisher.open("A")
    staleness = Staleness(publisher.known)
    staleness.add("AB", "line", NOW)
    staleness.add("A", "stream", NOW)
    staleness.add("A", "stream", NOW)
    staleness.remove("AB", "line", NOW)
    assert writer.quality is Quality.STALE
    assert staleness.symbols == ("A",)
    staleness.remove("A", "stream", NOW)
    staleness.remove("A", "stream", NOW)
    assert writer.quality is not Quality.STALE
    marks = [record.code for record in tape.records if record.kind == Kind.QUALITY]
    assert marks.count(Quality.STALE) == 1


def test_an_instrument_that_becomes_known_later_is_marked_then():
    publisher, _ = market()
    staleness = Staleness(publisher.known)
    staleness.add("A", "line", NOW)
    writer = publisher.open("A")
    assert writer.quality is not Quality.STALE
    staleness.catch_up(NOW)
    assert writer.quality is Quality.STALE
    staleness.remove("A", "line", NOW)
    assert writer.quality is not Quality.STALE
