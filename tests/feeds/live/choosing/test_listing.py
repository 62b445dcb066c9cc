"""What a venue's list of instruments makes of the settings."""

import asyncio
import json

from tests.feeds.live.venue import FakeAdapter, FakeDialect, Lines, keys
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.live.choosing.listing import Listing
from tickfloor.feeds.live.repairing.rest import Answer


class Questions:
    """Answers at once, and notes what is allowed."""

    def __init__(self) -> None:
        self.allowed: list[int] = []

    async def get(self, request) -> Answer:
        return Answer(200, {}, json.dumps([["A", "USDT"], ["B", "USDT"]]).encode(), 5, request.path)

    def allow(self, weight_per_minute: int) -> None:
        self.allowed.append(weight_per_minute)


class WeighingDialect(FakeDialect):
    def weight_allowed(self, body: bytes) -> int | None:
        return 1200


def first(dialect: FakeDialect, *streams: str):
    questions, log, adapter = Questions(), Lines(), FakeAdapter()
    settings = VenueSettings(venue="fake", streams=streams)
    listing = Listing(settings, adapter=adapter, dialect=dialect, questions=questions, log=log)
    choice = asyncio.run(listing.first())
    warnings = [event for level, event, _ in log if level == "warning"]
    return choice, questions, adapter, warnings


def test_what_the_venue_allows_is_taken_from_its_list():
    assert first(WeighingDialect(), "trades")[1].allowed == [1200]
    assert first(FakeDialect(), "trades")[1].allowed == []


def test_streams_that_come_along_with_others_are_neither_asked_for_nor_missed():
    choice, _, _, warnings = first(FakeDialect(), "trades", "quotes", "tickers")
    assert choice.keys == keys("trades A", "quotes A", "trades B", "quotes B")
    assert warnings == []


def test_streams_that_the_venue_lacks_are_said():
    choice, _, adapter, warnings = first(FakeDialect(), "trades", "bars")
    assert choice.symbols == ("A", "B")
    assert warnings == ["the venue lacks streams"]
    assert [ref for ref, _ in adapter.bodies] == ["/instruments"]
