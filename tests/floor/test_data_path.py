"""Records in shared memory or as messages: the same signals, whoever is killed or replaced on the way."""

import asyncio
import random

import pytest

from tests.floor.playing import config_for, kill, plan_for, play, raised, working
from tests.floor.replacing import at_work, descriptors, nothing_is_left_over, play_undisturbed, replaced, same
from tickfloor.config import Config, load
from tickfloor.contracts.commands import GetStatus
from tickfloor.contracts.errors import ConfigError
from tickfloor.kinds import FEED

SETTINGS = {"tape_records": 1024, "trader_workers": 3, "restart_period": 0.01, "control_socket": "none"}
MESSAGES = SETTINGS | {"message_passing_share": 100}
TRADERS = ("trader-1", "trader-2", "trader-3")
PACED = 15.0


@pytest.fixture(scope="module")
def plan(small_capture, many_rules):
    return plan_for([small_capture], many_rules)


@pytest.fixture(scope="module")
def paced(small_capture, many_rules):
    return plan_for([small_capture], many_rules, speed=PACED)


@pytest.fixture(scope="module")
def in_place(tmp_path_factory, plan):
    """The report and the signals' ids of a replay in which every worker reads shared memory in place."""
    return play_undisturbed(tmp_path_factory.mktemp("in-place"), plan, SETTINGS)


async def details_of(floor, slot):
    """Return a worker's own figures."""
    return (await (await working(floor, slot)).command(GetStatus())).details


@pytest.mark.parametrize("share", [0, 40, 100])
@pytest.mark.parametrize("tape_records", [256, 65_536])
def test_the_signals_are_the_same_on_every_path_and_each_worker_is_on_its_own(
    tmp_path, plan, in_place, share, tape_records
):
    taking = {0: (), 40: ("trader-3",), 100: TRADERS}[share]
    found = {}

    async def meddle(floor):
        feed = await floor.finished
        for slot in TRADERS:
            await floor.supervisor.ask(slot, GetStatus())
        found["head"] = feed.head
        found["feed"] = await details_of(floor, FEED)
        found["traders"] = {slot: await details_of(floor, slot) for slot in TRADERS}

    config = config_for(tmp_path, **SETTINGS | {"message_passing_share": share, "tape_records": tape_records})
    outcome = play(config, plan, meddle)
    same(in_place, tmp_path, plan, outcome)
    assert [slot for slot, each in found["traders"].items() if "records_from_messages" in each] == list(taking)
    assert ("messages" in found["feed"]) == bool(taking)
    for slot in taking:
        assert found["traders"][slot]["records_from_messages"] > 0
        assert found["traders"][slot]["decoding_seconds"] > 0


@pytest.mark.parametrize("seed", range(2))
def test_killed_trader_workers_change_nothing(tmp_path, plan, in_place, seed):
    rng = random.Random(seed)

    async def meddle(floor):
        for count in sorted(rng.randrange(1, 300) for _ in range(6)):
            await raised(floor, count)
            if not floor.finished.done():
                kill(await working(floor, rng.choice(TRADERS)))

    outcome = play(config_for(tmp_path, **MESSAGES), plan, meddle)
    same(in_place, tmp_path, plan, outcome)
    assert sum(worker.restarts for worker in outcome.status.workers) >= 2


def test_a_killed_feed_changes_nothing_and_its_successor_goes_on_sending(tmp_path, paced, in_place):
    async def meddle(floor):
        for count in (60, 150):
            await raised(floor, count)
            kill(await at_work(floor, FEED))
        await floor.finished
        assert (await details_of(floor, FEED))["messages"] > 0

    outcome = play(config_for(tmp_path, **MESSAGES), paced, meddle)
    same(in_place, tmp_path, paced, outcome)
    assert next(worker.restarts for worker in outcome.status.workers if worker.slot == FEED) == 2


def test_planned_replacements_change_nothing_and_leave_nothing_behind(tmp_path, paced, in_place):
    async def meddle(floor):
        await raised(floor, 10)
        await floor.replace("trader-2", "the first one starts the template")
        before = descriptors()
        for _ in range(6):
            for slot in TRADERS:
                await floor.replace(slot, "test")
                nothing_is_left_over(floor, before)
        for slot in TRADERS:
            assert "records_from_messages" in await details_of(floor, slot)

    outcome = play(config_for(tmp_path, **MESSAGES), paced, meddle)
    same(in_place, tmp_path, paced, outcome)
    assert sum(worker.restarts for worker in outcome.status.workers) == 0


@pytest.mark.parametrize("share", [40, 100])
def test_replacements_and_deaths_together_change_nothing(tmp_path, paced, in_place, share):
    rng = random.Random(share)

    async def meddle(floor):
        for count in sorted(rng.randrange(1, 300) for _ in range(8)):
            await raised(floor, count)
            if floor.finished.done():
                return
            under_way = asyncio.ensure_future(replaced(floor, rng.choice(TRADERS)))
            if rng.random() < 0.6:
                kill(await at_work(floor, rng.choice((*TRADERS, FEED))))
            await under_way
            for slot in TRADERS:
                await at_work(floor, slot)

    outcome = play(config_for(tmp_path, **MESSAGES | {"message_passing_share": share}), paced, meddle)
    same(in_place, tmp_path, paced, outcome)


def test_a_worker_stays_on_its_path_through_replacement_and_scaling(tmp_path, paced, in_place):
    async def paths(floor):
        names = floor.supervisor.names("trader")
        return [slot for slot in names if "records_from_messages" in await details_of(floor, slot)]

    async def meddle(floor):
        await raised(floor, 10)
        assert await paths(floor) == ["trader-2"]
        for slot in TRADERS:
            await floor.replace(slot, "test")
        assert await paths(floor) == ["trader-2"]
        await floor._scaler.scale(4, "test")
        assert await paths(floor) == ["trader-2", "trader-4"]
        await floor._scaler.scale(2, "test")
        assert await paths(floor) == ["trader-2"]

    outcome = play(config_for(tmp_path, **SETTINGS | {"message_passing_share": 50}), paced, meddle)
    same(in_place, tmp_path, paced, outcome)


def test_the_share_is_a_percentage():
    assert load(None, {"TICKFLOOR_MESSAGE_PASSING_SHARE": "25"}) == Config(message_passing_share=25)
    for wrong in ("101", "-1"):
        with pytest.raises(ConfigError, match=f"message_passing_share must be between 0 and 100, not {wrong}"):
            load(None, {"TICKFLOOR_MESSAGE_PASSING_SHARE": wrong})
