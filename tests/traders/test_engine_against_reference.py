"""Random rules over random tapes: the engine equals the slow reference at every record, however it is run."""

from random import Random

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.traders.reference import Reference
from tests.traders.streams import describe, specs, tape
from tests.traders.tapes import brief, engine, saved_instruments, trader
from tickfloor.contracts.records import RECORD
from tickfloor.traders.state.checkpoint import DECODER, ENCODER

seeds = st.integers(0, 2**32)
pace = st.sampled_from([20_000, 90_000, 240_000])


def bounded(examples: int):
    # Seeds have nothing to shrink, and a failure should be said within the minute.
    return settings(max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])


def batches(records: list[bytes], random: Random):
    start = 0
    while start < len(records):
        end = start + random.choice([1, 2, 3, random.randrange(1, 60)])
        yield b"".join(records[start:end])
        start = end


def whole_run(chosen, records):
    made = engine(*chosen)
    return made.process(b"".join(records)), made


def plain(made):
    """Return everything the engine knows, decoded, as one number may be packed as an integer or a float."""
    state = DECODER.decode(made.checkpoint())
    return state.position, state.counters, ENCODER.encode(saved_instruments(made))


@bounded(25)
@given(seeds, seeds, pace)
def test_equals_the_reference_at_every_record(rule_seed, tape_seed, longest_step_ms):
    chosen = specs(rule_seed, 8)
    made, reference = engine(*chosen), Reference(chosen, describe)
    for record in tape(tape_seed, 160, longest_step_ms=longest_step_ms):
        assert brief(made.process(record)) == reference.record(*RECORD.unpack(record))


@bounded(30)
@given(seeds, seeds, seeds, pace)
def test_does_not_depend_on_how_records_are_cut_into_batches(rule_seed, tape_seed, cut_seed, longest_step_ms):
    chosen, records = specs(rule_seed, 12), tape(tape_seed, 300, longest_step_ms=longest_step_ms)
    expected, whole = whole_run(chosen, records)
    made = engine(*chosen)
    got = [signal for batch in batches(records, Random(cut_seed)) for signal in made.process(batch)]
    assert got == expected
    assert made.statistics() == whole.statistics()
    assert made.checkpoint() == whole.checkpoint()


@bounded(25)
@given(seeds, seeds, seeds, pace)
def test_a_restored_engine_goes_on_as_if_it_had_never_stopped(rule_seed, tape_seed, cut_seed, longest_step_ms):
    chosen, records = specs(rule_seed, 12), tape(tape_seed, 300, longest_step_ms=longest_step_ms)
    expected, whole = whole_run(chosen, records)
    made, got, random = engine(*chosen), [], Random(cut_seed)
    for batch in batches(records, random):
        got += made.process(batch)
        if random.random() < 0.3:
            blob = made.checkpoint()
            made = engine(*random.sample(chosen, len(chosen)))
            made.restore([blob])
            got += made.process(batch)  # what it has seen already is skipped
    assert got == expected
    assert plain(made) == plain(whole)


@bounded(30)
@given(seeds, seeds, seeds, pace)
def test_does_not_depend_on_how_traders_are_spread_over_engines(rule_seed, tape_seed, split_seed, longest_step_ms):
    chosen, records = specs(rule_seed, 12), tape(tape_seed, 300, longest_step_ms=longest_step_ms)
    expected, _ = whole_run(chosen, records)
    random = Random(split_seed)
    shares = [[], []]
    for spec in chosen:
        random.choice(shares).append(spec)
    got = [signal for share in shares for signal in whole_run(share, records)[0]]
    assert sorted(got, key=lambda s: (s.tape_sequence, s.trader)) == expected


@bounded(30)
@given(seeds, seeds, seeds)
def test_a_trader_handed_from_one_engine_to_another_misses_and_doubles_nothing(rule_seed, tape_seed, cut_seed):
    """Half way, a checkpoint goes to two engines with a share of the traders each."""
    chosen, records = specs(rule_seed, 12), tape(tape_seed, 300)
    expected, _ = whole_run(chosen, records)
    cut = Random(cut_seed).randrange(len(records))
    first = engine(*chosen)
    got = first.process(b"".join(records[:cut]))
    for share in (chosen[::2], chosen[1::2]):
        successor = engine(*share)
        successor.restore([first.checkpoint()])
        got += successor.process(b"".join(records[cut:]))
    assert sorted(got, key=lambda s: (s.tape_sequence, s.trader)) == expected


HISTORY = [
    trader(f"{field}[{back}] > {level}", f"{field}-{back}-{when}-{interval}", when=when, interval=interval)
    for field, level in (("high", 103), ("close", 101), ("volume", 12), ("low", 99))
    for back in (0, 1, 15, 16, 17, 18, 30)
    for when in ("tick", "close")
    for interval in ("1m", "5m")
]


@bounded(6)
@given(seeds)
def test_history_equals_the_reference_however_late_a_trade_is(tape_seed):
    made, reference = engine(*HISTORY), Reference(HISTORY, describe)
    for record in tape(tape_seed, 400, longest_step_ms=240_000, reach_ms=7_200_000):
        assert brief(made.process(record)) == reference.record(*RECORD.unpack(record))
    assert made.statistics().revisions_beyond_history


@bounded(15)
@given(seeds, seeds)
def test_late_trades_far_beyond_the_history_break_nothing(rule_seed, tape_seed):
    chosen, records = specs(rule_seed, 12), tape(tape_seed, 400, longest_step_ms=240_000, reach_ms=7_200_000)
    expected, whole = whole_run(chosen, records)
    made = engine(*chosen)
    got = []
    for index, record in enumerate(records):
        got += made.process(record)
        if index % 50 == 49:
            blob = made.checkpoint()
            made = engine(*chosen)
            made.restore([blob])
    assert got == expected
    assert made.statistics().revisions_beyond_history == whole.statistics().revisions_beyond_history
