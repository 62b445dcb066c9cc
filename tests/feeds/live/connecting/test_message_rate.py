"""How fast messages go out, alone and together, and what a venue that had too many is spared."""

import asyncio
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from tests.feeds.live.connecting.test_connection import TWO, connected
from tests.feeds.live.venue import LIMITS, FakeAdapter, FakeDialect, FakeVenue, Lines, keys, run, surroundings
from tickfloor.feeds.live.connecting.connection import Connection
from tickfloor.feeds.live.connecting.message_rate import (
    FIRST_PAUSE_SECONDS,
    FORGOTTEN_SECONDS,
    MOST_PAUSE_SECONDS,
    MessageRate,
)
from tickfloor.feeds.venue import Limits

SECOND = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def rate(clock: Clock, messages: float, *, shared: bool) -> MessageRate:
    return MessageRate(Limits(**{**LIMITS, "messages_per_second": messages, "messages_shared": shared}), clock=clock)


@given(st.integers(1, 20), st.booleans(), st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=100))
def test_no_second_ever_has_more_messages_than_allowed_and_those_that_are_kept(per_second, shared, tries):
    clock = Clock()
    messages = rate(clock, per_second, shared=shared)
    sent = []
    for milliseconds, first in tries:
        clock.now += milliseconds * 1_000_000
        if messages.wait_seconds(first=first) == 0:
            messages.take()
            sent.append(clock.now)
    for begin in sent:
        assert len([at for at in sent if begin <= at < begin + SECOND]) <= per_second + 1 + shared


def test_a_connection_s_first_message_does_not_wait_for_those_that_have_much_to_send():
    clock = Clock()
    messages = rate(clock, 5.0, shared=True)
    messages.take()
    assert messages.wait_seconds(first=False) == 0.2
    assert messages.wait_seconds(first=True) == 0


def test_a_pause_is_the_longer_the_oftener_there_were_too_many_and_no_longer_for_what_was_under_way():
    clock = Clock()
    messages = rate(clock, 5.0, shared=False)
    pauses = []
    for _ in range(8):
        pauses.append(messages.pause())
        assert messages.pause() == 0.0
        assert messages.wait_seconds(first=True) == pauses[-1]
        clock.now += round(pauses[-1] * 1e9)
        assert messages.wait_seconds(first=True) == 0.0
    assert pauses[:3] == [FIRST_PAUSE_SECONDS, 2 * FIRST_PAUSE_SECONDS, 4 * FIRST_PAUSE_SECONDS]
    assert pauses[-1] == MOST_PAUSE_SECONDS
    clock.now += round(FORGOTTEN_SECONDS * 1e9)
    assert messages.pause() == FIRST_PAUSE_SECONDS


def test_a_venue_that_says_there_were_too_many_messages_is_not_sent_another_at_once():
    async def main():
        clock, log = Clock(), Lines()
        changes = {"messages": rate(clock, 1000.0, shared=False), "log": log}
        wanted = keys("trades A", "trades B", "trades C")
        async with FakeVenue() as venue:
            venue.answer = lambda client, said: client.say(many=1)
            async with connected(venue, wanted, streams_per_message=1, changes=changes) as connection:
                await venue.until(lambda: [event for level, event, _ in log if level == "warning"])
                [client] = venue.clients

                async def sent_after(seconds: float) -> int:
                    clock.now += round(seconds * 1e9)
                    connection.add(())
                    client.trade("A", clock.now)
                    await venue.until(lambda: connection.adapter.market[-1:] == [(mock.ANY, wanted[0], clock.now)])
                    return len(client.asked)

                assert [await sent_after(seconds) for seconds in (0.5, 1.0, 0.4)] == [1, 1, 1]
                clock.now += SECOND // 10
                connection.add(())
                await venue.until(lambda: len(client.asked) == 2)
        assert next(fields["then"] for level, _, fields in log if level == "warning") == (
            "nothing is sent for 2.0 s; what it has left out is asked for again"
        )

    run(main())


def test_connections_whose_messages_a_venue_counts_together_share_one_rate():
    async def main():
        async with FakeVenue() as venue:
            clock = Clock()
            dialect = FakeDialect(venue.url, streams_per_message=1)
            around = surroundings(dialect, FakeAdapter(), messages=rate(clock, 20.0, shared=True))
            connections = [
                Connection(f"market-{number}#1", "market", TWO, around, venue.changed) for number in range(4)
            ]
            tasks = [asyncio.create_task(each.run()) for each in connections]
            sent, steps = 0, 0
            while not all(each.subscriptions.settled for each in connections):
                sent = sum(len(client.asked) for client in venue.clients)
                assert sent <= 2 + steps
                steps += 1
                clock.now += SECOND // 20
                for each in connections:
                    each.add(())
                    await asyncio.sleep(0)
            assert sent >= 8
            for each in connections:
                each.close("test over")
            await asyncio.wait(tasks)

    run(main())
