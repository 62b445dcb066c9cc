"""What traders have done is asked of those who run them; who cannot say it holds nobody up."""

import os
import signal

import pytest
from stress.faulty_channel import Fate

from tests.supervisor.pool.test_trader_command_faults import one_trader_worker, trader
from tests.supervisor.supervised import run
from tests.supervisor.test_command_faults import linked
from tickfloor.contracts.commands import Measure
from tickfloor.supervisor.control.floor_control import ControlRefusedError
from tickfloor.supervisor.control.replies import RefusalKind
from tickfloor.supervisor.control.trader_view import TraderView
from tickfloor.supervisor.pool import trader_reports


def view_of(pool):
    return TraderView(pool, pool._ledger, pool._log)


def test_traders_are_shown_ranked_and_unknown_ones_refused():
    async def scenario():
        async with one_trader_worker() as (_, pool):
            view = view_of(pool)
            await pool.add(trader("second", "close > sma(9)"))
            shown = await view.one("second")
            assert (shown.trader.spec.name, shown.trader.worker) == ("second", "trader-1")
            assert shown.columns == ("close@1m", "sma(9)@1m")
            assert (shown.report.name, shown.report.evaluations) == ("second", 0)
            ranked = await view.first(Measure.SIGNALS, 1)
            assert [each.trader.spec.name for each in ranked.traders] == ["first"]
            assert ranked.silent == ()
            assert len((await view.first(Measure.TIME, 9)).traders) == 2
            with pytest.raises(ControlRefusedError, match="there is no trader third") as refused:
                await view.one("third")
            assert refused.value.kind is RefusalKind.NOT_FOUND

    run(scenario())


def test_a_trader_in_quarantine_is_shown_without_figures():
    async def scenario():
        async with one_trader_worker() as (_, pool):
            pool._ledger.quarantine("first", 0.0, "hung twice")
            pool._lock_up(pool.members["trader-1"].wanted, "first", "hung twice")
            shown = await view_of(pool).one("first")
            assert (shown.trader.quarantine, shown.trader.worker, shown.report) == ("hung twice", "", None)
            assert (await view_of(pool).first(Measure.TIME, 9)).traders == ()

    run(scenario())


def test_a_worker_that_does_not_answer_is_named_and_its_traders_are_shown_all_the_same(monkeypatch):
    async def scenario():
        async with one_trader_worker() as (_, pool):
            monkeypatch.setattr(trader_reports, "_PATIENCE", 0.05)
            process = pool.members["trader-1"].slot.process
            os.kill(process.pid, signal.SIGSTOP)
            try:
                shown = await view_of(pool).one("first")
                assert (shown.trader.worker, shown.report) == ("trader-1", None)
                ranked = await view_of(pool).first(Measure.TIME, 9)
                assert (ranked.traders, ranked.silent) == ((), ("trader-1",))
            finally:
                os.kill(process.pid, signal.SIGCONT)

    run(scenario())


def test_a_report_comes_though_messages_are_lost():
    async def scenario():
        async with one_trader_worker() as (_, pool):
            link = await linked(pool.members["trader-1"].slot.process)
            for outward, inward in (([Fate.LOSE], []), ([], [Fate.LOSE]), ([], [Fate.REPEAT])):
                link.outward, link.inward = list(outward), list(inward)
                assert (await view_of(pool).one("first")).report.name == "first"

    run(scenario())
