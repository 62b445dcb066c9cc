"""A strategy in a running floor: it breaks its budget, is shown in quarantine, and is reloaded mended."""

from tests.floor.test_floor_commands import asked, wild
from tests.waiting import until_async
from tickfloor.supervisor.control.replies import RefusalKind, TraderPlaced, TradersListed, WorkerShown
from tickfloor.supervisor.control.requests import ListTraders, ReloadTrader, ShowWorker

CODE = """
from time import thread_time

from tickfloor.traders.strategies.strategy import Strategy


class Wild(Strategy):
    rules = {{"up": "close > open"}}

    def on_signal(self, signal):
        until = thread_time() + {seconds}
        while thread_time() < until:
            pass
        self.signal(signal.instrument, version={version})
"""


def test_a_strategy_that_breaks_its_budget_is_in_quarantine_until_it_is_mended_and_reloaded(
    tmp_path, small_capture, many_rules
):
    plan = wild(tmp_path, small_capture, many_rules, CODE.format(seconds=0.06, version=1))

    async def scene(floor, client):
        async def shown():
            listed = await client.granted(ListTraders(), TradersListed)
            return next(each for each in listed.traders if each.spec.name == "wild")

        await until_async(lambda: "wild" in floor._pool.locked_up, "it is in quarantine")
        found = await shown()
        assert found.worker == ""
        assert "calls took too long" in found.quarantine
        assert "its budget is 50 ms" in found.quarantine
        (tmp_path / "wild.py").write_text("x = (")
        refused = await client.refused(ReloadTrader(name="wild"), RefusalKind.INVALID, "'wild' cannot run")
        assert "'(' was never closed" in refused.problems[0].message
        assert (await shown()).worker == ""
        (tmp_path / "wild.py").write_text(CODE.format(seconds=0, version=2))
        placed = await client.granted(ReloadTrader(name="wild"), TraderPlaced)
        assert placed.revision == 2
        found = await shown()
        assert (found.worker, found.quarantine) == (placed.worker, "")
        figures = (await client.granted(ShowWorker(name=placed.worker), WorkerShown)).worker.figures
        assert (figures["strategies"], figures["strategies_failed"]) == (1, 0)
        await client.refused(ReloadTrader(name="nobody"), RefusalKind.NOT_FOUND, "there is no trader nobody")
        rule = next(spec.name for spec in plan.traders if not spec.strategy)
        await client.refused(ReloadTrader(name=rule), RefusalKind.REFUSED, "is a rule and has no file")

    outcome = asked(tmp_path, plan, scene, signals=1)
    assert sum(worker.restarts for worker in outcome.status.workers) == 0
    versions = [signal.values["version"] for signal in outcome.signals if signal.trader == "wild"]
    assert sorted(versions) == versions
    assert versions.count(1.0) == 3
    assert versions.count(2.0) > 0
    assert not [signal for signal in outcome.signals if signal.trader.startswith("wild/")]
