"""Strategies on tapes small enough to follow by hand."""

import math
from hashlib import blake2b

import pytest

from tests.traders.strategies import witness
from tests.traders.strategies.hosting import SAMPLES, Hosting, one, sample, sequences
from tests.traders.streams import describe
from tests.traders.tapes import LATE, MIDNIGHT_MS, Tape
from tickfloor.contracts.errors import CheckpointError
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Kind, Side
from tickfloor.contracts.signals import signal_id
from tickfloor.contracts.traders import TraderSpec, code_digest
from tickfloor.traders.state.resync import InstrumentView
from tickfloor.traders.strategies.errors import StrategyError
from tickfloor.traders.strategies.statistics import StrategyState
from tickfloor.traders.strategies.strategy import Strategy, StrategyContext
from tickfloor.traders.strategies.ticks import ClosedBar, Quote, Trade

BTC, ETH = "binance:BTCUSDT", "binance:ETHUSDT"


@pytest.fixture(autouse=True)
def _nobody_has_seen_anything():
    witness.seen.clear()
    witness.do.clear()


@pytest.fixture
def hosting():
    return Hosting()


def at(seconds: float) -> int:
    return int((MIDNIGHT_MS + seconds * 1000) * 1_000_000)


def seen(method: str) -> list:
    return [argument for name, argument in witness.seen if name == method]


def strategy():
    return seen("strategy")[-1]


def trades(*prices: float) -> Tape:
    tape = Tape()
    for second, price in enumerate(prices):
        tape.trade(second, price)
    return tape


# What a strategy is given


def test_a_strategy_is_made_started_given_everything_and_stopped_in_this_order(hosting):
    tape = Tape()
    tape.trade(0, 101.0, "sell", qty=2.0)
    tape.quote(1, 100.0, 102.0)
    tape.close(60, "1m")
    host = hosting.host(sample("Witness", name="w", symbols=("BTC*",)))
    assert host.process(tape.bytes()) == []
    host.remove("w")
    assert [what for what in witness.seen if what[0] != "strategy"] == [
        ("init", None),
        ("start", StrategyContext(name="w", symbols=("BTC*",), interval=Interval.M1, tape="binance", read=None)),
        ("tick", Trade(BTC, at(0), 101.0, 2.0, Side.SELL)),
        ("tick", Quote(BTC, at(1), 100.0, 1.0, 102.0, 1.0)),
        ("bar", ClosedBar(BTC, at(60), Interval.M1, 101.0, 101.0, 101.0, 101.0, 2.0, 202.0, 0.0, 1)),
        ("stop", None),
    ]
    assert seen("bar")[0].ts_start == at(0)


def test_a_strategy_hears_its_symbols_and_its_interval_only(hosting):
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(0, 11.0, row=1)
    for minute in range(1, 6):
        tape.close(60 * minute, *(["1m", "5m"] if minute == 5 else ["1m"]))
        tape.close(60 * minute, *(["1m", "5m"] if minute == 5 else ["1m"]), row=1)
    hosting.host(sample("Witness", symbols=("*:eth*",), interval="5m")).process(tape.bytes())
    assert [tick.instrument for tick in seen("tick")] == [ETH]
    assert [(bar.instrument, bar.interval, bar.close) for bar in seen("bar")] == [(ETH, Interval.M5, 11.0)]


def test_records_that_are_neither_tick_nor_bar_are_not_given(hosting):
    tape = Tape()
    tape.quality(0, "live")
    tape.volumes(0, 5.0)
    tape.write(0, 0, Kind.CLOCK)
    tape.write(0, 0, Kind.BOOK)
    host = hosting.host(sample("Witness"))
    host.process(tape.bytes())
    assert one(host).calls == 0


def test_numbers_that_are_not_usable_are_left_out_of_bars_and_are_unknown_in_quotes(hosting):
    tape = Tape()
    tape.trade(0, math.inf)
    tape.trade(0, 1e200, qty=1e200)
    tape.quote(0, math.nan, 1e301)
    host = hosting.host(sample("Witness"))
    host.process(tape.bytes())
    (quote,) = seen("tick")
    assert math.isnan(quote.bid)
    assert math.isnan(quote.ask)
    assert host.statistics().malformed == 2


def test_a_late_trade_is_no_tick_and_no_bar_but_is_in_the_bars_that_form(hosting):
    tape = Tape()
    tape.trade(0, 100.0)
    tape.close(60, "1m")
    tape.late(30, 150.0, "1m")
    tape.trade(30, 90.0, flags=LATE)  # a minute that closed without a record: nothing is revised
    tape.close(300, "5m")
    host = hosting.host(sample("Witness", interval="5m"))
    host.process(tape.bytes())
    assert len(seen("tick")) == 1
    (bar,) = seen("bar")
    assert (bar.open, bar.high, bar.low, bar.trades) == (100.0, 150.0, 90.0, 3)


def test_a_late_trade_stays_out_of_a_bar_that_has_closed(hosting):
    tape = Tape()
    tape.trade(0, 100.0)
    tape.close(300, "1m", "5m")
    tape.late(30, 150.0, "1m", "5m")
    tape.trade(301, 101.0)
    tape.close(600, "1m", "5m")
    hosting.host(sample("Witness", interval="5m")).process(tape.bytes())
    assert [(bar.high, bar.trades) for bar in seen("bar")] == [(100.0, 1), (101.0, 1)]


def test_a_strategy_that_hears_bars_only_is_not_called_for_ticks(hosting):
    tape = trades(1.0, 2.0)
    tape.close(60, "1m")
    host = hosting.host(sample("Bars"))
    hosting.vitals.entered.clear()
    host.process(tape.bytes())
    assert len(hosting.vitals.entered) == 1
    assert [bar.trades for bar in witness.seen] == [2]


# Signals


def test_a_signal_says_who_where_when_and_what(hosting):
    witness.do["tick"] = lambda tick: strategy().signal(tick.instrument, price=tick.price, nothing=None, odd=math.inf)
    host = hosting.host(sample("Witness", name="w", revision=3))
    (signal,) = host.process(trades(7.0).bytes())
    assert (signal.trader, signal.revision, signal.instrument) == ("w", 3, BTC)
    assert (signal.source, signal.tape, signal.tape_sequence, signal.ts_event) == ("run", "binance", 0, at(0))
    assert signal.values == {"price": 7.0, "nothing": None, "odd": None}
    assert signal.id == signal_id("run", "w", 3, BTC, "binance", 0)


def test_several_signals_at_one_record_have_ids_of_their_own(hosting):
    def twice(tick):
        for instrument in (BTC, BTC, ETH):
            strategy().signal(instrument)

    witness.do["tick"] = twice
    signals = hosting.host(sample("Witness", name="w")).process(trades(7.0, 8.0).bytes())
    assert sequences(signals) == [0, 0, 0, 1, 1, 1]
    assert [signal.id for signal in signals[:3]] == [
        signal_id("run", "w", 1, instrument, "binance", 0, n) for n, instrument in enumerate((BTC, BTC, ETH))
    ]
    assert len({signal.id for signal in signals}) == 6


def test_the_first_signal_at_a_record_has_the_id_that_a_rule_s_would_have():
    of_rule = "\x1f".join(("run", "w", "1", BTC, "binance", "7"))
    assert signal_id("run", "w", 1, BTC, "binance", 7) == blake2b(of_rule.encode(), digest_size=16).hexdigest()
    assert signal_id("run", "w", 1, BTC, "binance", 7, 0) == signal_id("run", "w", 1, BTC, "binance", 7)


def test_a_strategy_that_runs_nowhere_says_so():
    with pytest.raises(StrategyError, match="runs in no worker"):
        Strategy().signal(BTC)
    heard = []
    alone = Strategy()
    alone.attach(lambda instrument, values: heard.append((instrument, values)))
    alone.signal(BTC, price=1.0)
    assert heard == [(BTC, {"price": 1.0})]


def test_signals_of_one_record_are_in_order_of_trader_name(hosting):
    host = hosting.host(*(sample("Failing", name=name) for name in ("b", "c", "a")))
    assert [signal.trader for signal in host.process(trades(1.0).bytes())] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("instrument", "values", "message"),
    [
        ("BTCUSDT", {}, "'BTCUSDT' is no instrument; write venue:symbol"),
        (7, {}, "7 is no instrument"),
        ("binance:\x00", {}, "is no instrument"),
        ("binance:" + "X" * 300, {}, "is no instrument"),
        ("binance:ETHBTC", {}, "'binance:ETHBTC' is none of this strategy's instruments, which are \\*USDT"),
        (BTC, {"price": "7"}, "value 'price' must be a number or None, not str"),
        (BTC, {"price": 10**400}, "int too large"),
        (BTC, {"a\ud800b": 7}, "is no name for a value"),
        (BTC, {"": 7}, "is no name for a value"),
        (BTC, {str(number): 1 for number in range(101)}, "at most 100 values, not 101"),
    ],
)
def test_what_is_wrong_with_a_signal_is_the_strategy_s_failure(hosting, instrument, values, message):
    def wrong(tick):
        with pytest.raises(Exception, match=message):
            strategy().signal(instrument, **values)
        strategy().signal(instrument, **values)

    witness.do["tick"] = wrong
    host = hosting.host(sample("Witness", symbols=("*USDT",)))
    assert host.process(trades(7.0).bytes()) == []
    assert one(host).failures == 1


def test_a_signal_outside_of_a_tick_or_bar_is_refused(hosting):
    witness.do["start"] = lambda context: strategy().signal(BTC)
    host = hosting.host(sample("Witness"))
    assert one(host).state is StrategyState.FAILED
    assert one(host).last_failure == (
        "cannot start: StrategyError: a signal belongs to a tick or bar; raise it in on_tick, on_bar or on_signal"
    )


def test_signals_without_end_are_ended(hosting):
    host = hosting.host(sample("Greedy"))
    assert len(host.process(trades(7.0).bytes())) == 100
    assert "more than 100 signals at one record" in one(host).last_failure


# Failures


def test_a_failure_is_contained_counted_and_logged_and_disturbs_nobody(hosting):
    host = hosting.host(sample("Failing", name="a"), sample("Counting", name="b"))
    alone = hosting.host(sample("Counting", name="b"))
    tape = trades(101.0, 99.0, 102.0, 98.0)
    signals = host.process(tape.bytes())
    assert [signal for signal in signals if signal.trader == "b"] == alone.process(tape.bytes())
    assert sequences(signal for signal in signals if signal.trader == "a") == [0, 1, 2, 3]  # raised before the failure
    failing, _ = host.statistics().strategies
    assert (failing.failures, failing.failures_in_row, failing.calls, failing.signals) == (2, 0, 4, 4)
    assert failing.state is StrategyState.RUNNING
    assert failing.last_failure == "ValueError: too dear: 102.0"
    assert hosting.vitals.now == 0


def test_failures_are_logged_once_in_a_while_with_what_was_not_logged(hosting):
    host = hosting.host(sample("Failing"))
    tape = trades(*[101.0, 1.0] * 4)
    host.process(b"".join(tape.records[:6]))
    hosting.seconds = 10.0
    host.process(b"".join(tape.records[6:]))
    (level, event, first), (_, _, second) = hosting.log.lines
    assert (level, event) == ("warning", "a strategy failed")
    assert (first["trader"], first["error"]) == ("s", "ValueError: too dear: 101.0")
    assert (first["correlation_id"], first["not_logged"]) == ("binance:0", 0)
    assert (second["correlation_id"], second["not_logged"]) == ("binance:6", 2)
    assert "samples.py:" in first["trace"]
    assert first["trace"].endswith("in on_tick")


def test_ten_failures_in_a_row_stop_a_strategy_for_good(hosting):
    host = hosting.host(sample("Failing"))
    signals = host.process(trades(*[101.0] * 9, 1.0, *[101.0] * 12).bytes())
    assert sequences(signals) == list(range(20))
    assert (one(host).state, one(host).failures, one(host).failures_in_row) == (StrategyState.FAILED, 19, 10)
    assert one(host).last_failure == "failed 10 times in a row: ValueError: too dear: 101.0"
    assert hosting.log.lines[-1][:2] == ("error", "a strategy is stopped for good")
    successor = hosting.host(sample("Failing"))
    successor.restore([host.checkpoint()])
    assert one(successor) == one(host)
    host.remove("s")


def test_a_strategy_that_wants_to_end_the_process_has_failed(hosting):
    host = hosting.host(sample("Leaving"))
    host.process(trades(1.0).bytes())
    assert one(host).last_failure == "SystemExit: 3"


def test_errors_that_are_hard_to_speak_of_are_spoken_of(hosting):
    host = hosting.host(sample("Odd"))
    host.process(trades(1.0).bytes())
    assert one(host).last_failure == "UnspeakableError: (its text cannot be made: RuntimeError)"
    host.process(b"".join(trades(1.0, 2.0).records[1:]))
    assert one(host).last_failure.startswith("ValueError: \\udcffxxx")
    assert len(one(host).last_failure) < 1_100


def test_a_strategy_that_cannot_start_is_held_as_failed(hosting):
    witness.do["init"] = lambda _: 1 / 0
    host = hosting.host(sample("Witness"), sample("Nobody", name="n"))
    missing, witnessing = host.statistics().strategies
    assert (missing.state, witnessing.state) == (StrategyState.FAILED, StrategyState.FAILED)
    assert "there is no class 'Nobody' in it" in missing.last_failure
    assert witnessing.last_failure == "cannot start: ZeroDivisionError: division by zero"
    assert host.process(trades(1.0).bytes()) == []
    assert seen("tick") == []


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ([1], "save() must return a dict, not list"),
        ({"a": object()}, "TypeError"),
        ({"a": 2**70}, "OverflowError"),
        ({"a": b"x" * (1 << 20)}, "at most 1,048,576 are kept"),
    ],
)
def test_a_strategy_that_cannot_be_saved_is_stopped(hosting, state, message):
    witness.do["save"] = lambda _: state
    host = hosting.host(sample("Witness"))
    host.checkpoint()
    assert one(host).state is StrategyState.FAILED
    assert one(host).last_failure.startswith("cannot save: ")
    assert message in one(host).last_failure


def test_a_strategy_that_cannot_be_restored_is_stopped(hosting):
    host = hosting.host(sample("Witness"))
    witness.do["restore"] = lambda state: state["none"]
    successor = hosting.host(sample("Witness"))
    successor.restore([host.checkpoint()])
    assert one(successor).last_failure == "cannot restore: KeyError: 'none'"


# Blame


def test_every_call_into_a_strategy_is_blamed_on_its_trader(hosting):
    blamed = []
    for method in ("init", "start", "tick", "bar", "save", "restore", "stop"):
        witness.do[method] = lambda _, method=method: blamed.append((method, hosting.vitals.now)) or None
    tape = trades(1.0)
    tape.close(60, "1m")
    spec = sample("Witness")
    host = hosting.host(spec)
    host.process(tape.bytes())
    host.restore([host.checkpoint()])
    host.roster.close()
    (number,) = {number for _, number in blamed}
    assert number
    assert [method for method, _ in blamed] == ["init", "start", "tick", "bar", "save", "restore", "stop"]
    assert hosting.vitals.now == 0


def test_blame_outlives_what_ends_the_process(hosting):
    def interrupt(_):
        raise KeyboardInterrupt

    witness.do["tick"] = interrupt
    host = hosting.host(sample("Witness"))
    with pytest.raises(KeyboardInterrupt):
        host.process(trades(1.0).bytes())
    assert hosting.vitals.now == hosting.vitals.entered[-1]


# Emergency stop


def test_while_effects_are_stopped_nothing_of_a_strategy_is_called(hosting):
    tape = trades(1.0, 2.0, 3.0)
    tape.close(60, "1m")
    host = hosting.host(sample("Witness"))
    host.process(tape.records[0])
    host.checkpoint()
    calls = len(witness.seen)
    hosting.effects.allowed = False
    host.process(b"".join(tape.records[1:]))
    successor = hosting.host(sample("Witness"))
    successor.restore([host.checkpoint()])
    host.roster.close()
    assert len(witness.seen) == calls
    assert (one(successor).state, one(successor).held_back) == (StrategyState.WAITING, 3)


def test_a_strategy_starts_with_its_state_when_effects_are_allowed_again(hosting):
    witness.do["save"] = lambda _: {"x": 1}
    host = hosting.host(sample("Witness"))
    blob = host.checkpoint()
    hosting.effects.allowed = False
    waiting, begun = hosting.host(sample("Witness")), host
    begun.restore([blob])  # started before, and not to be called now
    waiting.restore([blob])
    hosting.effects.allowed = True
    for successor in (waiting, begun):
        witness.seen.clear()
        assert successor.roster.start_waiting() == ["s"]
        successor.process(trades(1.0).bytes())
        assert [name for name, _ in witness.seen] == ["init", "strategy", "start", "restore", "tick"]
        assert seen("restore") == [{"x": 1}]
        assert one(successor).state is StrategyState.RUNNING


# The host


def test_without_strategies_a_host_only_keeps_up(hosting):
    tape = trades(1.0, 2.0, 3.0)
    host = hosting.host(describe=None)
    assert host.process(b"".join(tape.records[:2])) == []
    assert host.process(b"") == []
    assert host.position == 2
    host = hosting.host()
    host.process(b"".join(tape.records[:2]))
    host.add(sample("Witness"))
    host.process(tape.bytes())
    assert [tick.price for tick in seen("tick")] == [3.0]


def test_records_before_the_position_are_skipped_and_a_hole_is_refused_whole(hosting):
    tape = trades(1.0, 2.0, 3.0, 4.0)
    host = hosting.host(sample("Witness"))
    host.process(b"".join(tape.records[:2]))
    for wrong in (tape.records[3], tape.records[2] + tape.records[0], b"123"):
        with pytest.raises(ValueError, match=r"hole|whole records"):
            host.process(wrong)
    assert host.position == 2
    host.process(tape.bytes())
    assert [tick.price for tick in seen("tick")] == [1.0, 2.0, 3.0, 4.0]
    assert host.process(b"") == []


def test_what_is_no_strategy_and_a_name_that_is_taken_are_refused(hosting):
    host = hosting.host(sample("Silent"))
    with pytest.raises(ValueError, match="already"):
        host.add(sample("Silent"))
    with pytest.raises(ValueError, match='interval "7m" is none of 1m'):
        host.add(sample("Silent", name="other", interval="7m"))
    with pytest.raises(ValueError, match="other is no strategy"):
        host.add(TraderSpec(name="other", rule="last > 1"))
    with pytest.raises(KeyError):
        host.remove("other")
    assert len(host.statistics().strategies) == 1


def test_two_traders_of_one_file_share_nothing(hosting):
    host = hosting.host(sample("Counting", name="a"), sample("Counting", name="b", symbols=("BTC*",)))
    tape = Tape()
    for second in range(6):
        tape.trade(second, 1.0, row=1)
        tape.trade(second, 1.0)
    signals = host.process(tape.bytes())
    assert [signal.values for signal in signals if (signal.trader, signal.instrument) == ("a", BTC)] == [
        signal.values for signal in signals if signal.trader == "b"
    ]


def test_a_strategy_that_comes_later_is_given_whole_bars_only(hosting):
    tape = trades(1.0, 2.0)
    tape.close(60, "1m")
    tape.trade(61, 3.0)
    tape.close(120, "1m")
    tape.close(300, "5m")
    tape.trade(301, 4.0)
    tape.close(600, "1m", "5m")
    host = hosting.host()
    host.process(tape.records[0])
    host.add(sample("Witness", name="minutes"))
    host.add(sample("Witness", name="fives", interval="5m"))
    host.process(tape.bytes())
    assert [(bar.interval.label, bar.close) for bar in seen("bar")] == [("1m", 3.0), ("1m", 4.0), ("5m", 4.0)]
    assert host.statistics().bars_missed == 2


def test_bars_of_an_instrument_are_forgotten_with_the_last_strategy_that_hears_of_it(hosting):
    tape = Tape()
    tape.trade(0, 1.0)
    tape.trade(0, 1.0, row=1)
    host = hosting.host(sample("Silent", name="all"), sample("Silent", name="btc", symbols=("BTC*",)))
    host.process(tape.bytes())
    assert host.statistics().instruments == 2
    host.remove("all")
    assert host.statistics().instruments == 1


def test_checkpoints_that_do_not_belong_here_are_refused(hosting):
    host = hosting.host(sample("Silent"))
    host.process(trades(1.0).bytes())
    blob = host.checkpoint()
    with pytest.raises(CheckpointError, match="cannot be read"):
        hosting.host().restore([blob[:-1]])
    with pytest.raises(CheckpointError, match="tape binance, not 1 and other"):
        hosting.host(tape="other").restore([blob])
    with pytest.raises(CheckpointError, match="different positions \\(1, 0\\)"):
        hosting.host().restore([blob, hosting.host().checkpoint()])
    other = hosting.host(sample("Silent"), describe=lambda row: describe(row + 1))
    with pytest.raises(CheckpointError, match="row 0 is binance:BTCUSDT, here it is binance:ETHUSDT"):
        other.restore([blob])
    hosting.host().restore([])


@pytest.mark.parametrize("change", [{"revision": 2}, {"strategy_digest": code_digest(SAMPLES.read_bytes())}])
def test_another_version_of_a_strategy_goes_on_from_what_was_saved_and_from_nothing_else(hosting, change):
    witness.do["save"] = lambda _: {"x": 1}
    host = hosting.host(sample("Witness"))
    tape = trades(1.0, 2.0)
    host.process(tape.records[0])
    successor = hosting.host(sample("Witness", **change))
    successor.restore([host.checkpoint()])
    successor.process(tape.bytes())
    assert seen("restore") == [{"x": 1}]
    assert one(successor).calls == 1


def test_another_class_or_interval_starts_anew_where_the_checkpoint_is(hosting):
    host = hosting.host(sample("Counting"))
    tape = trades(1.0, 2.0)
    host.process(tape.records[0])
    for successor in (hosting.host(sample("Witness")), hosting.host(sample("Counting", interval="5m"))):
        successor.restore([host.checkpoint()])
        successor.process(tape.bytes())
        assert one(successor).calls == 1
    assert seen("restore") == []


def test_a_version_that_was_stopped_for_good_does_not_stop_the_next(hosting):
    host = hosting.host(sample("Failing"))
    host.process(trades(*[101.0] * 10).bytes())
    assert one(host).state is StrategyState.FAILED
    successor = hosting.host(sample("Failing", revision=2))
    successor.restore([host.checkpoint()])
    assert (one(successor).state, one(successor).failures) == (StrategyState.RUNNING, 0)


def test_after_a_hole_bars_go_on_from_the_board(hosting):
    tape = trades(*[1.0] * 10)
    host = hosting.host(sample("Witness", interval="5m"))
    host.process(b"".join(tape.records[:2]))
    minute = [float(MIDNIGHT_MS + 60_000), 5.0, 9.0, 4.0, 6.0, 3.0, 18.0, 1.0, 2.0, 0.0, 0.0]
    part = [float(MIDNIGHT_MS), 2.0, 7.0, 1.0, 5.0, 10.0, 30.0, 4.0, 8.0, 0.0, 0.0]
    view = InstrumentView(sequence=9, bars={}, minute=minute, closed_parts={Interval.M5: part})
    host.resync(8, {0: view})
    tape.close(300, "1m", "5m")
    host.process(b"".join(tape.records[8:]))
    assert len(seen("tick")) == 2
    (bar,) = seen("bar")
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades) == (2.0, 9.0, 1.0, 6.0, 13.0, 10)
    assert host.statistics().resyncs == 1
