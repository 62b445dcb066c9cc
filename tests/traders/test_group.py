"""Rules and strategies of one worker behind one face."""

import pytest

from tests.traders.strategies.hosting import Hosting, sample
from tests.traders.tapes import Tape, engine, trader
from tickfloor.contracts.errors import CheckpointError, TickfloorError
from tickfloor.traders.group import TraderGroup


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
