"""A rule over a history of bars gives the matches and signals that the engine gave while the bars came about."""

from random import Random

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.indicators.candles import FILES, need_candles
from tests.traders.history.histories import close_specs, closed_bars, engine, history_of, tape_of, trading
from tests.traders.tapes import trader
from tickfloor.contracts.intervals import BY_LABEL, Interval
from tickfloor.contracts.records import RECORD, Flag, Kind
from tickfloor.contracts.traders import TraderSpec
from tickfloor.market.bars import FormingBars
from tickfloor.traders.history.bars import FIELDS, folded
from tickfloor.traders.history.columns import HistoryColumns
from tickfloor.traders.history.decisions import decided, shown
from tickfloor.traders.language.functions import SIGNATURES, example
from tickfloor.traders.language.nodes import Market
from tickfloor.traders.language.vocabulary import RUNS
from tickfloor.traders.plans import planned
from tickfloor.traders.state.resync import InstrumentView

seeds = st.integers(0, 2**32)


def bounded(examples: int):
    # Seeds have nothing to shrink, and a failure should be said within the minute.
    return settings(max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate])


def live(specs, records):
    """Return every trader's matches by close of its interval, and its signals with their values."""
    made = engine(*specs)
    matches = {spec.name: [] for spec in specs}
    signals = {spec.name: [] for spec in specs}
    event = b""
    for start in range(0, len(records), RECORD.size):
        event += records[start : start + RECORD.size]
        if RECORD.unpack_from(event, len(event) - RECORD.size)[6] & Flag.MORE:
            continue
        for signal in made.process(event):
            signals[signal.trader].append((signal.ts_event, signal.values))
        closed = {code for _, _, _, _, kind, code, *_ in RECORD.iter_unpack(event) if kind == Kind.BAR_CLOSE}
        if closed:
            now = made.run().matches
            for spec in specs:
                if BY_LABEL[spec.interval] in closed:
                    matches[spec.name].append(spec.name in now)
        event = b""
    return matches, signals


def over_history(spec, columns):
    found = decided(spec, columns)
    values = shown(planned(spec), columns)
    signals = [
        (
            int(found.end_ms[at]) * 1_000_000,
            {text: None if np.isnan(each[at]) else float(each[at]) for text, each in values.items()},
        )
        for at in found.signals
    ]
    return found.matches.tolist(), signals


def assert_alike(specs, records, history):
    matches, signals = live(specs, records)
    columns = HistoryColumns(history)
    until_ns = int(history.end_ms[-1]) * 1_000_000 if len(history) else 0
    for spec in specs:
        got_matches, got_signals = over_history(spec, columns)
        # Later trades of the tape may show that a longer bar is over; the history ends with its last minute.
        assert len(matches[spec.name]) - len(got_matches) in (0, 1)
        assert got_matches == matches[spec.name][: len(got_matches)], (spec.rule, spec.interval)
        assert got_signals == [each for each in signals[spec.name] if each[0] <= until_ns], (spec.rule, spec.interval)
    return sum(map(len, signals.values()))


@bounded(60)
@given(seeds, seeds, st.sampled_from([5_000, 20_000, 90_000, 240_000]))
def test_random_rules_over_random_bars(rule_seed, trade_seed, longest_step_ms):
    records = tape_of(trading(trade_seed, 400, longest_step_ms=longest_step_ms))
    assert_alike(close_specs(rule_seed, 12), records, history_of(closed_bars(records)[Interval.M1]))


REAL = [
    ("close > sma(20) and rsi(14) < 70", "1m"),
    ("crosses_above(ema(12), ema(26))", "5m"),
    ('crosses_below(close, close("1h"))', "1m"),
    ('rsi(14, "15m") < rsi(14, "1h") - 5 or last > highest(high[1], 20)', "1m"),
    ("not atr(14) < 0.001 * close and volume > 2 * sma(volume, 20)", "15m"),
    ('change(close, 3, "4h") ** 2 > 1 and quality == "live"', "5m"),
]


def candle_trades(path):
    """Return trades that make a file's minute candles: open, low, high and close, the volume in quarters."""
    from tickfloor.traders.history.candle_file import read_candles
    from tickfloor.traders.history.trade_tape import Trade

    bars = read_candles([path]).bars
    fields = [bars.fields[name].tolist() for name in ("open", "low", "high", "close")]
    for at, start_ms in enumerate(bars.start_ms.tolist()):
        qty = float(bars.fields["volume"][at]) / 4
        for place, prices in enumerate(fields):
            yield Trade((start_ms + 15_000 * place) * 1_000_000, prices[at], qty, 1 + at % 2)


@pytest.mark.parametrize("name", ["btcperp_1m_202201", "lean_coinbase_ltcusd_minute_20180404"])
def test_rules_over_recorded_candles(name):
    need_candles()
    [path] = [path for path in FILES if path.name.startswith(name)]
    specs = [trader(rule, rule, when="close", interval=interval) for rule, interval in REAL]
    records = tape_of(list(candle_trades(path))[:24_000])
    assert assert_alike(specs, records, history_of(closed_bars(records)[Interval.M1])) > 50


@bounded(20)
@given(seeds, st.sampled_from([5_000, 90_000, 240_000]))
def test_folded_bars_are_those_that_closed_bit_for_bit(seed, longest_step_ms):
    closed = closed_bars(tape_of(trading(seed, 600, longest_step_ms=longest_step_ms)))
    minutes = history_of(closed[Interval.M1])
    for interval in Interval:
        expected = history_of(closed[interval], interval)
        got = folded(minutes, interval)
        over = expected.end_ms <= minutes.end_ms[-1]
        assert got.start_ms.tolist() == expected.start_ms[over].tolist()
        for name in FIELDS:
            assert got.fields[name].tobytes() == expected.fields[name][over].tobytes(), (interval, name)


def resynchronised_half_way(specs: list[TraderSpec], records: bytes, cut: int):
    """Return the signals after the cut of an engine that went on there from the board."""
    made, forming, bars = engine(*specs), FormingBars(), {interval: [] for interval in Interval}
    made.process(records[:cut])
    last = qty = at = 0
    for _, ts_event, _, _, kind, code, _, a, b, _, _ in RECORD.iter_unpack(records[:cut]):
        if kind == Kind.TRADE:
            forming.add_trade(ts_event // 1_000_000, a, b, code == 1)
            last, qty, at = a, b, ts_event
        elif kind == Kind.BAR_CLOSE:
            bars[Interval(code)].append(list(forming.close(Interval(code))))
    parts = {interval: part for interval in Interval if (part := forming.closed_part[interval]) is not None}
    view = InstrumentView(
        sequence=cut // RECORD.size - 1,
        last=last,
        last_qty=qty,
        last_ts_event=at,
        quality=1,
        bars=bars,
        minute=forming.minute,
        closed_parts=parts,
    )
    made.resync(cut // RECORD.size, {0: view})
    return [(signal.trader, signal.ts_event) for signal in made.process(records[cut:])]


@bounded(25)
@given(seeds, seeds, seeds)
def test_an_engine_that_went_on_from_the_board_gives_the_same_signals(rule_seed, trade_seed, cut_seed):
    """What it cannot know is left out: how market columns and those of other intervals stood before."""
    records = tape_of(trading(trade_seed, 400))
    ends = [
        (at + 1) * RECORD.size for at, record in enumerate(RECORD.iter_unpack(records)) if not record[6] & Flag.MORE
    ]
    cut = Random(cut_seed).choice(ends)
    specs = [
        spec
        for spec in close_specs(rule_seed, 60)
        if "cross" not in spec.rule
        and not any(isinstance(column, Market) for column in planned(spec).columns)
        and not spec.cooldown_ns
    ]
    got = resynchronised_half_way(specs, records, cut)
    columns = HistoryColumns(history_of(closed_bars(records)[Interval.M1]))
    begins = RECORD.unpack_from(records, cut)[1] if cut < len(records) else 1 << 62
    for spec in specs:
        found = decided(spec, columns)
        expected = [int(found.end_ms[at]) * 1_000_000 for at in found.signals]
        until_ns = int(columns.bars(Interval.M1).end_ms[-1]) * 1_000_000
        after = {at for name, at in got if name == spec.name and at <= until_ns}
        closing = RECORD.unpack_from(records, cut)[4] == Kind.BAR_CLOSE if cut < len(records) else False
        assert after == {at for at in expected if at >= begins or (closing and at == begins)}, spec.rule


NUMBERS = [f"change({example(name)}, 1) > 0" for name in SIGNATURES if name not in RUNS]
CONDITIONS = [
    *(example(name) for name in (*RUNS, "crosses_above", "crosses_below", "any_of", "between")),
    "all_of(rsi(5) < 60, close > sma(3))",
    "count_of(close > open, 5) > 2",
    'count_of(crosses_above(close, sma(3, "5m")), 9, "5m") >= 1',
    "bars_since(not close > highest(high[1], 3)) == 2",
    "hour > 3 and close > open",
    'weekday("Asia/Tokyo") < 3 and minute >= 30 and close > 1',
    'session("22:30", "03:15", "Europe/Berlin") and rising(close, 2)',
    "not session('09:00', '12:00') or close[1] > 100",
]


@pytest.mark.parametrize("rule", [*NUMBERS, *CONDITIONS])
def test_every_function_of_the_language(rule):
    records = tape_of(trading(11, 1_500, longest_step_ms=45_000))
    specs = [trader(rule, interval, when="close", interval=interval) for interval in ("1m", "5m")]
    assert assert_alike(specs, records, history_of(closed_bars(records)[Interval.M1]))
