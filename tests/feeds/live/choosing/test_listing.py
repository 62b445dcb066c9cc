"""What a venue's list of instruments makes of the settings, and which lists are believed."""

import asyncio
import json

import pytest

from tests.feeds.live import virtual_time
from tests.feeds.live.venue import FakeAdapter, FakeDialect, Lines, keys
from tickfloor.contracts.settings import VenueSettings
from tickfloor.feeds.live.choosing.doubts import MOST_DOUBTS
from tickfloor.feeds.live.choosing.listing import Listing
from tickfloor.feeds.live.choosing.universe import UnknownSymbolsError
from tickfloor.feeds.live.repairing.rest import Answer


class Questions:
    """Answers at once with the next list of symbols, again and again with the last one; notes what is allowed."""

    def __init__(self, *lists: str) -> None:
        self.allowed: list[int] = []
        self.lists = list(lists)
        self.asked = 0

    async def get(self, request) -> Answer:
        self.asked += 1
        symbols = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        return Answer(200, {}, json.dumps([[symbol, "USDT"] for symbol in symbols]).encode(), 5, request.path)

    def allow(self, weight_per_minute: int) -> None:
        self.allowed.append(weight_per_minute)


class WeighingDialect(FakeDialect):
    def weight_allowed(self, body: bytes) -> int | None:
        return 1200


def first(dialect: FakeDialect, *streams: str):
    questions, log, adapter = Questions("AB"), Lines(), FakeAdapter()
    settings = VenueSettings(venue="fake", streams=streams)
    listing = Listing(settings, adapter=adapter, dialect=dialect, questions=questions, log=log)
    choice = asyncio.run(listing.first(()))
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


def looks(questions: Questions, count: int, known=(), **settings):
    """Look so often at what is traded, in virtual time, and return the choices, the log and what the adapter got."""
    log, adapter = Lines(), FakeAdapter()

    async def main(_):
        listing = Listing(
            VenueSettings(venue="fake", streams=("trades",), **settings), adapter=adapter, dialect=FakeDialect(),
            questions=questions, log=log,
        )  # fmt: skip
        choices = [await listing.first(known)]
        while len(choices) < count:
            choices.append(await listing.again(choices[-1].symbols))
        return ["".join(choice.symbols) for choice in choices]

    return virtual_time.run(main), [fields for level, _, fields in log if level == "warning"], adapter


def test_an_empty_list_is_never_believed():
    choices, warnings, adapter = looks(Questions("", "AB", *[""] * 30, "ABC"), 2)
    assert choices == ["AB", "ABC"]
    assert [fields["reason"] for fields in warnings] == ["its list is empty"] * 31
    assert len(adapter.bodies) == 2


def test_a_list_that_lost_most_of_what_it_had_is_asked_for_again():
    choices, warnings, adapter = looks(Questions("ABCDEF", "AB", "ABCDE"), 2)
    assert choices == ["ABCDEF", "ABCDE"]
    assert [fields["reason"] for fields in warnings] == ["its list has 2 instruments, and had 6"]
    assert len(adapter.bodies) == 2


def test_a_list_that_has_lost_most_and_stays_so_is_believed_in_the_end():
    choices, warnings, _ = looks(Questions("ABCDEF", "AB"), 3)
    assert choices == ["ABCDEF", "AB", "AB"]
    assert len(warnings) == MOST_DOUBTS


def test_what_a_predecessor_had_and_is_not_traded_now_is_said_and_the_others_are_had():
    choices, warnings, _ = looks(Questions("AC"), 1, known=("A", "B"), symbols=("A", "B"))
    assert choices == ["A"]
    assert "'B'" in warnings[0]["reason"]


def test_without_a_predecessor_what_is_not_traded_is_an_error():
    with pytest.raises(UnknownSymbolsError):
        looks(Questions("AC"), 1, symbols=("A", "B"))


def test_what_a_predecessor_had_keeps_its_place_among_the_most_traded():
    class Ranked(Questions):
        async def get(self, request) -> Answer:
            if request.path == "/volumes":
                return Answer(200, {}, b'{"A": 3.0, "B": 2.0, "C": 1.0}', 5, request.path)
            return await super().get(request)

    assert looks(Ranked("ABC"), 1, top=2)[0] == ["AB"]
    assert looks(Ranked("ABC"), 1, known=("B", "C"), top=2)[0] == ["BC"]
