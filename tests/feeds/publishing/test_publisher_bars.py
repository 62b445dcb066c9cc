"""Bars on the board equal bars computed slowly and obviously from the same trades."""

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds import frames
from tests.feeds.feed import Feed
from tests.feeds.frames import MINUTE_MS, MINUTE_NS, START_MS
from tickfloor.board.row import Field
from tickfloor.contracts.bars import BarField
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Flag, Kind
from tickfloor.market.bars import fold, start_of

NS = 1_000_000


def reference(trades, interval):
    """Bars by start, from (arrival, time in ms, price, qty, bought)."""
    bars = {}
    for _, group in groupby(sorted(trades, key=lambda each: start_of(interval, each[1])),
                            key=lambda each: start_of(interval, each[1])):  # fmt: skip
        held = list(group)
        prices = [price for _, _, price, _, _ in held]
        first = min(held, key=lambda each: (each[1], each[0]))
        last = max(held, key=lambda each: (each[1], each[0]))
        bars[start_of(interval, held[0][1])] = {
            BarField.OPEN: first[2], BarField.HIGH: max(prices), BarField.LOW: min(prices), BarField.CLOSE: last[2],
            BarField.VOLUME: sum(qty for *_, qty, _ in held), BarField.TRADES: len(held),
            BarField.BUY_VOLUME: sum(qty for *_, qty, bought in held if bought),
            BarField.QUOTE_VOLUME: sum(price * qty for _, _, price, qty, _ in held),
            BarField.FIRST_MS: first[1], BarField.LAST_MS: last[1],
        }  # fmt: skip
    return bars


def on_board(board, number, interval):
    """Closed and forming bars of the board by start; the forming one completed as a reader does."""
    bars = {int(bar[BarField.START_MS]): bar for bar in board.closed[number, interval]}
    starts = [bar[BarField.START_MS] for bar in board.closed[number, interval]]
    assert starts == sorted(set(starts))
    forming, minute = board.forming[number, interval], board.forming[number, Interval.M1]
    if interval is not Interval.M1 and minute is not None:
        forming = fold(forming, minute, start_of(interval, int(minute[BarField.START_MS])))
    if forming is not None:
        assert int(forming[BarField.START_MS]) not in bars
        bars[int(forming[BarField.START_MS])] = forming
    return bars


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for start, bar in expected.items():
        for field, value in bar.items():
            assert found[start][field] == pytest.approx(value, rel=1e-9, abs=1e-12), (start, field)


steps = st.lists(
    st.tuples(
        st.sampled_from(["BTCUSDT", "ETHUSDT"]),
        st.sampled_from([0, 1, 5, 900, 20_000, 59_999, 60_000, 61_000, 300_000, 3_600_000, 15_000_000]),
        st.sampled_from([0, 0, 0, 0, 1, 30_000, 60_000, 200_000, 4_000_000]),
        st.integers(1, 50), st.integers(1, 9), st.booleans(), st.sampled_from(["new", "new", "new", "again", "tick"]),
    ),
    max_size=60,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(steps)
def test_bars_equal_the_reference_whatever_is_late_repeated_or_quiet(given_steps):
    feed = Feed()
    now_ms = START_MS
    # What the venue's clock shows when the first trade comes late.
    feed.send((now_ms - 1_270) * NS, frames.book_ticker(1, "10", "11", time_ms=now_ms))
    numbers = {"BTCUSDT": 0, "ETHUSDT": 0}
    trades = {"BTCUSDT": [], "ETHUSDT": []}
    for arrival, (symbol, ahead, behind, price, qty, bought, what) in enumerate(given_steps):
        now_ms += ahead
        recv_ns = (now_ms - 1_270) * NS
        if what == "tick":
            feed.publisher.tick(recv_ns)
            continue
        if what == "again" and numbers[symbol]:
            feed.send(recv_ns, frames.trade(numbers[symbol], now_ms, 99.0, 99.0, symbol=symbol))
            continue
        numbers[symbol] += 1
        time_ms = now_ms - behind
        feed.send(recv_ns, frames.trade(numbers[symbol], time_ms, price, qty / 8, bought=bought, symbol=symbol))
        trades[symbol].append((arrival, time_ms, float(price), qty / 8, bought))
    feed.publisher.flush()
    for number, instrument in feed.board.instruments.items():
        if not trades[instrument.symbol]:
            continue
        for interval in Interval:
            assert_same(on_board(feed.board, number, interval), reference(trades[instrument.symbol], interval))
        row = feed.board.rows[number]
        held = trades[instrument.symbol]
        day = [each for each in held if each[1] // 86_400_000 == max(each[1] for each in held) // 86_400_000]
        assert row[Field.DAY_HIGH] == max(price for _, _, price, _, _ in day)
        assert row[Field.DAY_LOW] == min(price for _, _, price, _, _ in day)
        assert row[Field.DAY_OPEN] == min(day, key=lambda each: (each[1], each[0]))[2]
        assert row[Field.TRADES] == len(held)
        assert row[Field.BUY_VOLUME] == sum(qty for *_, qty, bought in held if bought)
        assert row[Field.CUMULATIVE_DELTA] == sum(qty if bought else -qty for *_, qty, bought in held)
    for record, following in zip(feed.tape.records, feed.tape.records[1:], strict=False):
        if record.flags & Flag.MORE:
            assert following.instrument == record.instrument
    assert not feed.tape.records or not feed.tape.records[-1].flags & Flag.MORE


def test_a_record_that_reaches_the_end_closes_every_instrument_s_bars_first():
    feed = Feed()
    feed.send(START_MS * NS, frames.trade(1, START_MS + 5, 10, 1, symbol="ETHUSDT"),
              frames.trade(1, START_MS + 6, 20, 2), frames.trade(2, START_MS + 59_999, 21, 1))  # fmt: skip
    records = feed.send((START_MS + MINUTE_MS) * NS, frames.trade(3, START_MS + MINUTE_MS, 22, 1))
    end_ns = (START_MS + MINUTE_MS) * NS
    assert [(r.instrument, r.kind, r.code, r.flags, r.ts_event) for r in records] == [
        (0, Kind.BAR_CLOSE, Interval.M1, 0, end_ns),
        (1, Kind.BAR_CLOSE, Interval.M1, 0, end_ns),
        (1, Kind.TRADE, 1, 0, end_ns),
    ]
    assert records[1][7:] == (0.0, 21.0, 3.0, 2.0)


def test_longer_bars_close_after_shorter_ones_and_bars_that_end_together_say_more():
    feed = Feed()
    hour = START_MS - START_MS % 3_600_000 - 2 * 3_600_000
    feed.send(hour * NS, frames.trade(1, hour, 10, 1))
    records = feed.send((hour + 3_600_000) * NS, frames.trade(2, hour + 3_600_000, 11, 1))
    closes = [record for record in records if record.kind == Kind.BAR_CLOSE]
    assert [record.code for record in closes] == [Interval.M1, Interval.M5, Interval.M15, Interval.H1]
    # The minute, the five and the fifteen ended long before the hour.
    assert [record.flags for record in closes] == [0, 0, 0, 0]
    last_minute = hour + 3_600_000 + 59 * MINUTE_MS
    feed.send(last_minute * NS, frames.trade(3, last_minute, 12, 1))
    end = last_minute + MINUTE_MS
    records = feed.send(end * NS, frames.trade(4, end, 13, 1))
    together = [record for record in records if record.kind == Kind.BAR_CLOSE and record.ts_event == end * NS]
    assert [record.flags for record in together][-4:] == [Flag.MORE, Flag.MORE, Flag.MORE, 0]
    assert [record.ts_event - hour * NS for record in closes] == [
        MINUTE_NS, 5 * MINUTE_NS, 15 * MINUTE_NS, 60 * MINUTE_NS,
    ]  # fmt: skip


def test_the_clock_closes_quiet_bars_once_and_says_so():
    feed = Feed()
    feed.send((START_MS - 1_270) * NS, frames.trade(1, START_MS, 10, 1))
    end_recv_ns = (START_MS + MINUTE_MS - 1_270 + 250) * NS
    assert feed.publisher.tick_due_ns == end_recv_ns
    feed.publisher.tick(end_recv_ns - 1)
    assert feed.kinds() == [Kind.QUALITY, Kind.TRADE]
    feed.publisher.tick(end_recv_ns)
    feed.publisher.tick(end_recv_ns + NS)
    assert feed.kinds() == [Kind.QUALITY, Kind.TRADE, Kind.CLOCK, Kind.BAR_CLOSE]
    clock, close = feed.tape.records[2:]
    assert clock.ts_event == close.ts_event == (START_MS + MINUTE_MS) * NS
    assert clock.ts_init == end_recv_ns


def test_the_clock_is_silent_while_nothing_forms():
    feed = Feed()
    feed.send(START_MS * NS, frames.book_ticker(1, "10", "11", time_ms=START_MS))
    feed.publisher.tick((START_MS + 10_000_000) * NS)
    assert feed.kinds() == [Kind.QUALITY, Kind.QUOTE]


def test_a_late_trade_revises_what_closed_and_only_that():
    feed = Feed(audit=True)
    feed.send(START_MS * NS, frames.trade(1, START_MS + 10, 10, 1))
    feed.send((START_MS + MINUTE_MS) * NS, frames.trade(2, START_MS + MINUTE_MS, 20, 1))
    late, revised = feed.send((START_MS + MINUTE_MS) * NS, frames.trade(3, START_MS + 20, 30, 2, bought=False))
    assert (late.kind, late.flags, late.a) == (Kind.TRADE, Flag.LATE | Flag.MORE, 30.0)
    assert (revised.kind, revised.code, revised.flags) == (Kind.BAR_REVISED, Interval.M1, 0)
    assert revised.ts_event == (START_MS + MINUTE_MS) * NS
    assert revised[7:] == (0.0, 30.0, 3.0, 2.0)
    assert feed.board.closed[0, Interval.M1][0][BarField.HIGH] == 30.0
    assert feed.board.rows[0][Field.LATE_TRADES] == 1
    [figures] = feed.adapter.figures().values()
    assert [bar["high"] for bar in figures["bars_1m"]] == [30.0, 20.0]


def test_a_late_trade_of_a_minute_without_bar_inserts_one():
    feed = Feed()
    feed.send(START_MS * NS, frames.trade(1, START_MS, 10, 1))
    later = START_MS + 3 * MINUTE_MS
    feed.send(later * NS, frames.trade(2, later, 20, 1))
    feed.send(later * NS, frames.trade(3, START_MS + MINUTE_MS + 7, 15, 1))
    bars = feed.board.closed[0, Interval.M1]
    assert [bar[BarField.START_MS] for bar in bars] == [START_MS, START_MS + MINUTE_MS]


def test_a_late_trade_of_a_bar_the_board_no_longer_keeps_is_counted():
    feed = Feed(depth=3)
    for number in range(6):
        time_ms = START_MS + number * MINUTE_MS
        feed.send(time_ms * NS, frames.trade(number + 1, time_ms, 10, 1))
    records = feed.send((START_MS + 5 * MINUTE_MS) * NS, frames.trade(7, START_MS, 99, 1))
    assert [Kind(record.kind) for record in records] == [Kind.TRADE, Kind.BAR_REVISED]
    assert records[1].code == Interval.M5
    assert feed.publisher.writers[0].lost_revisions == 1
    assert len(feed.board.closed[0, Interval.M1]) == 5
