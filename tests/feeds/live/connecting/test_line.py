"""A place for a connection is kept filled, and a replacement stands before the old one goes."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

from tests.feeds.live.venue import Client, FakeAdapter, FakeDialect, FakeVenue, key, keys, refusing, run, surroundings
from tests.feeds.live.virtual_time import START_NS
from tickfloor.contracts.feeds import ConnectionState
from tickfloor.feeds.live.connecting.connect_budget import ConnectBudget
from tickfloor.feeds.live.connecting.line import Line
from tickfloor.feeds.live.connecting.lines import Lines
from tickfloor.feeds.live.receive_clock import ReceiveClock
from tickfloor.feeds.live.staleness import Staleness

TWO = keys("trades A", "trades B")


class SteppedClock(ReceiveClock):
    """Tells the time that a test says it is, and a little more each time, so that messages may go out."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ns = START_NS

    def now(self) -> int:
        self.now_ns += 20_000
        return self.now_ns


@asynccontextmanager
async def running(venue: FakeVenue, *, attempts=1000, changes=None, uniform=lambda low, high: low, **limits):
    """A line to a venue, with no wait between attempts unless the budget makes it."""
    dialect = FakeDialect(venue.url, **limits)
    adapter = FakeAdapter()
    around = surroundings(dialect, adapter, **(changes or {}))
    covered: list[bool] = []
    line = Line(
        "market-1",
        "market",
        TWO,
        around,
        ConnectBudget(attempts, 3600.0, clock=around.clock.now),
        on_covered=lambda _, on: covered.append(on),
        overlap_seconds=0.02,
        uniform=uniform,
    )
    line.adapter, line.covered_news, line.around = adapter, covered, around
    task = asyncio.create_task(line.run())
    try:
        yield line
    finally:
        line.close()
        task.cancel() if attempts < 1000 else None
        await asyncio.wait({task})
        line.failure = None if task.cancelled() else task.exception()


def serving(venue: FakeVenue) -> list[Client]:
    return [client for client in venue.open if client.subscribed() == set(TWO)]


def test_a_lost_connection_is_replaced_and_its_time_without_one_is_told():
    async def main():
        async with FakeVenue() as venue, running(venue) as line:
            await venue.until(lambda: line.covered)
            venue.clients[0].cut()
            await venue.until(lambda: line.covered_news == [True, False, True])
            assert len(serving(venue)) == 1
            assert line.reconnects == 1
            assert line.adapter.readers == ["market-1#1", "market-1#2"]
            assert line.statistics(0).reason == "the connection broke"

    run(main())


def test_a_venue_that_refuses_is_tried_until_it_does_not():
    async def main():
        async with FakeVenue() as venue:
            venue.welcome = False
            async with running(venue) as line:
                await venue.until(lambda: venue.attempts >= 3)
                assert line.statistics(0).attempts >= 3
                venue.welcome = True
                await venue.until(lambda: line.covered)
                assert line.statistics(0).attempts == 0
                assert line.covered_news == [True]

    run(main())


def test_a_venue_that_cannot_be_had_is_said_with_where_why_and_when_it_is_tried_again():
    async def main():
        async with FakeVenue() as venue:
            venue.welcome = False
            async with running(venue) as line:
                await venue.until(lambda: line.statistics(0).reason)
                said = next(fields for _, event, fields in line.around.log if event == "no connection")
                assert said["url"] == f"{venue.url}/market"
                assert said["reason"] == "answered 404 instead of opening a stream"
                assert said["then"] == "tried again at once"
                venue.welcome = True
                await venue.until(lambda: line.covered)
                venue.clients[0].cut()
                await venue.until(lambda: line.covered_news == [True, False, True])
                assert [event for level, event, _ in line.around.log if level == "warning"][-1] == "connection ended"

    run(main())


def test_an_outage_is_said_at_its_first_attempt_at_every_tenth_and_when_it_ends_otherwise():
    async def main():
        async with FakeVenue() as venue:
            venue.welcome = False
            async with running(venue) as line:

                def said() -> list[str]:
                    return [level for level, event, _ in line.around.log if event == "no connection"]

                await venue.until(lambda: len(said()) >= 12)
                assert said()[:12] == ["warning", *8 * ["info"], "warning", "info", "info"]
                venue.refuse_with = 503
                await venue.until(lambda: "503" in line.statistics(0).reason)
                [first, *_] = [level for level, _, fields in line.around.log if "503" in fields.get("reason", "")]
                assert first == "warning"

    run(main())


def test_a_venue_that_bans_is_left_alone_for_as_long_as_it_says():
    async def main():
        async with FakeVenue() as venue:
            venue.refuse_with = 418
            async with running(venue) as line:
                await venue.until(lambda: line.statistics(0).state is ConnectionState.WAITING and venue.attempts == 1)
                for _ in range(100):
                    await asyncio.sleep(0)
                assert venue.attempts == 1
                assert "418" in line.statistics(0).reason
                assert line.around.log[-1][2]["then"] == "tried again in 120.0 s"

    run(main())


def test_the_venue_s_budget_of_connections_is_never_exceeded():
    async def main():
        async with FakeVenue() as venue:
            venue.welcome = False
            async with running(venue, attempts=4) as line:
                await venue.until(lambda: venue.attempts == 4 and line.statistics(0).state is ConnectionState.WAITING)
                for _ in range(100):
                    await asyncio.sleep(0)
                assert venue.attempts == 4

    run(main())


def test_on_request_the_replacement_carries_everything_before_the_old_connection_is_closed():
    async def main():
        async with FakeVenue() as venue, running(venue) as line:
            await venue.until(lambda: line.covered)
            old = venue.clients[0]
            number = 0

            def trade() -> None:
                nonlocal number
                number += 1
                for client in venue.open:
                    if client.keys:
                        client.trade("A", number)

            def replaced() -> bool:
                trade()
                return old.closed

            line.reconnect()
            await venue.until(replaced)
            new = venue.clients[1]
            assert len(venue.clients) == 2
            assert serving(venue) == [new]
            assert line.covered_news == [True]
            trade()
            await venue.until(lambda: (key("trades A"), number) in [each[1:] for each in line.adapter.market])
            numbers = [each[2] for each in line.adapter.market]
            assert set(numbers) == set(range(1, number + 1))
            assert len(numbers) > len(set(numbers)), "they ran together"

    run(main())


def test_a_venue_s_notice_makes_the_replacement():
    async def main():
        async with FakeVenue() as venue, running(venue) as line:
            await venue.until(lambda: line.covered)
            venue.clients[0].say(away=1)
            await venue.until(lambda: venue.clients[0].closed)
            assert len(serving(venue)) == 1
            assert line.covered_news == [True]

    run(main())


def test_a_connection_is_replaced_before_its_life_is_over():
    async def main():
        async with FakeVenue() as venue, running(venue, life_seconds=0.2) as line:
            await venue.until(lambda: venue.clients and venue.clients[0].closed)
            assert len(venue.clients) == 2
            assert line.covered_news == [True]

    run(main())


def test_if_no_replacement_can_be_had_the_old_connection_stays_until_it_dies():
    async def main():
        async with FakeVenue() as venue, running(venue) as line:
            await venue.until(lambda: line.covered)
            venue.welcome = False
            line.reconnect()
            await venue.until(lambda: venue.attempts >= 4)
            assert len(serving(venue)) == 1
            assert line.covered_news == [True]
            venue.clients[0].cut()
            await venue.until(lambda: line.covered_news == [True, False])
            venue.welcome = True
            await venue.until(lambda: line.covered_news == [True, False, True])

    run(main())


def test_an_old_connection_that_dies_while_its_replacement_subscribes_is_told_of():
    async def main():
        async with FakeVenue() as venue, running(venue) as line:
            await venue.until(lambda: line.covered)
            held_back = []
            venue.answer = lambda client, said: held_back.append((client, said))
            line.reconnect()
            await venue.until(lambda: held_back)
            venue.clients[0].cut()
            await venue.until(lambda: line.covered_news == [True, False])
            venue.answer = venue.obey
            for client, said in held_back:
                venue.obey(client, said)
            await venue.until(lambda: line.covered_news == [True, False, True])
            assert len(venue.clients) == 2

    run(main())


def test_streams_that_come_and_go_in_a_replacement_are_on_both_connections():
    async def main():
        async with FakeVenue() as venue, running(venue) as line:
            await venue.until(lambda: line.covered)
            held_back = []
            venue.answer = lambda client, said: held_back.append((client, said))
            line.reconnect()
            await venue.until(lambda: len(held_back) == 1)
            line.add(keys("trades C"))
            line.remove(keys("trades A"))
            venue.answer = venue.obey
            for client, said in held_back:
                venue.obey(client, said)
            await venue.until(lambda: venue.clients[0].closed)
            await venue.until(lambda: venue.clients[1].subscribed() == set(keys("trades B", "trades C")))
            assert set(line.keys) == set(keys("trades B", "trades C"))

    run(main())


def test_counts_are_of_all_connections_of_a_place():
    async def main():
        async with FakeVenue() as venue, running(venue) as line:
            await venue.until(lambda: line.covered)
            venue.clients[0].raw(b"{")
            venue.clients[0].trade("A")
            await venue.until(lambda: line.adapter.market)
            before = line.statistics(0)
            assert (before.malformed, before.streams, before.state) == (1, 2, ConnectionState.OPEN)
            venue.clients[0].cut()
            await venue.until(lambda: line.covered_news == [True, False, True])
            after = line.statistics(1)
            assert after.frames > before.frames == 4
            assert after.bytes > before.bytes
            assert (after.malformed, line.newest_problem, after.silent) == (1, "not JSON", 1)
            assert after.quiet is not None
            assert after.age is not None

    run(main())


def test_a_line_that_is_closed_when_a_replacement_is_wanted_ends():
    async def main():
        async with FakeVenue() as venue:
            async with running(venue) as line:
                await venue.until(lambda: line.covered)
                line.reconnect()
            assert line.failure is None
            assert venue.attempts == 1

    run(main())


def test_a_bug_in_a_reader_ends_the_line():
    async def main():
        async with FakeVenue() as venue:
            async with running(venue) as line:
                await venue.until(lambda: line.covered)
                venue.clients[0].say(bug=1)
                await venue.until(lambda: not venue.open)
            assert isinstance(line.failure, ExceptionGroup)

    run(main())


def test_a_venue_that_wants_to_be_left_alone_for_ever_does_not_end_the_line():
    async def main():
        async with refusing(b"9" * 400) as url, running(SimpleNamespace(url=url)) as line:
            await FakeVenue().until(lambda: line.statistics(0).reason)
            assert "429" in line.statistics(0).reason
        assert line.failure is None

    run(main())


def test_a_venue_whose_servers_all_say_goodbye_at_once_is_not_stormed():
    async def main():
        async with FakeVenue() as venue:

            def leaving(client: Client, said: dict) -> None:
                venue.obey(client, said)
                client.say(away=1)

            venue.answer = leaving
            waits = []

            def drawn(low: float, high: float) -> float:
                if not low:
                    waits.append(high)
                return low

            async with running(venue, uniform=drawn):
                await venue.until(lambda: len(waits) >= 4)
            # As after connections that break.
            assert waits[:4] == [0.25, 0.5, 1.0, 2.0]

    run(main())


def test_after_a_venue_asked_for_a_pause_no_line_of_it_connects_until_it_is_over_or_a_user_wants_it():
    async def main():
        async with FakeVenue() as venue:
            clock = SteppedClock()
            dialect = FakeDialect(venue.url, streams_per_connection=1)
            around = surroundings(dialect, FakeAdapter(), clock=clock, quiet_ns=0)
            async with asyncio.TaskGroup() as group:
                lines = Lines(around, Staleness(lambda symbol: None), group, on_regained=lambda keys: None)
                lines.add(keys("trades A"))
                await venue.until(lambda: [line.covered for line in lines.all()] == [True])
                venue.refuse_with = 429
                venue.clients[0].cut()

                def refused() -> bool:
                    lines.all()[0].hurry()
                    return "429" in lines.all()[0].statistics(0).reason

                await venue.until(refused)
                assert venue.attempts == 2
                venue.refuse_with = 0
                lines.add(keys("trades B"))
                clock.now_ns += 9_900_000_000
                await woken(*lines.all())
                assert venue.attempts == 2
                assert lines.reconnect("market-2") == ("market-2",)
                await venue.until(lambda: [client.subscribed() for client in venue.open] == [{key("trades B")}])
                lines.reconnect("")
                await venue.until(lambda: {key("trades A")} in [client.subscribed() for client in venue.open])
                for line in lines.all():
                    line.close()

    run(main())


def test_a_pause_that_is_over_is_no_reason_to_wait():
    async def main():
        async with FakeVenue() as venue:
            clock = SteppedClock()
            venue.refuse_with = 429
            async with running(venue, changes={"clock": clock, "quiet_ns": 0}) as line:
                await venue.until(lambda: "429" in line.statistics(0).reason)
                venue.refuse_with = 0
                clock.now_ns += 9_900_000_000
                await woken(line)
                assert venue.attempts == 1
                clock.now_ns += 100_000_000
                await woken(line)
                await venue.until(lambda: line.covered)

    run(main())


async def woken(*lines: Line) -> None:
    """Let lines look at the time, and give them more turns than they need for what they do then."""
    for _ in range(50):
        for line in lines:
            line.hurry()
        await asyncio.sleep(0)
