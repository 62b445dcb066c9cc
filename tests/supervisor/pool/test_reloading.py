"""Strategies are reloaded in a real trader worker: as their files are now, or they go on as they were."""

import asyncio
from pathlib import Path

import pytest
from stress.faulty_channel import Fate

from tests.supervisor.pool.test_trader_command_faults import FAULTS, one_trader_worker
from tests.supervisor.supervised import run
from tests.supervisor.test_command_faults import linked
from tickfloor.contracts.commands import Ping
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.traders import TraderSpec, code_digest
from tickfloor.supervisor.pool.strategy_file import NoStrategyError
from tickfloor.supervisor.pool.trader_pool import RulesError, UnknownTraderError

CODE = """
from pathlib import Path
from tickfloor.traders.strategies.strategy import Strategy

SAID = Path(__file__).with_suffix(".txt")


def say(what):
    with SAID.open("a") as file:
        print(what, file=file)


class Mine(Strategy):
    def on_start(self, context):
        {start}

    def on_stop(self):
        say("stop {version}")
"""


class File:
    """A strategy's file, and what its versions have said."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, version: int, start: str = "say('start {version}')", text: str = CODE) -> None:
        self.path.write_text(text.format(version=version, start=start.format(version=version)))

    def spec(self) -> TraderSpec:
        digest = code_digest(self.path.read_bytes())
        return TraderSpec(name="mine", strategy=f"{self.path}:Mine", strategy_digest=digest)

    def said(self) -> list[str]:
        return self.path.with_suffix(".txt").read_text().splitlines()


@pytest.fixture
def file(tmp_path):
    file = File(tmp_path / "my.py")
    file.write(1)
    return file


async def agreed(floor, member):
    """Return what the worker runs, which is what is wanted."""
    pong = await floor.supervisor.ask("trader-1", Ping())
    assert pong.traders == member.wanted.held()
    return member.wanted.get("mine")


AT_THE_UPDATE = [(name, [Fate.PASS, *outward], [Fate.PASS, *inward]) for name, outward, inward in FAULTS]


@pytest.mark.parametrize(
    ("name", "outward", "inward"),
    [*AT_THE_UPDATE, ("killed at the check", [Fate.KILL], [])],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_strategy_runs_as_its_file_is_now_whatever_becomes_of_the_commands(file, name, outward, inward):
    async def scenario():
        async with one_trader_worker() as (floor, pool):
            member = pool.members["trader-1"]
            await pool.add(file.spec())
            file.write(2)
            link = await linked(member.slot.process)
            link.outward, link.inward = list(outward), list(inward)
            assert await pool.reload("mine") == "trader-1"
            reloaded = await agreed(floor, member)
            assert reloaded == TraderSpec(
                **{field: getattr(file.spec(), field) for field in ("name", "strategy", "strategy_digest")}, revision=2
            )
            said = file.said()
            assert said[0] == "start 1"
            # A worker that has died after it was told has a successor that is told, too.
            assert said.count("start 2") == 1 or "killed" in name
            assert said[-1] in ("start 2", "stop 1")

    run(scenario())


def test_a_file_that_cannot_run_leaves_the_old_one_running_and_is_said(file):
    async def scenario():
        async with one_trader_worker() as (floor, pool):
            member = pool.members["trader-1"]
            await pool.add(file.spec())
            before = await agreed(floor, member)
            file.write(2, text="x = (")
            with pytest.raises(RulesError) as refused:
                await pool.reload("mine")
            assert "'(' was never closed" in refused.value.problems[0].message
            file.write(3, text=CODE.replace("class Mine(Strategy):", "class Mine(Strategy):\n    rules = {{'a': 'x'}}"))
            with pytest.raises(RulesError):
                await pool.reload("mine")
            # The check runs the file; only the worker starts the strategy.
            file.write(4, start="1 / 0")
            with pytest.raises(WorkerError, match="cannot start: ZeroDivisionError"):
                await pool.reload("mine")
            file.path.unlink()
            with pytest.raises(WorkerError, match=r"there is no strategy file .*my\.py"):
                await pool.reload("mine")
            assert await agreed(floor, member) == before
            assert file.said() == ["start 1"]
            file.write(5)
            await pool.reload("mine")
            assert file.said() == ["start 1", "start 5", "stop 1"]

    run(scenario())


def test_only_strategies_that_are_there_are_reloaded():
    async def scenario():
        async with one_trader_worker() as (_, pool):
            with pytest.raises(NoStrategyError, match="trader first is a rule and has no file; update it"):
                await pool.reload("first")
            with pytest.raises(UnknownTraderError):
                await pool.reload("mine")

    run(scenario())


def test_what_cannot_start_anew_is_in_quarantine_until_its_file_is_mended_and_reloaded(file):
    async def scenario():
        async with one_trader_worker() as (floor, pool):
            member = pool.members["trader-1"]
            await pool.add(file.spec())
            file.write(2, start="1 / 0")
            # Its worker is started anew, and the file is another one.
            await floor.supervisor.renew(floor.supervisor.slot("trader-1"))
            assert "mine" in pool.locked_up
            assert "mine" not in member.wanted
            (locked_up,) = pool._ledger.quarantined()
            assert "has changed since it was read" in locked_up.reason
            with pytest.raises(WorkerError, match="cannot start: ZeroDivisionError"):
                await pool.reload("mine")
            assert "mine" in pool.locked_up
            file.write(3)
            assert await pool.reload("mine") == "trader-1"
            assert not pool.locked_up
            assert (await agreed(floor, member)).strategy_digest == file.spec().strategy_digest
            assert file.said()[-1] == "start 3"

    run(scenario())


def test_what_is_removed_while_its_worker_refuses_it_is_in_no_quarantine():
    async def scenario():
        async with one_trader_worker() as (_, pool):
            member = pool.members["trader-1"]
            member.wanted.put(TraderSpec(name="gone", rule="lastt > 1"))
            syncing = asyncio.ensure_future(pool.sync_with(member.slot.process, member.wanted))
            await asyncio.sleep(0)
            member.wanted.drop("gone")
            await syncing
            assert not pool.locked_up
            assert not pool._ledger.quarantined()

    run(scenario())
