"""The set of traders changes as a whole or not at all, and only where it differs; and can be asked what matches now."""

from random import Random

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.traders.streams import SYMBOLS, specs, tape
from tests.traders.tapes import Tape, engine, saved_instruments, trader
from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.records import RECORD, Flag
from tickfloor.traders.language.plan import interval_of, plan
from tickfloor.traders.plans import TradersRefusedError

seeds = st.integers(0, 2**32)


def tape_of(*prices) -> Tape:
    tape = Tape()
    for second, price in enumerate(prices):
        tape.trade(second, price)
    return tape


def names(signals):
    return [signal.trader for signal in signals]


def test_a_trader_that_is_added_updated_or_synchronised_as_it_is_stays_as_it_is():
    tape, spec = tape_of(101.0, 101.0, 101.0, 101.0), trader("last > 100")
    made = engine(spec)
    assert names(made.process(tape.records[0])) == ["t"]
    same = msgspec.structs.replace(spec)
    for change, record in ((made.add, 1), (made.update, 2), (lambda each: made.sync([each, each]), 3)):
        change(same)
        assert made.process(tape.records[record]) == []
    assert made.statistics().looks == 1


def test_an_updated_trader_takes_the_place_of_the_one_before_and_is_unknown():
    tape = tape_of(101.0, 101.0, 101.0)
    made = engine(trader("last > 100"), trader("rsi(3) < 50 or last > 100", name="other"))
    assert names(made.process(tape.records[0])) == ["other", "t"]
    made.update(trader("last > 100", revision=2))
    made.update(trader("last > 100 and sma(9) != 1", name="other"))
    (signal,) = made.process(tape.records[1])
    assert (signal.trader, signal.revision) == ("t", 2)
    assert made.statistics().columns == 2  # close and sma(9)
    assert made.process(tape.records[2]) == []


def test_an_update_that_is_not_valid_leaves_the_trader_running():
    tape = tape_of(99.0, 101.0)
    made = engine(trader("last > 100"))
    made.process(tape.records[0])
    before = made.checkpoint()
    with pytest.raises(RuleError):
        made.update(trader("lst > 100"))
    with pytest.raises(ValueError, match="2m"):
        made.update(trader("last > 100", interval="2m"))
    with pytest.raises(KeyError):
        made.update(trader("last > 100", name="nobody"))
    assert made.checkpoint() == before
    assert names(made.process(tape.records[1])) == ["t"]


def test_synchronising_adds_replaces_and_removes_and_disturbs_nobody_else():
    tape = tape_of(101.0, 101.0)
    made = engine(*(trader("last > 100", name=name) for name in ("kept", "changed", "gone")))
    assert len(made.process(tape.records[0])) == 3
    made.sync(
        [
            trader("last > 100", name="new"),
            trader("last > 99", name="changed"),
            trader("last > 100", name="kept"),
        ]
    )
    assert names(made.process(tape.records[1])) == ["changed", "new"]
    made.sync([])
    assert (made.statistics().traders, made.statistics().columns) == (0, 0)


def test_synchronising_with_rules_that_are_not_valid_names_them_and_changes_nothing():
    made = engine(trader("last > 100"))
    before = made.checkpoint()
    wanted = [trader("close > 1", name="good"), trader("clse > 1", name="bad"), trader("close > 1", "u", interval="2m")]
    with pytest.raises(TradersRefusedError, match="trader 'bad': column 1: unknown column `clse`; did you") as refused:
        made.sync(wanted)
    assert list(refused.value.refused) == ["bad", "u"]
    with pytest.raises(TradersRefusedError, match="two of this name"):
        made.sync([trader("close > 1"), trader("close > 2")])
    assert made.checkpoint() == before


@settings(max_examples=40, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])
@given(seeds, seeds, seeds)
def test_what_matches_now_is_what_the_engine_holds_for_matching(rule_seed, tape_seed, cut_seed):
    """Where it has decided at all, and where an at-close rule's columns move only when its own bars close."""
    chosen, records = specs(rule_seed, 12), tape(tape_seed, 300)
    settled = {spec.name for spec in chosen if spec.when == "tick" or moves_at_own_closes(spec)}
    made, start, random = engine(*chosen), 0, Random(cut_seed)
    for _ in range(4):
        cut = random.randrange(start, len(records)) + 1
        while cut < len(records) and RECORD.unpack(records[cut - 1])[6] & Flag.MORE:
            cut += 1
        made.process(b"".join(records[start:cut]))
        start = cut
        if random.random() < 0.3:
            blob = made.checkpoint()
            made = engine(*chosen)
            made.restore([blob])
        before, statistics = made.checkpoint(), made.statistics()
        found = made.run()
        assert (made.checkpoint(), made.statistics()) == (before, statistics)
        for saved in saved_instruments(made).values():
            decided = settled.difference(saved.waiting)
            matching = {name for name, keys in found.matches.items() if saved.key in keys}
            assert matching & decided == set(saved.matched) & decided
        if start == len(records):
            break


def moves_at_own_closes(spec) -> bool:
    planned = plan(spec)
    return all(interval_of(column) is planned.interval for column in planned.columns)


def test_some_traders_can_be_asked_for_and_evaluations_are_counted():
    tape = Tape()
    for row in range(len(SYMBOLS)):
        tape.trade(row, 100.0 + row, row=row)
    tape.close(60, "1m")
    made = engine(
        trader("last > 101", name="a"),
        trader("last < 101", name="b", symbols=("*USDT",)),
        trader("close == 100", name="c", when="close"),
        trader("last > 900", name="d"),
    )
    made.process(tape.bytes())
    everything = {"a": ("binance:ETHBTC",), "b": ("binance:BTCUSDT",), "c": ("binance:BTCUSDT",)}
    assert made.run() == (everything, 11)
    assert made.run(["b", "d"]) == ({"b": everything["b"]}, 5)
    with pytest.raises(KeyError):
        made.run(["a", "nobody"])
