"""Workers are replaced in the middle of a replay, and killed while they are: not a signal is missed or doubled."""

import asyncio
import os
import random
import signal

import pytest

from tests.floor.playing import config_for, kill, plan_for, play, raised
from tests.floor.replacing import (
    Assassin,
    at_work,
    descriptors,
    nothing_is_left_over,
    play_undisturbed,
    replaced,
    replacer,
    same,
    seats_taken,
    stored_ids,
)
from tests.waiting import until_async
from tickfloor.contracts.commands import (
    Begin,
    Cleanup,
    FreezeCheckpoint,
    Init,
    ReadThrough,
    SyncTraders,
    TakeOver,
    Yield,
)
from tickfloor.contracts.errors import WorkerError
from tickfloor.kinds import CONSOLE, FEED, LOGGER, STORAGE
from tickfloor.supervisor.pool import handover
from tickfloor.supervisor.supervisor import SlotBusyError

# A small tape and three workers, so that the feed waits for readers most of the time.
SETTINGS = {"tape_records": 1024, "trader_workers": 3, "restart_period": 0.01}
TRADERS = ("trader-1", "trader-2", "trader-3")
SLOT = "trader-2"
PACED = 30.0


@pytest.fixture(scope="module")
def plan(small_capture, many_rules):
    return plan_for([small_capture], many_rules)


@pytest.fixture(scope="module")
def paced(small_capture, many_rules):
    return plan_for([small_capture], many_rules, speed=PACED)


@pytest.fixture(scope="module")
def hurried(small_capture, many_rules):
    """Long enough that a replacement begins before the end, however busy the machine is."""
    return plan_for([small_capture], many_rules, speed=10 * PACED)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, plan):
    return play_undisturbed(tmp_path_factory.mktemp("undisturbed"), plan, SETTINGS)


@pytest.mark.parametrize("seed", range(3))
def test_replaced_trader_workers_change_nothing(tmp_path, hurried, undisturbed, seed):
    meddle = replacer(random.Random(seed), *TRADERS, times=8, signals=300)
    outcome = play(config_for(tmp_path, **SETTINGS), hurried, meddle)
    same(undisturbed, tmp_path, hurried, outcome)
    assert sum(worker.restarts for worker in outcome.status.workers) == 0
    assert sum(worker.incarnation - 1 for worker in outcome.status.workers) >= 1


@pytest.mark.parametrize("seed", range(2))
def test_trader_workers_replaced_at_market_speed_change_nothing(tmp_path, paced, undisturbed, seed):
    meddle = replacer(random.Random(seed), *TRADERS, times=12, signals=300)
    outcome = play(config_for(tmp_path, **SETTINGS | {"tape_records": 65_536}), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)
    assert sum(worker.incarnation - 1 for worker in outcome.status.workers) == 12


def test_twenty_replacements_in_a_row_leave_nothing_behind(tmp_path, paced, undisturbed):
    async def meddle(floor):
        await raised(floor, 10)
        await floor.replace(SLOT, "the first one starts the template")
        before = descriptors()
        for _ in range(20):
            await floor.replace(SLOT, "test")
            nothing_is_left_over(floor, before)
        assert floor.supervisor.slot(SLOT).replacements == 21

    outcome = play(config_for(tmp_path, **SETTINGS), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


@pytest.mark.parametrize("slot", [FEED, STORAGE, LOGGER])
def test_a_replaced_worker_of_any_other_kind_changes_nothing(tmp_path, paced, undisturbed, slot):
    async def meddle(floor):
        for count in (20, 150):
            await raised(floor, count)
            await at_work(floor, slot)
            await floor.replace(slot, "test")
        assert floor.supervisor.slot(slot).replacements == 2

    outcome = play(config_for(tmp_path, **SETTINGS), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)
    assert sum(worker.restarts for worker in outcome.status.workers) == 0


def test_one_at_a_time_is_replaced_and_the_others_are_refused(tmp_path, paced, undisturbed):
    async def meddle(floor):
        await raised(floor, 100)
        everybody = (FEED, STORAGE, LOGGER, *TRADERS)
        assert sum(await asyncio.gather(*(replaced(floor, slot) for slot in everybody))) == 1
        for slot in everybody:
            await at_work(floor, slot)
        with pytest.raises(SlotBusyError, match=f"{FEED} is being replaced; wait"):
            await asyncio.gather(*(floor.replace(slot, "test") for slot in (FEED, SLOT)))
        await at_work(floor, FEED)

    outcome = play(config_for(tmp_path, **SETTINGS), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


PHASES = [
    # The successor is known from its first command on, its Init.
    *((command, False) for command in (Yield, FreezeCheckpoint, Init, SyncTraders, Begin, ReadThrough)),
    *((command, True) for command in (Init, SyncTraders, Begin, ReadThrough)),
    # The traders have changed places: who dies now is only one more dead worker.
    *((command, which) for command in (TakeOver,) for which in (False, True)),
    (Cleanup, False),
]


@pytest.mark.parametrize(("command", "successor"), PHASES, ids=lambda each: getattr(each, "__name__", str(each)))
def test_a_worker_killed_in_any_phase_of_a_handover_changes_nothing(tmp_path, paced, undisturbed, command, successor):
    async def meddle(floor):
        await raised(floor, 60)
        await floor.replace(SLOT, "the first one starts the template")
        before = descriptors()
        assassin = Assassin(floor, SLOT, command, successor=successor)
        went_well = await replaced(floor, SLOT)
        assert assassin.killed is not None
        await asyncio.wait_for(assassin.killed.dead.wait(), 10)
        if command in (TakeOver, Cleanup):
            assert went_well
        elif successor:
            assert not went_well
        await at_work(floor, SLOT)
        nothing_is_left_over(floor, before)
        # And the next one goes well.
        await floor.replace(SLOT, "test")
        nothing_is_left_over(floor, before)

    outcome = play(config_for(tmp_path, **SETTINGS), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


def test_a_successor_that_stands_still_is_given_up(tmp_path, paced, undisturbed, monkeypatch):
    monkeypatch.setattr(handover, "_SECONDS", 0.5)

    async def meddle(floor):
        await raised(floor, 60)
        old = await at_work(floor, SLOT)
        passed = floor.supervisor.passed
        stopped = []

        def stop_it(process, outward, correlation_id, message):
            passed(process, outward, correlation_id, message)
            # Its Ready is the first that it says.
            if process.slot == SLOT and process is not old and not outward and not stopped:
                stopped.append(process)
                os.kill(process.pid, signal.SIGSTOP)

        floor.supervisor.passed = stop_it
        assert not await replaced(floor, SLOT)
        assert stopped[0].dead.is_set()
        assert await at_work(floor, SLOT) is old
        assert seats_taken(floor) == len(TRADERS)

    outcome = play(config_for(tmp_path, **SETTINGS), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)


def test_a_worker_that_is_not_there_cannot_be_replaced(tmp_path, paced):
    async def meddle(floor):
        await raised(floor, 5)
        for name in (CONSOLE, "trader-9"):
            with pytest.raises(WorkerError, match=f"there is no worker {name}"):
                await floor.replace(name, "test")

    play(config_for(tmp_path, **SETTINGS), paced, meddle)


def test_a_worker_replaced_while_its_floor_drains_changes_nothing(tmp_path, plan, undisturbed):
    async def meddle(floor):
        await floor.finished
        await asyncio.gather(*(replaced(floor, slot) for slot in TRADERS))

    outcome = play(config_for(tmp_path, **SETTINGS), plan, meddle, into_the_end=True)
    same(undisturbed, tmp_path, plan, outcome)


STRATEGY = '''
from tickfloor.traders.strategies.strategy import Strategy


class Chatty(Strategy):
    """Raises so many signals that a storage worker that rests is behind at once."""

    def on_tick(self, tick):
        for number in range(20):
            self.signal(tick.instrument, number=number)
'''


@pytest.fixture
def chatty(tmp_path, small_capture):
    (tmp_path / "chatty.py").write_text(STRATEGY)
    rules = tmp_path / "chatty.toml"
    rules.write_text('[[trader]]\nname = "chatty"\nstrategy = "chatty.py:Chatty"\n')
    return plan_for([small_capture], rules, speed=20.0)


@pytest.mark.parametrize("tape", [1024, 65_536])
def test_while_storage_rests_and_an_outlet_is_full_nobody_is_replaced_and_nothing_is_lost(tmp_path, chatty, tape):
    """A successor might raise as many again: with each attempt more signals would wait in the supervisor."""

    async def meddle(floor):
        await raised(floor, 10)
        storage = await at_work(floor, STORAGE)
        os.kill(storage.pid, signal.SIGSTOP)
        trader = await at_work(floor, "trader-1")
        await until_async(lambda: floor._signals.waiting >= 10_000, "the outlet is full")
        with pytest.raises(WorkerError, match="signals wait to be stored"):
            await floor.replace("trader-1", "test")
        assert await at_work(floor, "trader-1") is trader
        assert seats_taken(floor) == 1
        os.kill(storage.pid, signal.SIGCONT)
        await until_async(lambda: floor._signals.waiting < 10_000, "storage works again")
        await floor.replace("trader-1", "test")
        assert await at_work(floor, "trader-1") is not trader

    # Whoever stands still is not looked after here: storage is to rest for as long as it takes.
    config = config_for(tmp_path, trader_workers=1, tape_records=tape, ping_seconds=0)
    outcome = play(config, chatty, meddle)
    ids = [each.id for each in outcome.signals]
    assert len(set(ids)) == len(ids) > 20_000
    assert sorted(ids) == stored_ids(tmp_path / "floor.db")
    sequences = sorted({each.tape_sequence for each in outcome.signals})
    assert len(ids) == 20 * len(sequences)
    assert outcome.lost == 0


def test_replacements_and_deaths_together_change_nothing(tmp_path, paced, undisturbed):
    rng = random.Random(7)

    async def meddle(floor):
        for count in sorted(rng.randrange(1, 320) for _ in range(12)):
            await raised(floor, count)
            if floor.finished.done():
                return
            slot = rng.choice(TRADERS)
            under_way = asyncio.ensure_future(replaced(floor, slot))
            if rng.random() < 0.6:
                kill(await at_work(floor, rng.choice((slot, STORAGE, FEED))))
            await under_way
            for each in TRADERS:
                await at_work(floor, each)

    outcome = play(config_for(tmp_path, **SETTINGS), paced, meddle)
    same(undisturbed, tmp_path, paced, outcome)
