"""Strategies hear of their own rules as a trader with that rule would signal."""

from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.traders.strategies import witness
from tests.traders.strategies.hosting import Hosting, sample, sequences
from tests.traders.streams import tape
from tests.traders.tapes import Tape, engine, trader
from tickfloor.traders.group import TraderGroup
from tickfloor.traders.strategies.statistics import StrategyState
from tickfloor.traders.strategies.ticks import RuleSignal

BTC = "binance:BTCUSDT"
RULES = {"dear": "last > 100", "rising": "close > sma(3)"}


@pytest.fixture(autouse=True)
def _nobody_has_seen_anything():
    witness.seen.clear()
    witness.do.clear()


def group(*specs, hosting=None):
    made = TraderGroup(engine(), (hosting or Hosting()).host())
    assert made.sync(specs, revision=1) == {}
    return made


def statistics(made):
    (found,) = made._strategies.statistics().strategies
    return found


def test_a_rule_is_heard_of_at_its_record_after_the_tick():
    market = Tape()
    for second, price in enumerate([99.0, 101.0, 102.0, 98.0, 103.0]):
        market.trade(second, price)
    made = group(sample("Listening", name="s", revision=4), trader("last > 100", "t"))
    signals = made.process(market.bytes())
    assert [what for what, _ in witness.seen] == ["tick", "tick", "signal", "tick", "tick", "tick", "signal"]
    heard = [event for what, event in witness.seen if what == "signal"]
    plain = [signal for signal in signals if signal.trader == "t"]
    assert heard == [RuleSignal("dear", BTC, signal.ts_event, {"last": signal.values["last"]}) for signal in plain]
    own = [signal for signal in signals if signal.trader == "s"]
    assert sequences(own) == sequences(plain) == [1, 4]
    assert [signal.values for signal in own] == [{"dear": 1.0, "given": 2.0}, {"dear": 1.0, "given": 5.0}]
    assert {signal.revision for signal in own} == {4}
    assert sequences(signals) == [1, 1, 4, 4]
    assert statistics(made).calls == 7


def test_signals_of_one_record_are_numbered_through_whatever_raises_them(tmp_path):
    path = tmp_path / "my.py"
    path.write_text(
        "from tickfloor.traders.strategies.strategy import Strategy\n"
        "class Mine(Strategy):\n"
        "    rules = {'a': 'last > 100', 'b': 'last > 101'}\n"
        "    def on_tick(self, tick):\n"
        "        self.signal(tick.instrument, n=0)\n"
        "        self.signal(tick.instrument, n=1)\n"
        "    def on_signal(self, signal):\n"
        "        self.signal(signal.instrument, n=2 if signal.rule == 'a' else 3)\n"
    )
    market = Tape()
    market.trade(0, 102.0)
    market.trade(1, 103.0)
    signals = group(sample("Mine", strategy=f"{path}:Mine")).process(market.bytes())
    assert [signal.values["n"] for signal in signals] == [0, 1, 2, 3, 0, 1]
    assert len({signal.id for signal in signals}) == 6


def test_rules_see_the_strategy_s_instruments_and_interval_only():
    market = Tape()
    market.trade(0, 200.0)
    market.trade(0, 200.0, row=1)
    made = group(sample("Listening", name="s", symbols=("ETH*",), interval="5m"))
    assert [signal.instrument for signal in made.process(market.bytes())] == ["binance:ETHUSDT"]
    assert {rule.interval for rule in made._strategies.roster.rules_of("s")} == {"5m"}


def test_rules_end_with_their_strategy():
    made = group(sample("Listening", name="s"), trader("last > 100", "t"))
    assert len(made) == 2
    assert made._engine.statistics().traders == 3
    made.drop("s", revision=2)
    assert made._engine.statistics().traders == 1
    made.put(sample("Listening", name="s"), revision=3)
    assert made._engine.statistics().traders == 3
    assert made.sync([], revision=4) == {}
    assert made._engine.statistics().traders == 0


def test_what_a_strategy_s_rules_match_is_told():
    market = Tape()
    market.trade(0, 200.0)
    made = group(sample("Listening", name="s"), trader("last > 1", "t"), sample("Silent", name="none"))
    made.process(market.bytes())
    assert made.matches(["s"]) == ({"s/dear": (BTC,)}, 2)
    assert made.matches(["s", "t"]) == made.matches(()) == ({"s/dear": (BTC,), "t": (BTC,)}, 3)
    assert made.matches(["none"]) == ({}, 0)


def test_a_name_that_a_trader_has_cannot_be_a_rule_s():
    made = TraderGroup(engine(), Hosting().host())
    clash = "there is a trader s/dear already"
    refused = made.sync([sample("Listening", name="s"), trader("last > 1", "s/dear")], revision=1)
    assert refused.keys() == {"s"}
    assert clash in refused["s"]
    assert made.held.count == 1
    with pytest.raises(Exception, match=clash):
        made.put(sample("Listening", name="s"), revision=2)
    made.drop("s/dear", revision=3)
    made.put(sample("Listening", name="s"), revision=4)
    with pytest.raises(Exception, match=clash):
        made.put(trader("last > 1", "s/dear"), revision=5)
    assert made.held.count == 1


def test_while_effects_are_stopped_no_rule_is_heard_of_and_then_all_begin():
    hosting = Hosting()
    hosting.effects.allowed = False
    made = group(sample("Listening", name="s"), hosting=hosting)
    market = Tape()
    for second, price in enumerate([101.0, 99.0, 102.0]):
        market.trade(second, price)
    assert made.process(market.records[0]) == []
    assert made._engine.statistics().traders == 0
    hosting.effects.allowed = True
    assert sequences(made.process(b"".join(market.records[1:]))) == [2]
    assert statistics(made).state is StrategyState.RUNNING
    hosting.effects.allowed = False
    market.trade(3, 99.0)
    market.trade(4, 102.0)
    assert made.process(b"".join(market.records[3:])) == []
    assert statistics(made).held_back == 1 + 3


def bounded(examples):
    return settings(max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])


@bounded(15)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_however_it_is_cut_and_handed_over_a_strategy_hears_what_a_trader_would_signal(tape_seed, cut_seed):
    witness.seen.clear()
    records, random = tape(tape_seed, 300, longest_step_ms=20_000), Random(cut_seed)
    specs = [
        sample("Listening", name="s", symbols=("BTC*",)),
        *(trader(rule, name, symbols=("BTC*",)) for name, rule in RULES.items()),
    ]
    expected = group(*specs).process(b"".join(records))
    heard = [event for what, event in witness.seen if what == "signal"]
    plain = sorted(
        (each for each in expected if each.trader != "s"), key=lambda each: (each.tape_sequence, each.trader)
    )
    assert heard == [RuleSignal(each.trader, each.instrument, each.ts_event, each.values) for each in plain]
    made, got, start = group(*specs), [], 0
    while start < len(records):
        end = start + random.choice([1, 2, 3, random.randrange(1, 60)])
        got += made.process(b"".join(records[start:end]))
        start = end
        if random.random() < 0.1:
            saved = made.checkpoint()
            made = group(*random.sample(specs, len(specs)))
            made.restore([saved])
    assert got == expected


@bounded(10)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_strategies_that_are_spread_anew_again_and_again_hear_everything_once(tape_seed, spread_seed):
    records, random = tape(tape_seed, 300, longest_step_ms=20_000), Random(spread_seed)
    specs = [sample("Listening", name=name, symbols=("BTC*", "ETH*")[: 1 + number]) for number, name in enumerate("ab")]
    specs += [trader(RULES["rising"], "t")]
    expected = group(*specs).process(b"".join(records))
    groups, got, start = [group(*specs), group()], [], 0
    while start < len(records):
        end = start + random.randrange(1, 60)
        for made in groups:
            got += made.process(b"".join(records[start:end]))
        start = end
        if random.random() < 0.3:
            saved = [made.checkpoint() for made in groups]
            shares = [[], [], []]
            for spec in specs:
                random.choice(shares).append(spec)
            groups = [group(*share) for share in shares]
            for made in groups:
                made.restore(saved)
    assert len({signal.id for signal in got}) == len(got)
    assert {signal.id: signal for signal in got} == {signal.id: signal for signal in expected}
