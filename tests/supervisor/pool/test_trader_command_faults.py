"""Traders are changed over a channel that fails in each way, in a real trader worker: what is wanted is what runs."""

import time
from contextlib import asynccontextmanager

import pytest
from stress.faulty_channel import Fate

from tests.supervisor.supervised import RUN_ID, run, supervised
from tests.supervisor.test_command_faults import ONCE, linked
from tickfloor.board.board_layout import BoardLayout
from tickfloor.contracts.commands import Ping
from tickfloor.contracts.settings import TraderSettings
from tickfloor.contracts.traders import TraderSpec
from tickfloor.kinds import TRADER_KIND
from tickfloor.supervisor.floor_memory import FloorMemory
from tickfloor.supervisor.health.blame import BlameLedger
from tickfloor.supervisor.pool.trader_pool import TraderPool
from tickfloor.supervisor.restarts import RestartPolicy
from tickfloor.worker.log import Log

FAULTS = [*ONCE, ("killed before", [Fate.KILL], []), ("killed after", [], [Fate.KILL])]


def trader(name, rule="last > 1"):
    return TraderSpec(name=name, rule=rule)


@asynccontextmanager
async def one_trader_worker():
    """A pool of one real worker, at a tape that nobody writes to."""
    memory = FloorMemory(
        tape="tape", tape_records=256, board=BoardLayout(4, 10), seats=2, run_id=RUN_ID, messages=False
    )
    try:
        async with supervised() as floor:
            pool = TraderPool(
                kind=TRADER_KIND,
                supervisor=floor.supervisor,
                memory=memory,
                settings=lambda reader: TraderSettings(source="s", tape="tape", reader=reader),
                ledger=BlameLedger(),
                unstored=lambda: 0,
                log=Log("supervisor", floor.lines.append),
            )
            await pool.open(1)
            await pool.check([trader("first")])
            await pool.begin([trader("first")])
            floor.supervisor.slot("trader-1").restarts = RestartPolicy(
                intensity=1_000, period=1.0, clock=time.monotonic, jitter=lambda longest: 0.0
            )
            yield floor, pool
    finally:
        memory.close()


@pytest.mark.parametrize(("outward", "inward"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_what_is_wanted_is_what_runs(outward, inward):
    async def scenario():
        async with one_trader_worker() as (floor, pool):
            member = pool.members["trader-1"]
            changes = (
                lambda: pool.add(trader("second")),
                lambda: pool.update(trader("second", "last > 2")),
                lambda: pool.run(["second"]),
                lambda: pool.add(trader("third")),
                lambda: pool.remove("second"),
                lambda: pool.sync_with(member.slot.process, member.wanted),
                lambda: pool.remove("third"),
            )
            for change in changes:
                process = member.slot.process
                if Fate.KILL in (*outward, *inward) and change is changes[5]:
                    # It is for this very process, and would only tell of its death.
                    continue
                link = await linked(process)
                link.outward, link.inward = list(outward), list(inward)
                await change()
                pong = await floor.supervisor.ask("trader-1", Ping())
                assert pong.traders == member.wanted.held()
            assert [spec.name for spec in member.wanted.specs()] == ["first"]
            assert floor.logged("traders differ from what is wanted") == []

    run(scenario())


def test_traders_that_differ_twice_are_made_what_is_wanted():
    async def scenario():
        async with one_trader_worker() as (floor, pool):
            member = pool.members["trader-1"]
            # Wanted, and never said: what any mistake comes to.
            member.wanted.put(trader("second"))
            member.wanted.revision += 1
            process = member.slot.process
            for _ in range(3):
                pong = await process.command(Ping())
                pool.on_pong(process, pong.traders)
            while (await process.command(Ping())).traders != member.wanted.held():
                # Every answer is another look.
                pass
            assert len(floor.logged("traders differ from what is wanted")) == 1

    run(scenario())
