"""Traders move between engines: checkpoints of several at one position, restored into others with other shares."""

from random import Random

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.traders.streams import describe, specs, tape
from tests.traders.tapes import Tape, engine, trader
from tests.traders.test_engine_against_reference import HISTORY
from tests.traders.test_resync import Board, simple_rules
from tickfloor.contracts.errors import CheckpointError
from tickfloor.contracts.records import RECORD, Flag
from tickfloor.traders.statistics import Counters

seeds = st.integers(0, 2**32)
pace = st.sampled_from([20_000, 90_000, 240_000])


def bounded(examples: int):
    return settings(max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])


def in_order(signals):
    return sorted(signals, key=lambda signal: (signal.tape_sequence, signal.trader))


def shares_of(chosen, random: Random):
    """Spread traders over one to four engines; some may get none."""
    shares = [[] for _ in range(random.randrange(1, 5))]
    for spec in random.sample(chosen, len(chosen)):
        random.choice(shares).append(spec)
    return shares


def moved(engines, shares, random: Random):
    """Checkpoint everybody here and restore everything into others."""
    blobs = [each.checkpoint() for each in engines]
    successors = [engine(*share) for share in shares]
    for successor in successors:
        successor.restore(random.sample(blobs, len(blobs)))
    return successors


def cuts_of(records, random: Random, most: int):
    """Return positions, half of them inside an event, as between a late trade and its revisions."""
    anywhere = range(len(records) + 1)
    inside = [index + 1 for index, record in enumerate(records) if RECORD.unpack(record)[6] & Flag.MORE]
    return sorted(random.choice(random.choice([anywhere, inside])) for _ in range(random.randrange(1, most + 1)))


@bounded(60)
@given(seeds, seeds, seeds, pace)
def test_moves_of_any_shares_at_any_positions_change_no_signal(rule_seed, tape_seed, move_seed, longest_step_ms):
    random = Random(move_seed)
    chosen = [*specs(rule_seed, 12), *random.sample(HISTORY, 4)]
    records = tape(tape_seed, 300, longest_step_ms=longest_step_ms, reach_ms=random.choice([840_000, 7_200_000]))
    whole = engine(*chosen)
    expected = whole.process(b"".join(records))
    engines = [engine(*share) for share in shares_of(chosen, random)]
    got, start = [], 0
    for cut in [*cuts_of(records, random, 6), len(records)]:
        got += [signal for each in engines for signal in each.process(b"".join(records[start:cut]))]
        start = cut
        engines = moved(engines, shares_of(chosen, random), random)
    assert in_order(got) == expected


@bounded(30)
@given(seeds, seeds, seeds)
def test_traders_that_come_change_and_go_change_no_signal_of_the_others(rule_seed, tape_seed, change_seed):
    *chosen, one, other = specs(rule_seed, 8)
    records, random = tape(tape_seed, 300), Random(change_seed)
    expected = engine(*chosen).process(b"".join(records))
    made, got, start = engine(*chosen), [], 0
    for cut in [*cuts_of(records, random, 8), len(records)]:
        guests = [msgspec.structs.replace(spec, name=random.choice("ab") + spec.name) for spec in (one, other)]
        made.sync(random.sample([*chosen, *guests], len(chosen) + 2) if random.random() < 0.7 else chosen)
        if random.random() < 0.3:
            made.add(trader("close > sma(3)", name="guest"))
            made.update(trader("sma(close, 4) > rsi(2)", name="guest"))
        if random.random() < 0.5:
            (made,) = moved([made], [[*chosen, one]], random)
        got += made.process(b"".join(records[start:cut]))
        start = cut
    names = {spec.name for spec in chosen}
    assert [signal for signal in got if signal.trader in names] == expected


@bounded(30)
@given(seeds, seeds, seeds)
def test_engines_that_bridged_a_hole_and_others_can_be_brought_together(rule_seed, tape_seed, cut_seed):
    """The board knows what the tape has said, so the traders of both go on as if nobody had missed anything."""
    random, records = Random(cut_seed), tape(tape_seed, 300, late=False)
    chosen = [msgspec.structs.replace(spec, cooldown_ns=0) for spec in simple_rules(rule_seed, 8)]
    ends = [index + 1 for index, record in enumerate(records) if not RECORD.unpack(record)[6] & Flag.MORE]
    start, end, cut = sorted(random.sample(ends, 3))
    expected = [s for s in engine(*chosen).process(b"".join(records)) if s.tape_sequence >= cut]
    shares = shares_of(chosen, random)
    engines = [engine(*share) for share in shares]
    board = Board()
    for record in records[:end]:
        board.record(record)
    for index, each in enumerate(engines):
        if index == 0 or random.random() < 0.5:
            each.process(b"".join(records[:start]))
            each.resync(end, board.views())
        each.process(b"".join(records[:cut][each.position :]))
    engines = moved(moved(engines, shares_of(chosen, random), random), shares_of(chosen, random), random)
    got = [signal for each in engines for signal in each.process(b"".join(records[cut:]))]
    assert in_order(got) == expected


def test_a_trader_that_no_checkpoint_knows_starts_unknown_and_others_go_on():
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(1, 101.0)
    rule = "last > 100"
    a, b, new = (trader(rule, name=name) for name in ("a", "b", "new"))
    engines = [engine(a), engine(b)]
    assert sum(len(each.process(tape.records[0])) for each in engines) == 2
    made = engine(new, b, a)
    made.restore([each.checkpoint() for each in engines])
    assert [signal.trader for signal in made.process(tape.records[1])] == ["new"]


@pytest.mark.parametrize("removed_before", [True, False])
def test_a_trader_removed_and_added_again_before_an_instruments_next_record_is_new(removed_before):
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(1, 101.0)
    a, b = trader("last > 100", name="a"), trader("last > 100", name="b")
    first = engine(a, b)
    first.process(tape.records[0])
    if removed_before:
        first.remove("a")
        first.add(a)
    made = engine(a, b)
    made.restore([first.checkpoint()])
    if not removed_before:
        made.remove("a")
        blob = made.checkpoint()
        made = engine(b)
        made.restore([blob])
        made.add(a)
    blob = made.checkpoint()
    made = engine(a, b)
    made.restore([blob])
    assert [signal.trader for signal in made.process(tape.records[1])] == ["a"]


def test_of_a_column_that_two_engines_have_the_longer_history_is_taken():
    tape = Tape()
    tape.minutes([100.0, 200.0, 300.0, 400.0, 500.0, 600.0])
    early, late = trader("sma(4) > 1", name="early"), trader("sma(4) == 450", name="late")
    engines = [engine(early), engine()]
    half = tape.records[: len(tape.records) // 2 + 2]
    rest = b"".join(tape.records[len(half) :])
    for each in engines:
        each.process(b"".join(half))
    engines[1].add(late)
    for each in engines:
        each.process(rest)
    mark = len(tape.records)
    tape.trade(301, 600.0)
    for order in (1, -1):
        made = engine(late)
        made.restore([each.checkpoint() for each in engines][::order])
        assert [signal.trader for signal in made.process(tape.records[mark])] == ["late"]
    assert engines[1].process(tape.records[mark]) == []  # it has not seen four bars


def test_what_a_first_record_of_an_event_touched_is_decided_after_a_move_within_it():
    tape = Tape()
    tape.quote(0, 99.0, 101.0)
    tape.quote(1, 100.0, 101.0, flags=1)
    tape.trade(1, 101.0)
    spec = trader("bid == 100")
    first = engine(spec)
    assert first.process(b"".join(tape.records[:2])) == []
    (made,) = moved([first], [[spec]], Random(1))
    assert len(made.process(tape.records[2])) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_the_market_is_taken_from_the_engine_that_knows_it_for_the_longest_time(order):
    tape = Tape()
    for second in range(3):
        tape.trade(second, 100.0)
    first, second = engine(trader("cumulative_delta == 3")), engine()
    for each in (first, second):
        each.process(tape.records[0])
    second.add(trader("cumulative_delta == 3", name="u"))
    for each in (first, second):
        each.process(tape.records[1])
    made = engine(trader("cumulative_delta == 3"), trader("cumulative_delta == 3", name="u"))
    made.restore([each.checkpoint() for each in (first, second)][::order])
    assert [signal.trader for signal in made.process(tape.records[2])] == ["t", "u"]


@pytest.mark.parametrize("order", [1, -1])
def test_what_was_noted_at_a_close_is_taken_from_the_engine_that_was_there(order):
    """Also if the board knows more bars: what was noted at them it does not know."""
    tape = Tape()
    tape.minutes([99.0, 99.0, 99.0])
    tape.close(180, "1m")
    mark = len(tape.records)
    tape.trade(181, 101.0)
    board = Board()
    for record in tape.records[:mark]:
        board.record(record)
    crossing, other = trader("crosses_above(last, 100)"), trader("last > 0 and close > 0", name="u")
    there, bridged = engine(), engine(other)
    there.process(b"".join(tape.records[:2]))
    there.add(crossing)
    there.process(b"".join(tape.records[2:mark]))
    bridged.resync(mark, board.views())
    made = engine(crossing, other)
    made.restore([each.checkpoint() for each in (there, bridged)][::order])
    assert [signal.trader for signal in made.process(tape.records[mark])] == ["t"]


def test_counters_are_neither_doubled_nor_lost_by_a_move():
    random = Random(3)
    chosen = specs(3, 12)
    engines = [engine(*chosen[:5]), engine(*chosen[5:])]
    for each in engines:
        each.process(b"".join(tape(3, 300)))
    shares = [chosen[:2], chosen[2:7], chosen[7:]]
    fields = Counters.__struct_fields__

    def totals(those):
        return [sum(getattr(each.statistics(), field) for each in those) for field in fields]

    assert totals(moved(engines, shares, random)) == totals(engines)
    assert all(totals(engines)[:4])


def test_checkpoints_of_several_positions_or_none_are_refused_and_nothing_is_changed():
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(1, 101.0)
    one, other, made = engine(trader("last > 1")), engine(trader("last > 1", name="u")), engine(trader("last > 1"))
    one.process(tape.bytes())
    other.process(tape.records[0])
    for blobs, message in ([one.checkpoint(), other.checkpoint()], "positions 1, 2"), ([], "no checkpoint"):
        with pytest.raises(CheckpointError, match=message):
            made.restore(blobs)
    assert made.position == 0


def test_a_checkpoint_that_is_ahead_of_the_others_of_its_position_is_refused():
    tape = Tape()
    for second in range(4):
        tape.trade(second, 100.0 + second)
    board = Board()
    for record in tape.records[:3]:
        board.record(record)
    ahead, other, made = engine(trader("last > 1")), engine(trader("last > 1", name="u")), engine(trader("last > 1"))
    ahead.resync(2, board.views())
    other.process(b"".join(tape.records[:2]))
    made.restore([ahead.checkpoint()])
    with pytest.raises(CheckpointError, match="at a later position"):
        made.restore([ahead.checkpoint(), other.checkpoint()])
    assert len(made.process(b"".join(tape.records[2:]))) == 0  # matched when the board was read


def test_checkpoints_that_call_a_row_by_two_names_are_refused():
    tape = Tape()
    tape.trade(0, 100.0)
    one, other, made = engine(trader("last > 1")), engine(trader("last > 1", name="u")), engine(trader("last > 1"))
    other._describe = lambda row: describe(row + 1)
    for each in (one, other):
        each.process(tape.records[0])
    with pytest.raises(CheckpointError, match="BTCUSDT and binance:ETHUSDT"):
        made.restore([one.checkpoint(), other.checkpoint()])
