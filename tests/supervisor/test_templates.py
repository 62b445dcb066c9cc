"""Templates that prepare what their workers have in common."""

import os
import signal
from pathlib import Path

import pytest

from tests.supervisor.supervised import run, supervised
from tests.waiting import until, until_dead
from tickfloor.contracts.commands import Begin

ENTRY = "prepared_workers:Prepared"


async def started(floor, name="worker-1"):
    """Start a worker and return what was prepared for it."""
    process = await floor.start(ENTRY, name, from_template=True)
    answer = await process.command(Begin())
    await floor.supervisor.stop(name)
    floor.supervisor.remove(name)
    return answer.modules


async def started_until(floor, wanted):
    """Start workers until one finds that this was prepared; it happens beside them."""
    while await started(floor) != wanted:
        pass


def prepare(floor, payload):
    floor.zygote.prepare(ENTRY, payload)


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def template(floor):
    [found] = children(floor.zygote.pid)
    return found


def test_workers_share_what_was_prepared_and_only_the_last_of_it():
    async def scenario():
        async with supervised() as floor:
            assert await started(floor) == ()
            prepare(floor, b"one")
            await started_until(floor, ("one",))
            for number in range(5):
                prepare(floor, b"two %d" % number)
            await started_until(floor, ("two 4",))
            assert await started(floor) == ("two 4",)

    run(scenario())


def test_what_is_prepared_before_there_is_a_template_is_for_the_first_one():
    async def scenario():
        async with supervised() as floor:
            prepare(floor, b"early")
            await started_until(floor, ("early",))

    run(scenario())


def test_a_payload_may_be_larger_than_any_message():
    async def scenario():
        async with supervised() as floor:
            prepare(floor, b"long" * 1_000_000)
            await started_until(floor, ("longlonglonglonglong",))

    run(scenario())


@pytest.mark.parametrize("payload", [b"fail", b"die", b"hang"])
def test_workers_start_as_before_while_a_preparation_hangs_or_when_it_fails(payload, capfd):
    async def scenario():
        async with supervised() as floor:
            assert await started(floor) == ()
            prepare(floor, payload)
            for _ in range(3):
                assert await started(floor) == ()
            pids.append(template(floor))

    pids = []
    run(scenario())
    until_dead(pids[0])
    assert ("nothing can be made of this" in capfd.readouterr().err) == (payload == b"fail")


def test_a_preparation_that_fails_leaves_the_one_before():
    async def scenario():
        async with supervised() as floor:
            prepare(floor, b"good")
            await started_until(floor, ("good",))
            prepare(floor, b"fail")
            for _ in range(3):
                assert await started(floor) == ("good",)
            prepare(floor, b"better")
            await started_until(floor, ("better",))

    run(scenario())


@pytest.mark.parametrize("who", ["the prepared", "its parent", "the zygote"])
def test_who_dies_is_made_again_and_prepared_again(who):
    async def scenario():
        async with supervised() as floor:
            prepare(floor, b"kept")
            await started_until(floor, ("kept",))
            parent = template(floor)
            [prepared] = children(parent)
            pid = {"the prepared": prepared, "its parent": parent, "the zygote": floor.zygote.pid}[who]
            os.kill(pid, signal.SIGKILL)
            until_dead(pid)
            assert await started(floor) in [(), ("kept",)]
            await started_until(floor, ("kept",))

    run(scenario())


def test_a_module_that_prepares_nothing_is_not_asked_to():
    async def scenario():
        async with supervised() as floor:
            floor.zygote.prepare("odd_workers:Plain", b"anything")
            await (await floor.start("Plain", from_template=True)).command(Begin())
            assert children(template(floor)) == []

    run(scenario())


def test_one_prepared_process_is_left_however_often_it_is_prepared():
    async def scenario():
        async with supervised() as floor:
            for number in range(10):
                prepare(floor, b"%d" % number)
                await started_until(floor, (f"{number}",))
            parent = template(floor)
            until(lambda: len(children(parent)) == 1, "the one before has been ended")
            pids.extend([parent, *children(parent)])

    pids = []
    run(scenario())
    for pid in pids:
        until_dead(pid)


def test_no_zygote_is_started_only_to_prepare():
    async def scenario():
        async with supervised() as floor:
            prepare(floor, b"nobody yet")
            assert floor.zygote.starts == 0

    run(scenario())
