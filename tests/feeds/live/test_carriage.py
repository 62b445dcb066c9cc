"""What is chosen and not carried is stale, whatever the reason."""

from tests.feeds.live.test_venue_feed import Floor, floor, until_traded
from tests.feeds.live.venue import Client, Lines, key, keys, run
from tickfloor.board.row import empty_row
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.live.carriage import Carriage
from tickfloor.feeds.live.choosing.listing import Choice
from tickfloor.feeds.live.repairing.rest import Answer
from tickfloor.feeds.live.staleness import Staleness
from tickfloor.feeds.venue import StreamKey
from tickfloor.market.bars import FormingBars


def test_an_empty_list_ends_no_stream():
    async def main():
        async with floor("AB", refresh=0.05) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)
            [client] = live.venue.open
            live.market.listed = []
            asked = live.asked("/instruments") + len(live.said("the venue has not said what it trades"))

            def looked() -> bool:
                seen = live.asked("/instruments") + len(live.said("the venue has not said what it trades"))
                return seen >= asked + 3 or client.closed

            await live.venue.until(looked)
            assert client.subscribed() == {key("trades A"), key("trades B")}
            assert not client.closed

    run(main())


def test_an_instrument_that_is_not_listed_any_more_is_not_live():
    async def main():
        async with floor("AB", refresh=0.05) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)
            [client] = live.venue.open
            live.market.listed = [["A", "USDT"]]
            await live.venue.until(lambda: client.subscribed() == {key("trades A")})
            await until_traded(live, "A", lambda: client.asked[-1]["op"] in ("unsub", "list"))
            assert live.quality("B") is Quality.STALE

    run(main())


def test_an_instrument_that_is_not_listed_any_more_while_it_is_stale_does_not_become_live():
    async def main():
        async with floor("AB", refresh=0.05) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)
            live.venue.welcome = False
            live.venue.open[0].cut()
            await live.venue.until(lambda: live.quality("A") is live.quality("B") is Quality.STALE)
            live.market.listed = [["A", "USDT"]]
            asked = live.asked("/instruments")
            await live.venue.until(lambda: live.asked("/instruments") >= asked + 2)
            assert live.quality("B") is Quality.STALE

    run(main())


def test_a_successor_carries_the_others_while_one_named_instrument_is_halted():
    async def main():
        settings = {"streams": ("trades",), "symbols": ("A", "B")}
        async with floor("A", settings=settings) as live:
            inherit(live, "A", "B")
            await until_traded(live, "A", lambda: live.quality("A") is Quality.LIVE)
            assert not live.task.done()
            assert live.quality("B") is Quality.STALE
            [said] = live.said("not traded now")
            assert "'B'" in said["reason"]

    run(main())


def test_a_successor_that_is_not_told_what_is_traded_says_at_once_that_nothing_is_received():
    async def main():
        banned = Answer(418, {"retry-after": "600"}, b"", 1, "/instruments")
        async with floor("A", failures=[banned]) as live:
            inherit(live, "A")
            await live.venue.until(lambda: live.tape.published)
            marks = [Quality(record.code) for record in live.tape.records if record.kind == Kind.QUALITY]
            assert marks == [Quality.STALE]
            assert not live.venue.open

    run(main())


def test_a_successor_s_instrument_is_live_again_when_all_its_streams_are_carried():
    async def main():
        async with floor("A", settings={"streams": ("trades", "quotes")}, streams_per_message=1) as live:
            inherit(live, "A")

            def only_trades(client: Client, said: dict) -> None:
                if said["keys"] != [["quotes", "A"]]:
                    live.venue.obey(client, said)

            live.venue.answer = only_trades
            await until_traded(live, "A", lambda: live.published("A") > 20)
            assert live.quality("A") is Quality.STALE
            [client] = live.venue.open
            for said in client.asked:
                if said["keys"] == [["quotes", "A"]]:
                    live.venue.obey(client, said)
            await until_traded(live, "A", lambda: live.quality("A") is Quality.LIVE)

    run(main())


def test_a_successor_s_instrument_of_which_a_stream_is_refused_is_not_live_for_a_moment():
    async def main():
        settings = {"streams": ("trades", "quotes")}
        async with floor("A", settings=settings, streams_per_message=1, ack_seconds=0.1) as live:
            inherit(live, "A")

            def only_trades(client: Client, said: dict) -> None:
                if said["keys"] == [["quotes", "A"]]:
                    client.say(no=said["id"], why="no such channel")
                else:
                    live.venue.obey(client, said)

            live.venue.answer = only_trades
            await until_traded(live, "A", lambda: live.said("stream refused"))
            marks = [Quality(record.code) for record in live.tape.records if record.kind == Kind.QUALITY]
            assert marks == [Quality.STALE]

    run(main())


def test_an_instrument_that_is_listed_again_is_stale_until_it_is_carried():
    async def main():
        async with floor("AB", refresh=0.05) as live:
            await until_traded(live, "AB", lambda: live.quality("A") == live.quality("B") == Quality.LIVE)
            [client] = live.venue.open
            live.market.listed = [["A", "USDT"]]
            await live.venue.until(lambda: live.quality("B") is Quality.STALE)
            live.venue.answer = lambda client, said: None
            live.market.listed = [["A", "USDT"], ["B", "USDT"]]
            await until_traded(live, "A", lambda: [each["op"] for each in client.asked].count("sub") == 2)
            assert live.quality("A") is Quality.LIVE
            assert live.quality("B") is Quality.STALE
            live.venue.answer = live.venue.obey
            for said in client.asked[-2:]:
                live.venue.obey(client, said)
            await until_traded(live, "AB", lambda: live.quality("B") is Quality.LIVE)

    run(main())


def inherit(live: Floor, *symbols: str) -> None:
    """Have instruments on the board that a predecessor left; before the feed takes its first turn."""
    for number, symbol in enumerate(symbols):
        live.publisher.take_over(Instrument(number, "fake", symbol), empty_row(), FormingBars(), ())


class NoStreams:
    """Carries nothing."""

    def __init__(self) -> None:
        self.keys: list[StreamKey] = []

    def add(self, wanted) -> None:
        self.keys += [each for each in wanted if each not in self.keys]

    def remove(self, gone) -> None:
        self.keys = [each for each in self.keys if each not in gone]

    def unserved(self) -> set[str]:
        return {each.symbol for each in self.keys}

    def mark_refused(self, now: int) -> None:
        pass


def carriage(*known: str) -> Carriage:
    return Carriage(
        NoStreams(), Staleness(lambda symbol: None), known, forget=lambda keys: None, now=lambda: 1, venue="fake",
        log=Lines(), refresh_seconds=3600.0,
    )  # fmt: skip


def chosen(symbols: str) -> Choice:
    return Choice(tuple(symbols), keys(*(f"trades {symbol}" for symbol in symbols)))


def test_what_is_missing_is_looked_for_in_minutes_and_ever_later():
    carried = carriage()
    carried.want(chosen("AB"))
    assert carried.seconds_until_refresh() == 3600.0
    carried.want(chosen("A"))
    assert [carried.seconds_until_refresh() for _ in range(7)] == [120, 240, 480, 960, 1920, 3600, 3600]
    carried.want(chosen(""))
    assert carried.seconds_until_refresh() == 120
    carried.want(chosen("BA"))
    assert carried.seconds_until_refresh() == 3600.0


def test_what_a_predecessor_had_is_looked_for_too():
    carried = carriage("A", "B")
    carried.want(chosen("A"))
    assert carried.seconds_until_refresh() == 120
