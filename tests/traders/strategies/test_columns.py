"""Strategies read columns that somebody else computes, at the moment of the record that they are given."""

import math
from random import Random

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.traders.strategies import witness
from tests.traders.strategies.hosting import FakeColumns, Hosting, one, sample, sequences
from tests.traders.streams import tape as random_tape
from tests.traders.tapes import Tape, engine, trader
from tickfloor.contracts.errors import RuleError
from tickfloor.contracts.records import Kind
from tickfloor.traders.group import TraderGroup
from tickfloor.traders.strategies.statistics import StrategyState


@pytest.fixture
def hosting():
    witness.seen.clear()
    witness.do.clear()
    return Hosting()


def market(count=4):
    tape = Tape()
    for second in range(count):
        tape.trade(second, 1.0, row=second % 2)
    return tape


def test_a_column_is_that_of_the_instrument_that_is_given(hosting):
    hosting.columns = FakeColumns(lambda name, row, column: row + (0.25 if column == "fast" else 0.5))
    tape = market(2)
    tape.quote(2, 1.0, 2.0)
    tape.close(60, "1m", row=1)
    signals = hosting.host(sample("Looking", name="s")).process(tape.bytes())
    assert [signal.values for signal in signals] == [
        {"fast": 0.25, "slow": 0.5},
        {"fast": 1.25, "slow": 1.5},
        {"fast": 0.25, "slow": 0.5},
        {"fast": 1.25, "slow": 1.5},
    ]


def test_an_unknown_column_is_nan(hosting, tmp_path):
    path = tmp_path / "my.py"
    path.write_text(
        "from tickfloor.traders.strategies.strategy import Strategy\n"
        "class Mine(Strategy):\n"
        "    columns = {'fast': 'ema(12)'}\n"
        "    def on_start(self, context):\n"
        "        self.context = context\n"
        "    def on_tick(self, tick):\n"
        "        value = self.context.value('fast')\n"
        "        self.signal(tick.instrument, is_unknown=value != value)\n"
    )
    hosting.columns = FakeColumns(lambda *_: math.nan)
    (signal,) = hosting.host(sample("Mine", strategy=f"{path}:Mine")).process(market(1).bytes())
    assert signal.values == {"is_unknown": 1.0}


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_columns_are_read_when_rules_have_just_taken_the_record(hosting, batch):
    rules = engine(trader("last > 0", "rule"))
    hosting.columns = FakeColumns(lambda *_: float(rules.position))
    made = TraderGroup(rules, hosting.host())
    assert made.sync([sample("Looking", name="s", symbols=("BTC*",)), trader("last > 0", "rule")], 1) == {}
    tape = market(7)
    tape.write(7, 99, Kind.CLOCK)
    signals = []
    for start in range(0, 8, batch):
        signals += made.process(b"".join(tape.records[start : start + batch]))
    looking = [signal for signal in signals if signal.trader == "s"]
    assert sequences(looking) == [0, 2, 4, 6]
    assert [signal.values["fast"] for signal in looking] == [1, 3, 5, 7]
    assert sequences(signals) == sorted(sequences(signals))
    assert rules.position == made._strategies.position == 8


def test_records_with_a_hole_are_refused_whole(hosting):
    rules = engine()
    hosting.columns = FakeColumns(lambda *_: 0.0)
    made = TraderGroup(rules, hosting.host())
    made.sync([sample("Looking", name="s")], 1)
    tape = market(4)
    with pytest.raises(ValueError, match="hole"):
        made.process(tape.records[0] + tape.records[2])
    assert rules.position == 0
    assert len(made.process(tape.bytes())) == 4


def test_columns_are_watched_while_their_strategy_runs(hosting):
    hosting.columns = columns = FakeColumns(lambda *_: 0.0)
    spec = sample("Looking", name="s", interval="5m")
    host = hosting.host(spec)
    assert columns.watching == {"s": (spec, {"fast": "ema(12)", "slow": 'ema(26, "1h")'})}
    host.replace(sample("Looking", name="s", interval="5m", revision=2))
    # They are never let go of in between.
    assert columns.calls == [("watch", "s"), ("watch", "s")]
    host.replace(sample("Silent", name="s", revision=3))
    assert columns.calls[2:] == [("unwatch", "s")]
    host.replace(sample("Looking", name="s", revision=4))
    host.remove("s")
    assert columns.calls[3:] == [("watch", "s"), ("unwatch", "s")]


def test_columns_that_cannot_be_computed_stop_their_strategy(hosting):
    class Refusing(FakeColumns):
        def watch(self, spec, columns):
            raise RuleError("too many columns", text="ema(12)", column=1)

    hosting.columns = Refusing(None)
    host = hosting.host(sample("Looking", name="s"))
    assert host.roster.failed() == {"s": "its columns cannot be computed: too many columns"}


def test_columns_that_nobody_computes_are_refused(hosting):
    host = hosting.host(sample("Looking", name="s"))
    assert "it declares columns, and this worker computes none" in host.roster.failed()["s"]


def test_a_column_has_a_name_and_a_moment(hosting):
    hosting.columns = FakeColumns(lambda *_: 0.0)
    witness.do["start"] = lambda context: context.value("fast")
    host = hosting.host(sample("Witness"))
    assert one(host).last_failure == ("cannot start: StrategyError: there is no column 'fast'; none are declared")
    host = hosting.host(sample("TooEarly"))
    assert "a column has a value for the tick, bar or signal that is being given" in one(host).last_failure


# Over the engine


def over_engine(*specs):
    rules = engine()
    hosting = Hosting()
    hosting.columns = rules
    made = TraderGroup(rules, hosting.host())
    assert made.sync(specs, revision=1) == {}
    return made


AVERAGE = """
from tickfloor.traders.strategies.strategy import Strategy


class Mine(Strategy):
    columns = {"average": "sma(3)", "above": "close - sma(3)", "hour": 'close("1h")'}

    def on_start(self, context):
        self.context = context

    def on_tick(self, tick):
        self.signal(tick.instrument, **{name: self.context.value(name) for name in self.columns})

    on_bar = on_tick
"""


def test_columns_are_those_that_a_rule_would_see(tmp_path):
    path = tmp_path / "my.py"
    path.write_text(AVERAGE)
    tape = Tape()
    tape.minutes([10.0, 12.0, 20.0, 16.0])
    signals = over_engine(sample("Mine", strategy=f"{path}:Mine")).process(tape.bytes())
    ticks = [{"average": None, "above": None, "hour": price} for price in (10.0, 10.0, 12.0, 12.0)]
    assert [signal.values for signal in signals] == [
        *ticks,
        {"average": 14.0, "above": 6.0, "hour": 20.0},
        {"average": 14.0, "above": 6.0, "hour": 20.0},
        {"average": 16.0, "above": 0.0, "hour": 16.0},
    ]


def test_columns_outlast_a_reload(tmp_path):
    path = tmp_path / "my.py"
    path.write_text(AVERAGE)
    tape = Tape()
    tape.minutes([10.0, 12.0, 20.0, 16.0])
    made = over_engine(sample("Mine", strategy=f"{path}:Mine"))
    made.process(b"".join(tape.records[:-1]))
    made.put(sample("Mine", strategy=f"{path}:Mine", revision=2), revision=2)
    (signal,) = made.process(tape.records[-1])
    assert (signal.revision, signal.values["average"]) == (2, 16.0)


@settings(max_examples=10, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_however_it_is_cut_and_handed_over_a_strategy_reads_the_same(tape_seed, cut_seed):
    records, random = random_tape(tape_seed, 300, longest_step_ms=20_000), Random(cut_seed)
    specs = [sample("Looking", name="s", symbols=("BTC*",)), trader("ema(12) > last", "t")]
    expected = over_engine(*specs).process(b"".join(records))
    made, got, start = over_engine(*specs), [], 0
    while start < len(records):
        end = start + random.choice([1, 2, 3, random.randrange(1, 60)])
        got += made.process(b"".join(records[start:end]))
        start = end
        if random.random() < 0.1:
            saved = made.checkpoint()
            made = over_engine(*random.sample(specs, len(specs)))
            made.restore([saved])
    assert got == expected


def test_without_columns_batches_stay_whole(hosting):
    made = TraderGroup(engine(), hosting.host())
    made.sync([sample("Silent", name="s")], 1)
    steps = []
    process = made._engine.process
    made._engine.process = lambda records: steps.append(len(records)) or process(records)
    made.process(market(4).bytes())
    assert steps == [256]
    assert one(made._strategies).state is StrategyState.RUNNING
