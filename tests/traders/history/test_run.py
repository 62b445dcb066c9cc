"""The figures of a run over candles and over trades."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traders.history.histories import close_specs, closed_bars, engine, history_of, tape_of, trading
from tests.traders.tapes import MIDNIGHT_MS, trader
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Side
from tickfloor.traders.history.columns import HistoryColumns
from tickfloor.traders.history.errors import HistoryError
from tickfloor.traders.history.run import MOST_POINTS, FoundSignal, PricePath, over_bars, over_trades
from tickfloor.traders.history.trade_tape import Trade

MIDNIGHT_NS = MIDNIGHT_MS * 1_000_000


def second(at: float, price: float) -> Trade:
    return Trade(MIDNIGHT_NS + int(at * 1e9), price, 1.0, Side.BUY)


def test_a_tick_rule_over_trades_is_counted_at_each():
    prices = [99.0, 101.0, 102.0, 99.0, 103.0]
    run = over_trades(trader("last > 100"), "X", [second(at, price) for at, price in enumerate(prices)])
    assert (run.decided, run.matched, run.late) == (5, 3, 0)
    assert (run.first_ns, run.last_ns) == (MIDNIGHT_NS, MIDNIGHT_NS + 4_000_000_000)
    assert run.signals == [
        FoundSignal(MIDNIGHT_NS + 1_000_000_000, 101.0, {"last": 101.0}),
        FoundSignal(MIDNIGHT_NS + 4_000_000_000, 103.0, {"last": 103.0}),
    ]


def test_a_close_rule_over_trades_is_counted_at_each_close_of_its_interval():
    trades = [second(at, price) for at, price in ((0, 1.0), (61, 2.0), (130, 3.0), (300, 4.0), (301, 1.0))]
    run = over_trades(trader("close > 1", when="close"), "X", trades)
    assert (run.decided, run.matched) == (3, 2)
    assert [(signal.ts_event - MIDNIGHT_NS, signal.price) for signal in run.signals] == [(120_000_000_000, 2.0)]
    run = over_trades(trader("close > 1", when="close", interval="5m"), "X", trades)
    assert (run.decided, run.matched, run.signals[0].price) == (1, 1, 3.0)


def test_late_trades_are_counted_and_do_not_move_the_price():
    trades = [second(0, 1.0), second(61, 2.0), second(59, 9.0), second(121, 2.0)]
    run = over_trades(trader("close > 1", when="close"), "X", trades)
    assert run.late == 1
    assert list(run.path.prices) == [1.0, 2.0, 2.0]


@settings(max_examples=10, deadline=None, database=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_trades_and_the_bars_they_make_come_to_the_same(rule_seed, trade_seed):
    trades = trading(trade_seed, 300)
    history = history_of(closed_bars(tape_of(trades))[Interval.M1])
    columns = HistoryColumns(history)
    for spec in close_specs(rule_seed, 4):
        bars, ticks = over_bars(spec, columns), over_trades(spec, "X", trades)
        assert 0 <= ticks.decided - bars.decided <= 1
        assert 0 <= ticks.matched - bars.matched <= 1
        assert ticks.signals[: len(bars.signals)] == bars.signals
        assert len(ticks.signals) - len(bars.signals) <= 1


@settings(max_examples=10, deadline=None, database=None)
@given(st.integers(0, 2**32))
def test_a_tick_rule_over_trades_gives_the_signals_of_the_engine(seed):
    trades = trading(seed, 400, longest_step_ms=20_000)
    spec = trader("crosses_above(close, sma(3)) or rsi(2) > 90", cooldown_ns=45_000_000_000)
    expected = [(signal.ts_event, signal.values) for signal in engine(spec).process(tape_of(trades))]
    got = over_trades(spec, "X", trades)
    assert [(signal.ts_event, signal.values) for signal in got.signals] == expected
    assert expected


def minutes(count: int):
    bars = [[MIDNIGHT_MS + at * 60_000.0, 1, 2, 0.5, 1 + at % 2, 1, 1, 1, 1, 0, 0] for at in range(count)]
    return history_of(bars)


def test_a_tick_rule_over_bars_is_refused_with_a_hint():
    with pytest.raises(HistoryError, match="decide it at the close"):
        over_bars(trader("close > 1"), HistoryColumns(minutes(3)))


def test_bars_shorter_than_those_there_are_cannot_be_had():
    hours = history_of([[0.0, *[1.0] * 10], [3_600_000.0, *[1.0] * 10]], Interval.H1)
    with pytest.raises(HistoryError, match="reads 1m bars and the data has those of 1h"):
        over_bars(trader("close > 1", when="close"), HistoryColumns(hours))


def test_another_instrument_is_refused_in_both():
    spec = trader('close > close["ETHUSDT"]', when="close")
    with pytest.raises(HistoryError, match="of one instrument"):
        over_bars(spec, HistoryColumns(minutes(3)))
    with pytest.raises(HistoryError, match="of one instrument"):
        over_trades(msgspec.structs.replace(spec, when="tick"), "X", [second(0, 1.0)])


@pytest.mark.parametrize("count", [0, 1])
def test_a_history_of_nothing_comes_to_nothing(count):
    run = over_bars(trader('crosses_above(close, sma(3, "1h"))', when="close"), HistoryColumns(minutes(count)))
    assert (run.decided, run.matched, run.signals) == (count, 0, [])
    assert (run.first_ns is None) == (count == 0)
    assert over_trades(trader("close > 1"), "X", []).first_ns is None


def test_what_bars_do_not_say_is_unknown_and_never_matches():
    columns = HistoryColumns(minutes(4))
    for rule in ("bid > 0", "not bid > 0", "last_qty != 0", 'close > 0 and quality != "live"'):
        assert over_bars(trader(rule, when="close"), columns).matched == 0
    assert over_bars(trader('last == close and quality == "live"', when="close"), columns).matched == 4


def test_a_path_keeps_a_bounded_number_of_points_from_end_to_end():
    path = PricePath()
    for at in range(100_000):
        path.add(at, float(at))
    assert MOST_POINTS / 2 < len(path.prices) < 2 * MOST_POINTS
    assert path.times_ns[0] < 64
    assert path.times_ns[-1] > 100_000 - 64
    assert list(path.times_ns) == sorted(path.times_ns)
