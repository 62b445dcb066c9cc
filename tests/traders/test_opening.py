"""Instruments that are opened before their next record, while there is nothing to read: no result depends on it."""

from random import Random

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.traders.streams import specs, tape
from tests.traders.tapes import Tape, engine, trader
from tests.traders.test_engine_against_reference import HISTORY
from tests.traders.test_resync import Board
from tickfloor.contracts.records import RECORD

seeds = st.integers(0, 2**32)


def disturbed(made, chosen, records, random: Random, *, late: bool, opening: bool):
    """Run a tape with changes of traders, restores and holes; the same for the same random numbers."""
    board = None if late else Board()
    got, start, lazy = [], 0, Random(random.random())
    while start < len(records):
        stop = start + random.randrange(1, 40)
        got += made.process(b"".join(records[start:stop]))
        for record in records[start:stop] if board is not None else ():
            board.record(record)
        start = stop
        what = random.random()
        if what < 0.3:
            made.sync(random.sample(chosen, random.randrange(1, len(chosen) + 1)))
        elif what < 0.6:
            successor = engine(*random.sample(chosen, len(chosen)))
            successor.restore([made.checkpoint()])
            made = successor
        elif what < 0.7 and board is not None:
            made.resync(min(stop, len(records)), board.views())
        if opening:
            for _ in range(lazy.randrange(5)):
                made.open_next()
    return got, made.run().matches, made.statistics()


@settings(max_examples=40, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])
@given(seeds, seeds, seeds, st.booleans())
def test_opening_between_any_two_records_changes_nothing_else(rule_seed, tape_seed, seed, late):
    chosen = [*specs(rule_seed, 8), *Random(seed).sample(HISTORY, 3)]
    records = tape(tape_seed, 200, longest_step_ms=90_000, late=late)
    lazily, eagerly = (
        disturbed(engine(*chosen), chosen, records, Random(seed), late=late, opening=opening)
        for opening in (False, True)
    )
    assert eagerly == lazily


def restored(*chosen):
    market = Tape()
    for row in range(3):
        market.trade(row, 100.0 + row, row=row)
    before = engine(*chosen)
    before.process(market.bytes())
    made = engine(*chosen)
    made.restore([before.checkpoint()])
    return made, market


def test_each_instrument_is_opened_once_and_then_there_is_nothing_to_do():
    made, market = restored(trader("close > 101"))
    assert [made.open_next() for _ in range(5)] == [True, True, True, False, False]
    made.add(trader("close > 102", "later"))
    assert [made.open_next() for _ in range(4)] == [True, True, True, False]
    market.trade(3, 110.0)
    # Both of them: 100 was neither's.
    assert [signal.trader for signal in made.process(market.bytes())] == ["later", "t"]


def test_an_instrument_that_no_trader_applies_to_is_kept_for_one_that_may_come():
    chosen = trader("high > 99")
    made, market = restored(chosen)
    made.sync([msgspec.structs.replace(chosen, symbols=("ETHUSDT",))])
    assert [made.open_next() for _ in range(2)] == [True, False]
    made.sync([trader("sma(close, 2) > 0 or high > 100.5", "late")])
    market.trade(60.5, 90.0, row=2)
    # The bar is the one that began before the trader came.
    signals = made.process(market.bytes())
    assert [(signal.trader, signal.values["high"]) for signal in signals] == [("late", 102.0)]
    assert made.run(["late"]).matches == {"late": ("binance:ETHUSDT", "binance:ETHBTC")}


def test_a_new_engine_has_nothing_to_open():
    assert not engine(trader("close > 1")).open_next()


def test_a_record_that_comes_first_opens_its_own():
    made, market = restored(trader("close > 101"))
    market.trade(3, 99.0, row=1)
    made.process(market.bytes())
    assert [made.open_next() for _ in range(3)] == [True, True, False]
    assert RECORD.unpack(market.records[-1])[3] == 1
