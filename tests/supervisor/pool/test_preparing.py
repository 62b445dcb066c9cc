"""What the pool has the trader workers' template prepare, and when."""

import asyncio
from types import SimpleNamespace

import msgspec

from tickfloor.contracts.commands import TradersChecked
from tickfloor.contracts.traders import TraderSet, TraderSpec
from tickfloor.supervisor.health.blame import BlameLedger
from tickfloor.supervisor.pool import trader_pool
from tickfloor.supervisor.pool.trader_pool import Member, TraderPool
from tickfloor.worker.log import Log


class FakeSupervisor:
    """Answers every command, and keeps what is to be prepared."""

    def __init__(self):
        self.prepared: list[list[str]] = []
        self.told = asyncio.Event()

    def prepare(self, kind, payload):
        assert kind == "the kind"
        self.prepared.append(sorted(spec.name for spec in msgspec.msgpack.decode(payload, type=list[TraderSpec])))
        self.told.set()

    async def ask(self, name, body):
        specs = getattr(body, "specs", ())
        return TradersChecked(columns={spec.name: () for spec in specs}, problems=())


def pool_of(supervisor):
    pool = TraderPool(
        kind="the kind",
        supervisor=supervisor,
        memory=None,
        settings=None,
        ledger=BlameLedger(),
        unstored=lambda: 0,
        log=Log("supervisor", lambda line: None),
    )
    slot = SimpleNamespace(process=None, spec=SimpleNamespace(name="trader-1"))
    pool.members["trader-1"] = Member(slot, None, TraderSet())
    return pool


def rule(name):
    return TraderSpec(name=name, rule="close > 1")


def test_changes_that_come_together_are_prepared_together_and_strategies_are_not(monkeypatch):
    monkeypatch.setattr(trader_pool, "_PREPARE_SECONDS", 0.0)

    async def scenario():
        supervisor = FakeSupervisor()
        pool = pool_of(supervisor)
        first = [rule("a"), TraderSpec(name="s", strategy="/x.py:X")]
        await pool.check(first)
        await pool.begin(first)
        await pool.add(rule("b"))
        await pool.update(rule("a"))
        await supervisor.told.wait()
        assert supervisor.prepared == [["a", "b"]]
        supervisor.told.clear()
        await pool.remove("a")
        await supervisor.told.wait()
        assert supervisor.prepared[1:] == [["b"]]

    asyncio.run(scenario())
