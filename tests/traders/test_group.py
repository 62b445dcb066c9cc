"""Rules and strategies of one worker behind one face."""

import pytest

from tests.traders.strategies.hosting import Hosting, sample
from tests.traders.tapes import Tape, engine, trader
from tickfloor.contracts.errors import CheckpointError, TickfloorError
from tickfloor.contracts.traders import TraderSet
from tickfloor.traders.group import TraderGroup
from tickfloor.traders.plans import TradersRefusedError


def group(*specs):
    made = TraderGroup(engine(), Hosting().host())
    assert made.sync(specs, revision=1) == {}
    return made


def one_trade():
    market = Tape()
    market.trade(0, 100.0)
    return market.bytes()


def test_a_strategy_matches_nothing_and_asking_for_it_asks_for_no_rule():
    made = group(trader("close > 1", "rule"), sample("Counting", "strategy"))
    made.process(one_trade())
    everything = ({"rule": ("binance:BTCUSDT",)}, 1)
    assert made.matches(()) == everything
    assert made.matches(["rule"]) == everything
    assert made.matches(["strategy"]) == ({}, 0)
    assert made.matches(["strategy", "rule"]) == everything


def test_a_name_that_is_nobody_s_is_an_answer_and_no_death():
    with pytest.raises(TickfloorError, match="no trader other runs here"):
        group(trader("close > 1", "rule")).matches(["rule", "other"])


def test_what_was_saved_is_gone_on_from():
    chosen = [trader("close > 1", "rule"), sample("Counting", "strategy")]
    before = group(*chosen)
    before.process(one_trade())
    after = group(*chosen)
    after.restore([before.checkpoint()])
    assert after.matches(()) == before.matches(())
    assert after.checkpoint() == before.checkpoint()


def test_pieces_that_are_not_those_of_a_group_are_refused():
    with pytest.raises(CheckpointError, match="of another version"):
        group().restore([(b"",)])


# What is stopped for good


def failing(name="failing"):
    return sample("Failing", name)


def ten_trades():
    market = Tape()
    for second in range(10):
        market.trade(second, 101.0)
    return market.bytes()


def test_what_is_stopped_for_good_runs_no_more_and_is_refused_with_its_reason_when_it_is_asked_for():
    specs = [trader("close > 1", "rule"), failing(), sample("Silent", "other")]
    made = group(*specs)
    before = made.held
    made.process(ten_trades())
    assert made.held != before
    assert made.held.count == 2
    reason = "failed 10 times in a row: ValueError: too dear: 101.0"
    with pytest.raises(TradersRefusedError, match=reason):
        made.put(failing(), revision=2)
    assert made.sync(specs, revision=3) == {"failing": reason}
    assert made.held == TraderSet([specs[0], specs[2]], 3).held()
    assert made.strategy_figures()["strategies"] == 1
    made.put(failing(), revision=4)  # it was pardoned
    assert made.held == TraderSet(specs, 4).held()


def test_a_successor_refuses_what_its_predecessor_stopped():
    made = group(failing())
    made.process(ten_trades())
    successor = group(failing())
    successor.restore([made.checkpoint()])
    assert successor.held.count == 0
    assert list(successor.sync([failing()], revision=2)) == ["failing"]


def test_what_cannot_start_is_refused_and_the_others_run():
    made = TraderGroup(engine(), Hosting().host())
    specs = [trader("clos > 1", "rule"), trader("close > 1", "good"), sample("Nobody", "missing"), failing()]
    twice = [trader("close > 1", "twice"), trader("close > 2", "twice")]
    refused = made.sync([*specs, *twice, sample("Silent", "odd", interval="7m")], revision=1)
    assert refused.keys() == {"rule", "missing", "twice", "odd"}
    assert "there is no class 'Nobody' in it" in refused["missing"]
    assert 'interval "7m" is none of' in refused["odd"]
    assert made.held == TraderSet([specs[1], specs[3]], 1).held()
    with pytest.raises(TradersRefusedError, match="Nobody"):
        made.put(sample("Nobody", "missing"), revision=2)
    with pytest.raises(TradersRefusedError, match="unknown"):
        made.put(trader("clos > 1", "good"), revision=2)
    assert made.held == TraderSet([specs[1], specs[3]], 1).held()
