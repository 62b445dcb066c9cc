"""Workers are killed at random moments of a replay: its report is that of the undisturbed one."""

import asyncio
import os
import random
import signal

import pytest

from tests.floor.playing import config_for, kill, plan_for, play, raised, report_of, working
from tests.waiting import until_async
from tickfloor.floor import Floor
from tickfloor.kinds import FEED, LOGGER, STORAGE

# A small tape and three workers, so that the feed waits for readers most of the time.
SETTINGS = {"tape_records": 1024, "trader_workers": 3, "restart_period": 0.01}
TRADERS = ("trader-1", "trader-2", "trader-3")


@pytest.fixture(scope="module")
def plan(small_capture, many_rules):
    return plan_for([small_capture], many_rules)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, plan):
    outcome = play(config_for(tmp_path_factory.mktemp("undisturbed"), **SETTINGS), plan)
    assert len(outcome.signals) > 300
    assert sum(worker.restarts for worker in outcome.status.workers) == 0
    return report_of(plan, outcome)


def killer(rng, *slots, times=6, signals=300):
    """Return a meddler that kills one of the slots' workers whenever some more signals have been raised."""

    async def meddle(floor):
        for count in sorted(rng.randrange(1, signals) for _ in range(times)):
            await raised(floor, count)
            if not floor.finished.done():
                kill(await working(floor, rng.choice(slots)))

    return meddle


def restarts_of(outcome, *slots):
    return sum(worker.restarts for worker in outcome.status.workers if worker.slot in slots)


@pytest.mark.parametrize("seed", range(3))
def test_killed_trader_workers_change_nothing(tmp_path, plan, undisturbed, seed):
    outcome = play(config_for(tmp_path, **SETTINGS), plan, killer(random.Random(seed), *TRADERS))
    assert report_of(plan, outcome) == undisturbed
    assert restarts_of(outcome, *TRADERS) >= 2
    assert outcome.lost == 0


@pytest.mark.parametrize("slot", [FEED, STORAGE, LOGGER])
def test_a_killed_worker_of_any_other_kind_changes_nothing(tmp_path, plan, undisturbed, slot):
    outcome = play(config_for(tmp_path, **SETTINGS), plan, killer(random.Random(slot), slot, times=3))
    assert report_of(plan, outcome) == undisturbed
    assert restarts_of(outcome, slot) >= 1
    assert outcome.lost == 0


def test_everybody_killed_at_once_changes_nothing(tmp_path, plan, undisturbed):
    async def meddle(floor):
        await raised(floor, 100)
        for slot in (FEED, STORAGE, LOGGER, *TRADERS):
            kill(await working(floor, slot))

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert report_of(plan, outcome) == undisturbed
    assert restarts_of(outcome, FEED, STORAGE, *TRADERS) >= 4


@pytest.mark.parametrize("slot", ["trader-2", FEED, STORAGE, LOGGER])
def test_a_worker_killed_as_soon_as_it_exists_changes_nothing(tmp_path, plan, undisturbed, slot):
    async def meddle(floor):
        await until_async(lambda: slot in floor.supervisor._slots, f"{slot} has a slot")
        await until_async(lambda: floor.supervisor.slot(slot).process is not None, f"{slot} has a process")
        kill(floor.supervisor.slot(slot).process)

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert report_of(plan, outcome) == undisturbed
    assert floor_incarnation(outcome, slot) == 2


def floor_incarnation(outcome, slot):
    return next(worker.incarnation for worker in outcome.status.workers if worker.slot == slot)


@pytest.mark.parametrize("slot", ["trader-1", FEED, STORAGE])
def test_a_worker_killed_again_whenever_it_is_ready_changes_nothing(tmp_path, plan, undisturbed, slot):
    async def meddle(floor):
        await raised(floor, 50)
        for _ in range(4):
            process = await working(floor, slot)
            if floor.finished.done():
                return
            kill(process)
            await process.dead.wait()

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert report_of(plan, outcome) == undisturbed


def test_trader_workers_killed_while_they_drain_change_nothing(tmp_path, plan, undisturbed):
    async def meddle(floor):
        await floor.finished
        for slot in TRADERS:
            kill(await working(floor, slot))

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle, into_the_end=True)
    assert report_of(plan, outcome) == undisturbed
    assert outcome.lost == 0


def test_the_storage_worker_killed_after_it_stored_and_before_it_said_so_stores_nothing_twice(
    tmp_path, plan, undisturbed
):
    async def meddle(floor):
        killed = []

        def forget(process, message):
            # What storage says of one batch is lost with it, and what it says after that; what it did is done.
            if len(killed) < 3 and process not in killed:
                killed.append(process)
                process.kill(signal.SIGKILL)
            elif process not in killed:
                remember(process, message)

        remember = floor._signals.on_stored
        floor._signals.on_stored = forget
        handlers = floor.supervisor._router._handlers
        for kind, handler in handlers.items():
            if handler == remember:
                handlers[kind] = forget
        await until_async(lambda: len(killed) == 3, "three batches were stored and not said to be")

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert report_of(plan, outcome) == undisturbed
    assert restarts_of(outcome, STORAGE) == 3


def test_the_zygote_killed_changes_nothing(tmp_path, plan, undisturbed):
    async def meddle(floor):
        for count in (50, 150):
            await raised(floor, count)
            os.kill(floor.supervisor.zygote_pid, signal.SIGKILL)
            kill(await working(floor, "trader-1"))
            await asyncio.wait_for(floor.supervisor.slot("trader-1").process.dead.wait(), 10)

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    assert report_of(plan, outcome) == undisturbed


def test_a_feed_that_is_stopped_while_it_catches_up_answers_for_all_that_is_on_the_tape(tmp_path, plan, undisturbed):
    async def scenario():
        floor = Floor(config_for(tmp_path, **SETTINGS), plan)
        try:
            await floor.start()
            await raised(floor, 150)
            first = await working(floor, FEED)
            kill(first)
            await until_async(lambda: floor.supervisor.slot(FEED).process is not first, "a successor")
            await working(floor, FEED)
            feed = await floor.stop_feed()
            await floor.drain(feed.head)
            signals = await floor.stored_signals()
            assert (floor.lost(), feed.complete) == (0, False)
            return feed, signals
        finally:
            await floor.stop(20.0)

    feed, signals = asyncio.run(asyncio.wait_for(scenario(), 60))
    expected = [each["tape_sequence"] for each in undisturbed["signals"] if each["tape_sequence"] < feed.head]
    assert len(expected) >= 150
    assert [each.tape_sequence for each in signals] == expected
