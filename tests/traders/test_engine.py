"""The engine on tapes small enough to follow by hand."""

import json
import math
from pathlib import Path

import pytest

from tests.traders.streams import describe
from tests.traders.tapes import LATE, MORE, Tape, brief, engine, saved_instruments, trader
from tickfloor.contracts.errors import CheckpointError, RuleError
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Flag, Kind
from tickfloor.contracts.signals import signal_id
from tickfloor.traders.columns.lane import FRAMES
from tickfloor.traders.state.checkpoint import LANE_DECODER

CASES = json.loads((Path(__file__).parents[1] / "cases/rules.json").read_text())["decisions"]


def sequences(signals):
    return [signal.tape_sequence for signal in signals]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_decision(case):
    tape = Tape()
    last_of_step = []
    for kind, *arguments in case["steps"]:
        getattr(tape, kind)(*arguments)
        last_of_step.append(len(tape.records) - 1)
    spec = trader(case["rule"], when=case.get("when", "tick"), cooldown_ns=case.get("cooldown_s", 0) * 10**9)
    signals = engine(spec).process(tape.bytes())
    assert [last_of_step.index(sequence) for sequence in sequences(signals)] == case["signals"]


def test_a_signal_says_who_where_when_and_why():
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(1, 102.0)
    (signal,) = engine(trader("close > 101 and rsi(14) != rsi(14) or last > 101", name="mine", revision=3)).process(
        tape.bytes()
    )
    assert (signal.trader, signal.revision, signal.instrument) == ("mine", 3, "binance:BTCUSDT")
    assert (signal.source, signal.tape, signal.tape_sequence) == ("run", "binance", 1)
    assert signal.values == {"close": 102.0, "rsi(14)": None, "last": 102.0}
    assert signal.id == signal_id("run", "mine", 3, "binance:BTCUSDT", "binance", 1)


def test_an_at_close_signal_shows_closed_values():
    tape = Tape()
    tape.trade(0, 101.0)
    tape.close(60, "1m")
    (signal,) = engine(trader("close > 100 and close[1] != 5 or close > 100", when="close")).process(tape.bytes())
    assert signal.values == {"close": 101.0, "close[1]": None}


def test_signals_of_one_record_are_in_order_of_trader_name():
    tape = Tape()
    tape.trade(0, 101.0)
    made = engine(*(trader("last > 100", name=name) for name in ("b", "c", "a")))
    assert [signal.trader for signal in made.process(tape.bytes())] == ["a", "b", "c"]


def test_globs_choose_instruments_by_symbol_or_key_in_any_case():
    tape = Tape()
    for row in range(3):
        tape.trade(row, 101.0, row=row)
    made = engine(trader("last > 100", symbols=("binance:ethbtc", "btc*")))
    assert [signal.instrument for signal in made.process(tape.bytes())] == ["binance:BTCUSDT", "binance:ETHBTC"]
    assert made.statistics().instruments == 2


def test_several_closes_of_one_event_are_decided_together_at_the_last():
    tape = Tape()
    tape.trade(0, 100.0)
    tape.close(60, "1m")
    tape.trade(61, 101.0)
    tape.close(300, "1m", "5m")
    both = trader('close == 101 and close("5m") == 101', when="close")
    assert sequences(engine(both).process(tape.bytes())) == [4]
    assert sequences(engine(trader("close == 101", when="close", interval="5m")).process(tape.bytes())) == [4]


def test_nothing_is_decided_before_the_last_record_of_an_event():
    tape = Tape()
    tape.quote(0, 100.0, 101.0, flags=1)
    tape.trade(0, 101.0)
    assert sequences(engine(trader("bid == 100")).process(tape.bytes())) == [1]


def test_records_before_the_position_are_skipped_and_a_hole_is_refused_whole():
    tape = Tape()
    for second in range(6):
        tape.trade(second, 100.0 + second % 2)
    made = engine(trader("last > 100"))
    assert len(made.process(b"".join(tape.records[:4]))) == 2
    assert made.position == 4
    assert len(made.process(tape.bytes())) == 1
    before = made.statistics()
    with pytest.raises(ValueError, match="position 6"):
        made.process(tape.records[0].replace(tape.records[0][:8], (7).to_bytes(8, "little")))
    later = [(6).to_bytes(8, "little") + tape.records[1][8:], (8).to_bytes(8, "little") + tape.records[1][8:]]
    with pytest.raises(ValueError, match="hole"):
        made.process(b"".join(later))
    with pytest.raises(ValueError, match="whole records"):
        made.process(b"123")
    assert made.statistics() == before
    assert made.process(b"") == []


def test_names_are_unique_and_rules_checked_before_anything_changes():
    made = engine(trader("close > 1"))
    with pytest.raises(ValueError, match="already"):
        made.add(trader("close > 2"))
    with pytest.raises(RuleError):
        made.add(trader("clse > 2", name="other"))
    with pytest.raises(KeyError):
        made.remove("other")
    assert made.statistics().traders == 1


def test_columns_are_shared_and_given_back():
    made = engine(trader("rsi(14) < 30", name="a"), trader("rsi(14) < 40 and sma(20) > 1", name="b"))
    assert made.statistics().columns == 3  # close, rsi(14), sma(20)
    made.remove("b")
    assert made.statistics().columns == 2
    made.add(trader("ema(3) > 1 and rsi(14) > 5", name="c"))
    made.remove("a")
    made.remove("c")
    assert made.statistics().columns == 0


def test_traders_come_and_go_without_disturbing_the_others():
    tape = Tape()
    tape.minutes([100.0, 101.0, 102.0, 99.0, 98.0, 103.0, 104.0, 90.0, 120.0])
    steady = trader("sma(3) > 100.5 and close > ema(2)", name="steady")
    alone = brief(engine(steady).process(tape.bytes()))
    made = engine(steady)
    got = []
    for index, record in enumerate(tape.records):
        if index % 3 == 0:
            made.add(trader(f"ema({index + 1}) > rsi(2) and close[{index}] > 1", name=f"guest-{index}"))
        if index % 3 == 2:
            made.remove(f"guest-{index - 2}")
        got += [signal for signal in made.process(record) if signal.trader == "steady"]
    assert brief(got) == alone
    assert len(alone) > 1


@pytest.mark.parametrize("when", ["tick", "close"])
def test_a_crossing_of_two_intervals_outlasts_restores_and_other_traders(when):
    tape = Tape()
    tape.minutes([100.0 + (minute * 7) % 13 - minute % 5 for minute in range(60)])
    steady = trader('crosses_above(close, sma(2, "5m")) or crosses_below(high("5m"), close[1])', "steady", when=when)
    alone = brief(engine(steady).process(tape.bytes()))
    made, got = engine(steady), []
    for index, record in enumerate(tape.records):
        guest = trader(f'crosses_above(close("{("5m", "15m")[index % 2]}"), close[{index}])', name="guest", when=when)
        if index % 4 == 0:
            made.add(guest)
        elif index % 4 == 2:
            made.remove("guest")
        else:
            blob = made.checkpoint()
            made = engine(*([guest] if index % 4 == 1 else []), steady)
            made.restore([blob])
        got += [signal for signal in made.process(record) if signal.trader == "steady"]
    assert brief(got) == alone
    assert len(alone) > 3


def test_a_trader_that_comes_between_the_closes_of_one_event_begins_with_the_next_bar():
    tape = Tape()
    tape.trade(0, 100.0)
    tape.close(300, "1m", "5m")
    for second, price in ((301, 99.0), (361, 101.0)):
        tape.trade(second, price)
        tape.close(second + 59, "1m")
    made = engine(trader('close("5m") > 1', name="other"))
    made.process(b"".join(tape.records[:2]))
    made.add(trader('crosses_above(close, close("5m"))', when="close"))
    got = made.process(b"".join(tape.records[2:]))
    assert sequences(signal for signal in got if signal.trader == "t") == [len(tape.records) - 1]


def test_a_removed_traders_match_is_forgotten():
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(1, 101.0)
    made = engine(trader("last > 100"), trader("last > 1", name="other"))
    assert len(made.process(tape.records[0])) == 2
    made.remove("t")
    made.add(trader("last > 100"))
    assert [signal.trader for signal in made.process(tape.records[1])] == ["t"]


def test_a_late_trade_beyond_the_history_is_counted_and_columns_stay():
    tape = Tape()
    tape.minutes([100.0] * 40)
    tape.late(60, 500.0, "1m")
    tape.trade(40 * 60 - 1, 100.0)
    made = engine(trader("highest(50) > 1 or highest(40) > 400 or close > 400"))
    assert made.process(tape.bytes()) == []
    statistics = made.statistics()
    assert (statistics.revisions, statistics.revisions_beyond_history) == (1, 1)


@pytest.mark.parametrize("forming", [True, False])
@pytest.mark.parametrize("when", ["tick", "close"])
@pytest.mark.parametrize("empty", [True, False])
def test_history_follows_a_late_trade_that_columns_cannot_follow(forming, when, empty):
    """Also while nothing is forming, and also where a minute that was empty gets its bar."""
    tape = Tape()
    minutes = [minute for minute in range(40) if not empty or minute != 10]
    for minute in minutes:
        tape.trade(60 * minute, 100.0)
        if minute != minutes[-1] or not forming:
            tape.close(60 * minute + 60, "1m")
    back = 29
    tape.late(60 * 10 + 1, 500.0, "1m")
    silent = len(tape.records)
    tape.quality(40 * 60, "live")
    if forming:
        tape.close(40 * 60, "1m")
    spec = trader(f"high[{back}] == 500 and close > 0", when=when)
    both = trader(f'high[{back}] == 500 and quality == "live"', name="both", when=when)
    signals = engine(spec, both).process(tape.bytes())
    assert [signal.trader for signal in signals if signal.tape_sequence < silent] == []
    if when == "tick":
        assert sequences(signals) == [silent]
    elif forming:
        assert [signal.trader for signal in signals] == ["both", "t"]
    made = engine(trader(f"high[{back}] == 500", name="asked", when=when))
    made.process(b"".join(tape.records[:silent]))
    saved = saved_instruments(made)[0].matched
    assert saved == (["asked"] if when == "tick" or not forming else [])


@pytest.mark.parametrize("empty", [True, False])
def test_many_late_trades_into_the_deep_past_keep_no_more_bars_than_needed(empty):
    tape = Tape()
    for minute in range(0, 600, 2 if empty else 1):
        tape.trade(60 * minute, 100.0)
        tape.close(60 * minute + 60, "1m")
    for minute in range(101, 500, 2):
        tape.late(60 * minute, 100.0, "1m")
    made = engine(trader("close[500] > 1"))
    made.process(tape.bytes())
    (saved,) = saved_instruments(made).values()
    assert len(LANE_DECODER.decode(saved.lanes["1m"]).bars) <= 500 + FRAMES


def test_a_late_trade_within_the_history_reaches_every_column():
    tape = Tape()
    tape.minutes([100.0] * 20)
    tape.late(18 * 60, 500.0, "1m")
    tape.trade(20 * 60 - 1, 100.0)
    tape.quality(20 * 60 - 1, "live")
    (signal,) = engine(trader('quality == "live" and highest(high, 3) == 500 and close[1] == 500')).process(
        tape.bytes()
    )
    assert signal.tape_sequence == len(tape.records) - 1


def test_a_late_trade_that_revises_nothing_because_its_bars_are_gone_changes_no_bar():
    tape = Tape()
    tape.minutes([100.0, 100.0, 100.0, 100.0, 100.0, 100.0])
    tape.trade(10, 500.0, flags=2)
    tape.trade(359, 100.0)
    made = engine(trader('high("5m") > 400 or high("5m")[1] > 400 or high("15m") > 400'))
    assert len(made.process(tape.bytes())) == 0
    tape.trade(5 * 60 - 1 + 60, 500.0, flags=2)  # its five-minute bar is still forming
    tape.trade(359, 100.0)
    tape.trade(359, 100.0)
    assert made.process(b"".join(tape.records[-3:])) == []


def test_closes_of_bars_that_began_before_the_engine_are_counted():
    tape = Tape()
    tape.close(60, "1m")
    tape.trade(61, 100.0)
    made = engine(trader("close > 1"))
    assert len(made.process(tape.bytes())) == 1
    assert made.statistics().bars_missed == 1


@pytest.mark.parametrize("price", [math.nan, math.inf, -math.inf, 1e301])
def test_a_trade_without_a_usable_price_is_left_out_and_counted(price):
    tape = Tape()
    tape.trade(0, price)
    tape.quote(1, price, price)
    tape.trade(2, 100.0)
    made = engine(trader("last != 100 or bid != 7 or high != 100"))
    assert made.process(tape.bytes()) == []
    assert made.statistics().malformed == 1


def test_clock_records_of_row_zero_describe_nobody():
    asked = []

    def ask(row):
        asked.append(row)
        return describe(row)

    tape = Tape()
    tape.write(0, 0, Kind.CLOCK)
    tape.trade(1, 5.0, row=1)
    tape.trade(2, 5.0, row=1)
    made = engine(trader("last > 1"))
    made._describe = ask
    made.process(tape.bytes())
    assert asked == [1]


def test_statistics_count_what_was_done():
    tape = Tape()
    for second, price in enumerate([99.0, 101.0, 99.0, 101.0]):
        tape.trade(second, price)
    made = engine(trader("last > 100", cooldown_ns=60 * 10**9))
    made.process(tape.bytes())
    statistics = made.statistics()
    assert (statistics.traders, statistics.columns, statistics.instruments) == (1, 0, 1)
    assert (statistics.records, statistics.position, statistics.evaluations) == (4, 4, 4)
    assert (statistics.matches, statistics.signals, statistics.cooled_down) == (2, 1, 1)


def test_a_rule_is_not_tested_while_no_threshold_is_passed():
    tape = Tape()
    for second in range(100):
        tape.trade(second % 60, 100.0 + second % 7 / 8)
    made = engine(*(trader(f"close > {50 + 5 * index} and high < 900", name=f"t{index}") for index in range(20)))
    made.process(tape.bytes())
    assert made.statistics().looks < 100  # of 4,000 comparisons


@pytest.mark.parametrize(
    ("blob", "message"),
    [(b"", "cannot be read"), (b"\x93\x01\x02", "cannot be read"), (engine(tape="other").checkpoint(), "other")],
)
def test_a_checkpoint_that_does_not_fit_is_refused(blob, message):
    with pytest.raises(CheckpointError, match=message):
        engine().restore([blob])


def test_a_checkpoint_of_another_catalogue_is_refused():
    tape = Tape()
    tape.trade(0, 100.0)
    tape.trade(1, 100.0)
    first = engine(trader("last > 1"))
    first.process(tape.records[0])
    second = engine(trader("last > 1"))
    second._describe = lambda row: describe(row + 1)
    second.restore([first.checkpoint()])
    with pytest.raises(CheckpointError, match="binance:BTCUSDT"):
        second.process(tape.records[1])


def test_after_a_restore_new_and_changed_traders_are_unknown_and_others_go_on():
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(1, 101.0)
    first = engine(
        trader("last > 100", name="kept"), trader("last > 100", name="gone"), trader("last > 9", name="changed")
    )
    assert len(first.process(tape.records[0])) == 3
    second = engine(
        trader("last > 100", name="kept"), trader("last > 99", name="changed"), trader("last > 100", name="new")
    )
    second.restore([first.checkpoint()])
    assert [signal.trader for signal in second.process(tape.records[1])] == ["changed", "new"]


def test_a_trade_that_newer_ones_of_its_moment_have_overtaken_is_neither_the_last_nor_the_close():
    tape = Tape()
    tape.trade(1, 100.0)
    tape.trade(1, 105.0, flags=int(Flag.OVERTAKEN))
    specs = [trader(f"{column} > 104", name=column) for column in ("last", "close", "high")]
    assert [signal.trader for signal in engine(*specs).process(tape.bytes())] == ["high"]


def test_a_late_trade_that_newer_ones_of_its_moment_have_overtaken_leaves_the_close():
    tape = Tape()
    tape.trade(1, 100.0)
    tape.close(60, "1m")
    tape.trade(61, 100.0)
    tape.trade(1, 105.0, flags=LATE | MORE | int(Flag.OVERTAKEN))
    tape.write(1, 0, Kind.BAR_REVISED, Interval.M1)
    tape.close(120, "1m")
    specs = [trader(f"{column}[1] > 104", name=column, when="close") for column in ("close", "high")]
    assert [signal.trader for signal in engine(*specs).process(tape.bytes())] == ["high"]
