"""The last log lines, and those who follow."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tests.supervisor.control.fake_floor import line
from tickfloor.supervisor.control.log_tail import LogTail


def test_the_last_lines_are_kept_and_no_more():
    tail = LogTail(lines=3)
    for number in range(5):
        tail.note(line(number))
    assert tail.last(10) == (line(2), line(3), line(4))
    assert tail.last(2) == (line(3), line(4))
    assert tail.last(0) == ()


def test_lines_of_a_worker_are_its_own_and_those_about_it():
    tail = LogTail()
    about = line(2, slot="supervisor", event="worker died", fields={"worker": "trader-1"})
    for noted in (line(0), line(1, slot="trader-2"), about, line(3, slot="supervisor")):
        tail.note(noted)
    assert tail.last(10, "trader-1") == (line(0), about)
    assert tail.last(10, "supervisor") == (about, line(3, slot="supervisor"))


@given(st.lists(st.integers(0, 7), max_size=30), st.integers(1, 5))
def test_a_follower_reads_every_line_or_hears_how_many_it_missed(bursts, bound):
    async def scene() -> None:
        tail = LogTail()
        noted = expected = 0
        with tail.subscribe(bound=bound) as subscription:
            for burst in bursts:
                for _ in range(burst):
                    tail.note(line(noted))
                    noted += 1
                while burst:
                    lines, dropped = await subscription.read()
                    expected += dropped
                    assert [int(found.event.split()[1]) for found in lines] == list(
                        range(expected, expected + len(lines))
                    )
                    expected += len(lines)
                    if expected == noted:
                        break
        assert expected == noted
        assert tail.followers == 0

    asyncio.run(scene())


def test_a_follower_begins_with_the_last_lines_and_waits_for_the_next():
    async def scene() -> None:
        tail = LogTail()
        for number in range(3):
            tail.note(line(number))
        with tail.subscribe(last=2) as subscription:
            assert await subscription.read() == ((line(1), line(2)), 0)
            reading = asyncio.ensure_future(subscription.read())
            await asyncio.sleep(0)
            assert not reading.done()
            tail.note(line(3))
            assert await reading == ((line(3),), 0)

    asyncio.run(scene())
