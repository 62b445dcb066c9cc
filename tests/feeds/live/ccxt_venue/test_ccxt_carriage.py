"""What is not listed, or does not speak yet, is stale; and which lists are believed."""

import asyncio

import pytest

from tests.feeds.live.ccxt_venue.ccxt_exchange import FakeExchange, RefusedError, live, market, run, trade, turns
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.live.carriage import SOON_SECONDS
from tickfloor.feeds.live.choosing.doubts import MOST_DOUBTS

REFRESH = 200.0
LISTED = ("A/USDT", "B/USDT", "C/USDT")
SOONER = {"refresh_seconds": REFRESH}
UNANSWERED = "the venue has not said what it trades"


def speak(floor, *symbols) -> None:
    """Have each trade once more, with the next id."""
    for symbol in symbols:
        floor.exchange.say_trades(symbol, trade(str(len(floor.exchange.trades.get(symbol, ())) + 1)))


def delist(exchange) -> None:
    del exchange.markets["B/USDT"]


def halt(exchange) -> None:
    exchange.markets["B/USDT"]["active"] = False


@pytest.mark.parametrize("end", [delist, halt])
@pytest.mark.parametrize("lost_before", [False, True])
def test_an_instrument_that_is_not_traded_any_more_is_stale_and_never_live_for_a_moment(end, lost_before):
    async def scene(loop):
        async with live(loop, FakeExchange(LISTED), changes=SOONER) as floor:
            speak(floor, *LISTED)
            await turns()
            assert floor.quality("B/USDT") is Quality.LIVE
            if lost_before:
                await asyncio.sleep(REFRESH - 1.0)
                floor.exchange.down = OSError("gone")
                floor.exchange.lose(OSError("gone"))
            end(floor.exchange)
            await asyncio.sleep(REFRESH)
            floor.exchange.down = None
            await asyncio.sleep(60.0)
            speak(floor, "A/USDT", "C/USDT")
            await asyncio.sleep(1.0)
            assert floor.quality("A/USDT") is Quality.LIVE
            marks = floor.marks("B/USDT")
            assert marks[marks.index(Quality.STALE) :] == [Quality.STALE]
            [said] = floor.said("no longer traded")
            assert said["symbols"] == "B/USDT"

    run(scene)


def test_what_is_not_traded_any_more_is_looked_for_soon_and_live_when_it_speaks_again():
    async def scene(loop):
        async with live(loop, FakeExchange(LISTED), changes=SOONER) as floor:
            speak(floor, *LISTED)
            halt(floor.exchange)
            await asyncio.sleep(REFRESH + 1.0)
            assert floor.quality("B/USDT") is Quality.STALE
            floor.exchange.markets["B/USDT"]["active"] = True
            await asyncio.sleep(SOON_SECONDS)
            assert floor.exchange.asked[-1] == ("watch_trades_for_symbols", ["A/USDT", "C/USDT", "B/USDT"])
            assert floor.quality("B/USDT") is Quality.STALE
            speak(floor, "B/USDT")
            await turns()
            assert floor.quality("B/USDT") is Quality.LIVE

    run(scene)


def test_when_other_instruments_are_chosen_those_that_stay_are_stale_until_they_speak():
    async def scene(loop):
        async with live(loop, changes=SOONER) as floor:
            speak(floor, "A/USDT", "B/USDT")
            floor.exchange.markets["C/USDT"] = market("C/USDT")
            await asyncio.sleep(REFRESH + 1.0)
            assert floor.marks("A/USDT")[-1:] == [Quality.STALE]
            speak(floor, "A/USDT")
            await turns()
            assert floor.quality("A/USDT") is Quality.LIVE
            # Before what it said, which rules may match with.
            said = [each.kind for each in floor.of("A/USDT") if each.kind in (Kind.QUALITY, Kind.TRADE)]
            assert said[-2:] == [Kind.QUALITY, Kind.TRADE]

    run(scene)


def test_what_a_predecessor_had_is_stale_though_the_exchange_does_not_answer():
    async def scene(loop):
        exchange = FakeExchange()
        exchange.unanswered = 1_000_000
        async with live(loop, exchange, inherited=("A/USDT", "B/USDT")) as floor:
            assert [floor.marks(symbol) for symbol in ("A/USDT", "B/USDT")] == [[Quality.STALE]] * 2

    run(scene)


def test_what_a_predecessor_had_is_live_when_all_its_streams_speak():
    async def scene(loop):
        async with live(loop, inherited=("A/USDT",), streams=("trades", "quotes")) as floor:
            speak(floor, "A/USDT")
            await asyncio.sleep(1.0)
            assert floor.marks("A/USDT") == [Quality.STALE]
            [named] = [each for each in floor.feed.report().not_live if each.symbol == "A/USDT"]
            assert named.reasons == ("no connection quotes-1",)
            floor.exchange.say_quote("A/USDT", 1.0, 2.0)
            await turns()
            assert floor.quality("A/USDT") is Quality.LIVE

    run(scene)


def test_what_a_predecessor_had_and_the_exchange_refuses_a_stream_of_is_never_live_for_a_moment():
    async def scene(loop):
        exchange = FakeExchange()
        exchange.down = {"watch_bids_asks": RefusedError("needs a key")}
        async with live(loop, exchange, inherited=("A/USDT",), streams=("trades", "quotes")) as floor:
            speak(floor, "A/USDT")
            await asyncio.sleep(1.0)
            assert floor.marks("A/USDT") == [Quality.STALE]

    run(scene)


def test_a_successor_carries_the_others_while_one_named_instrument_is_not_traded():
    async def scene(loop):
        exchange = FakeExchange(("A/USDT",))
        settings = {"symbols": ("A/USDT", "B/USDT")}
        async with live(loop, exchange, inherited=("A/USDT", "B/USDT"), **settings) as floor:
            speak(floor, "A/USDT")
            await turns()
            assert not floor.task.done()
            assert (floor.quality("A/USDT"), floor.quality("B/USDT")) == (Quality.LIVE, Quality.STALE)
            [said] = floor.said("not traded now")
            assert "'B/USDT'" in said["reason"]
            looks = exchange.looks
            await asyncio.sleep(SOON_SECONDS + 1.0)
            assert exchange.looks == looks + 1

    run(scene)


@pytest.mark.parametrize(
    ("listed", "reason"),
    [((), "its list is empty"), (("A/USDT",), "its list has 1 instruments, and had 3")],
)
def test_a_list_that_lost_most_disturbs_no_stream_and_is_asked_for_again(listed, reason):
    async def scene(loop):
        async with live(loop, FakeExchange(LISTED), changes=SOONER) as floor:
            speak(floor, *LISTED)
            whole = floor.exchange.markets
            floor.exchange.markets = {symbol: market(symbol) for symbol in listed}
            await asyncio.sleep(REFRESH + 0.3)
            assert {fields["reason"] for fields in floor.said(UNANSWERED)} == {reason}
            for _ in range(2):
                speak(floor, *LISTED)
                await turns()
            assert [floor.quality(symbol) for symbol in LISTED] == [Quality.LIVE] * 3
            floor.exchange.markets = whole
            await asyncio.sleep(60.0)
            looks = floor.exchange.looks
            await asyncio.sleep(30.0)
            assert floor.exchange.looks == looks
            assert [floor.marks(symbol)[1:] for symbol in LISTED] == [[]] * 3
            assert not floor.said("connections dropped")

    run(scene)


def test_an_empty_list_is_never_believed():
    async def scene(loop):
        async with live(loop, changes=SOONER) as floor:
            speak(floor, "A/USDT", "B/USDT")
            floor.exchange.markets = {}
            await asyncio.sleep(1000.0)
            assert len(floor.said(UNANSWERED)) > 2 * MOST_DOUBTS
            assert floor.quality("A/USDT") is Quality.LIVE

    run(scene)


def test_a_list_that_has_lost_most_and_stays_so_is_believed_in_the_end():
    async def scene(loop):
        async with live(loop, FakeExchange(LISTED), changes=SOONER) as floor:
            speak(floor, *LISTED)
            del floor.exchange.markets["B/USDT"], floor.exchange.markets["C/USDT"]
            await asyncio.sleep(REFRESH + 150.0)
            assert len(floor.said(UNANSWERED)) == MOST_DOUBTS
            speak(floor, "A/USDT")
            await turns()
            assert [floor.quality(symbol) for symbol in LISTED] == [Quality.LIVE, Quality.STALE, Quality.STALE]

    run(scene)


def test_a_first_list_on_which_everything_is_halted_is_asked_for_anew_until_something_is_traded():
    async def scene(loop):
        exchange = FakeExchange(("A/USDT",))
        exchange.markets["A/USDT"]["active"] = False
        async with live(loop, exchange) as floor:
            await asyncio.sleep(1.0)
            assert not exchange.asked
            exchange.markets = {"A/USDT": market("A/USDT")}
            await asyncio.sleep(60.0)
            assert exchange.asked == [("watch_trades_for_symbols", ["A/USDT"])]
            assert not floor.task.done()

    run(scene)
