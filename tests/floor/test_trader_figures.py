"""A running floor says what its traders have done, and goes on saying it when their workers are replaced."""

from tests.floor.test_floor_commands import asked, wild
from tickfloor.contracts.commands import Measure
from tickfloor.supervisor.control.replies import RefusalKind, TraderShown, TradersRanked, WorkerReplaced
from tickfloor.supervisor.control.requests import RankTraders, ReplaceWorker, ShowTrader

CODE = """
from tickfloor.traders.strategies.strategy import Strategy


class Wild(Strategy):
    rules = {"up": "close > open"}

    def on_tick(self, tick):
        pass

    def on_signal(self, signal):
        pass
"""


def test_what_each_trader_has_done_is_shown_and_ranked(tmp_path, small_capture, many_rules):
    plan = wild(tmp_path, small_capture, many_rules, CODE)

    async def scene(floor, client):
        async def ranked(by, most=100):
            reply = await client.granted(RankTraders(by=by, most=most), TradersRanked)
            assert reply.silent == ()
            return reply.traders

        everybody = await ranked(Measure.SIGNALS)
        assert {each.trader.spec.name for each in everybody} == {spec.name for spec in plan.traders}
        signals = [each.report.signals for each in everybody]
        assert signals == sorted(signals, reverse=True)
        assert sum(signals) >= 30
        shares = dict.fromkeys(floor._pool.members, 0.0)
        for each in everybody:
            shares[each.trader.worker] += each.report.share
        assert all(0.99 < share < 1.01 for share in shares.values())
        assert len(await ranked(Measure.TIME, 2)) == 2

        first = everybody[0]
        name, worker = first.trader.spec.name, first.trader.worker
        await client.granted(ReplaceWorker(name=worker), WorkerReplaced)
        shown = await client.granted(ShowTrader(name=name), TraderShown)
        assert shown.trader == first.trader
        assert shown.columns == floor._pool.columns[name]
        assert shown.report.evaluations >= first.report.evaluations > 0
        assert shown.report.signals >= first.report.signals

        strategy = await client.granted(ShowTrader(name="wild"), TraderShown)
        assert strategy.report.strategy.state == "running"
        assert strategy.report.strategy.calls > 0
        (rule,) = strategy.report.strategy.rules
        assert (rule.name, rule.rule) == ("up", "close > open")
        assert strategy.columns == ("close@1m", "open@1m")
        await client.refused(ShowTrader(name="nobody"), RefusalKind.NOT_FOUND, "there is no trader nobody")

    asked(tmp_path, plan, scene)
