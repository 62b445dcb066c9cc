"""The number of trader workers changes in the middle of a replay: not a signal is missed or doubled."""

import asyncio
import random

import pytest

from tests.floor.playing import config_for, kill, plan_for, play, raised
from tests.floor.replacing import (
    Assassin,
    at_work,
    descriptors,
    nothing_is_left_over,
    play_undisturbed,
    same,
    seats_taken,
)
from tests.waiting import until_async
from tickfloor.contracts.commands import Begin, FreezeCheckpoint, ReadThrough, TakeOver, Yield
from tickfloor.contracts.errors import WorkerError
from tickfloor.supervisor.pool.scaler import ScalingError
from tickfloor.supervisor.pool.scaling import ScalingPolicy, ScalingReason, ScalingSettings

SETTINGS = {"tape_records": 1024, "trader_workers": 1, "restart_period": 0.01}
PACED = 30.0


@pytest.fixture(scope="module")
def plan(small_capture, many_rules):
    return plan_for([small_capture], many_rules)


@pytest.fixture(scope="module")
def paced(small_capture, many_rules):
    return plan_for([small_capture], many_rules, speed=PACED)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, plan):
    return play_undisturbed(tmp_path_factory.mktemp("undisturbed"), plan, SETTINGS)


def is_whole(floor, workers):
    """See that so many workers run all of the traders, each once, and nobody else is there."""
    members = floor._pool.members
    assert list(members) == [f"trader-{number}" for number in range(1, workers + 1)]
    assert floor.supervisor.names("trader") == list(members)
    running = sorted(spec.name for member in members.values() for spec in member.wanted.specs())
    assert running == sorted(spec.name for spec in floor._plan.traders)
    assert max(len(member.wanted) for member in members.values()) <= -(-len(running) // workers)
    assert seats_taken(floor) == workers


@pytest.mark.parametrize("tape", [1024, 65_536])
def test_growing_and_shrinking_change_nothing(tmp_path, paced, undisturbed, tape):
    async def meddle(floor):
        for count, workers in ((20, 4), (90, 2), (170, 3), (230, 1)):
            await raised(floor, count)
            moved = await floor._scaler.scale(workers, "test")
            assert moved >= 3
            is_whole(floor, workers)

    outcome = play(config_for(tmp_path, **SETTINGS | {"tape_records": tape}), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)
    assert sum(worker.restarts for worker in outcome.status.workers) == 0


def test_growing_and_shrinking_at_full_speed_change_nothing(tmp_path, plan, undisturbed):
    async def meddle(floor):
        for count, workers in ((20, 4), (90, 2), (170, 3)):
            await raised(floor, count)
            if not floor.finished.done():
                await floor._scaler.scale(workers, "test")
                is_whole(floor, workers)

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle)
    same(undisturbed, tmp_path, plan, outcome)


def test_scaling_up_and_down_again_and_again_leaves_nothing_behind(tmp_path, paced, undisturbed):
    async def meddle(floor):
        await raised(floor, 10)
        await floor._scaler.scale(2, "the first one starts the template")
        before = descriptors()
        for workers in (6, 1, 8, 2):
            await floor._scaler.scale(workers, "test")
        nothing_is_left_over(floor, before)

    outcome = play(config_for(tmp_path, **SETTINGS), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


@pytest.mark.parametrize("command", [Yield, FreezeCheckpoint, Begin, ReadThrough, TakeOver], ids=lambda it: it.__name__)
@pytest.mark.parametrize("successor", [False, True])
@pytest.mark.parametrize("workers", [1, 4])
def test_a_worker_killed_in_any_phase_of_a_scaling_changes_nothing(
    tmp_path, paced, undisturbed, command, successor, workers
):
    if successor and command in (Yield, FreezeCheckpoint):
        pytest.skip("there is no successor yet")

    async def meddle(floor):
        await raised(floor, 60)
        before = seats_taken(floor)
        assassin = Assassin(floor, "trader-1", command, successor=successor)
        try:
            await floor._scaler.scale(workers, "test")
            after = workers
        except WorkerError:
            after = before
        assert assassin.killed is not None
        # Until the supervisor knows, a dead worker looks as if it were at work.
        await assassin.killed.dead.wait()
        for number in range(1, after + 1):
            await at_work(floor, f"trader-{number}")
        is_whole(floor, after)
        await floor._scaler.scale(2 if after == 3 else 3, "test")
        is_whole(floor, 2 if after == 3 else 3)

    outcome = play(config_for(tmp_path, **SETTINGS | {"trader_workers": 2}), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


def test_scalings_replacements_and_deaths_together_change_nothing(tmp_path, paced, undisturbed):
    rng = random.Random(11)

    async def meddle(floor):
        for count in sorted(rng.randrange(1, 320) for _ in range(10)):
            await raised(floor, count)
            if floor.finished.done():
                return
            slot = rng.choice(list(floor._pool.members))
            works = [floor._scaler.scale(rng.randrange(1, 6), "test"), floor.replace(slot, "test")]
            if rng.random() < 0.5:
                kill(await at_work(floor, slot))
            for result in await asyncio.gather(*works, return_exceptions=True):
                assert not isinstance(result, Exception) or isinstance(result, WorkerError), result
            for each in list(floor._pool.members):
                await at_work(floor, each)
            is_whole(floor, len(floor._pool.members))

    outcome = play(config_for(tmp_path, **SETTINGS | {"trader_workers": 3}), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


def test_the_pool_grows_until_no_worker_has_more_traders_than_it_may(tmp_path, paced, undisturbed):
    async def meddle(floor):
        await until_async(lambda: len(floor._pool.members) == 3 or floor.finished.done(), "three workers")
        await until_async(lambda: not floor._pool.changing.locked(), "they have their traders")
        is_whole(floor, 3)
        assert floor._scaler.statistics().last.reason is ScalingReason.TRADERS

    settings = {"trader_workers_min": 1, "trader_workers_max": 4, "traders_per_worker": 4}
    outcome = play(config_for(tmp_path, **SETTINGS | settings), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


def test_the_pool_grows_and_shrinks_with_its_load(tmp_path, paced, undisturbed):
    busy = ScalingSettings(
        least=1, most=3, grow_above=0.001, grow_looks=2, shrink_below=0.0005, shrink_looks=1000, cooldown=0.1
    )
    idle = ScalingSettings(least=1, most=3, grow_above=1.1, shrink_below=1.0, shrink_looks=2, cooldown=0.1)

    async def meddle(floor):
        await raised(floor, 10)
        scaler = floor._scaler
        scaler._look_seconds = 0.05
        scaler._policy = ScalingPolicy(busy)
        looking = asyncio.ensure_future(scaler.run())
        await until_async(lambda: len(floor._pool.members) == 3, "there is more to do than one worker may have")
        assert scaler.statistics().last.reason is ScalingReason.LOAD
        scaler._policy = ScalingPolicy(idle)
        await until_async(lambda: len(floor._pool.members) == 1, "there is less to do than for two workers")
        assert scaler.statistics().last.reason is ScalingReason.LOAD
        looking.cancel()
        await asyncio.wait([looking])

    outcome = play(config_for(tmp_path, **SETTINGS), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


@pytest.mark.parametrize("workers", [0, 17])
def test_a_number_that_no_floor_can_have_is_refused(tmp_path, plan, workers):
    async def meddle(floor):
        await raised(floor, 1)
        with pytest.raises(ScalingError, match="1 to 16 trader workers"):
            await floor._scaler.scale(workers, "test")

    play(config_for(tmp_path, **SETTINGS), plan, meddle)
