"""After a hole in the tape the engine goes on from the board: silently, and exactly where the board knows all."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traders.streams import SYMBOLS, Rules, tape
from tests.traders.tapes import Tape, brief, engine, trader
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Flag, Kind, Quality, Side, StatsPart
from tickfloor.market.bars import FormingBars
from tickfloor.traders.language.nodes import Market, Truth, leaves
from tickfloor.traders.plans import planned
from tickfloor.traders.state.resync import InstrumentView

seeds = st.integers(0, 2**32)


class Board:
    """What the board would show: everything so far, without columns and rules."""

    def __init__(self) -> None:
        self.forming = [FormingBars() for _ in SYMBOLS]
        self.bars = [{interval: [] for interval in Interval} for _ in SYMBOLS]
        self.values = [{"sequence": -1, "cumulative_delta": 0.0} for _ in SYMBOLS]

    def record(self, record: bytes) -> None:
        sequence, ts_event, _, row, kind, code, _, a, b, c, d = RECORD.unpack(record)
        values = self.values[row]
        values["sequence"] = sequence
        if kind == Kind.TRADE:
            self.forming[row].add_trade(ts_event // 1_000_000, a, b, code == Side.BUY)
            values["cumulative_delta"] += {Side.BUY: b, Side.SELL: -b}.get(code, 0.0)
            if ts_event >= values.get("last_ts_event", 0):
                values |= {"last": a, "last_qty": b, "last_ts_event": ts_event}
        elif kind == Kind.QUOTE:
            values |= {"bid": a, "bid_size": b, "ask": c, "ask_size": d}
        elif kind == Kind.STATS and code == StatsPart.PRICES:
            values |= {"open_24h": a, "high_24h": b, "low_24h": c, "change_24h": d}
        elif kind == Kind.STATS:
            values |= {"volume_24h": a, "quote_volume_24h": b, "trades_24h": c}
        elif kind == Kind.QUALITY:
            values["quality"] = Quality(code)
        elif kind == Kind.BAR_CLOSE:
            self.bars[row][Interval(code)].append(self.forming[row].close(Interval(code)))

    def views(self) -> dict[int, InstrumentView]:
        return {
            row: InstrumentView(
                **self.values[row],
                bars={interval: [list(bar) for bar in bars] for interval, bars in self.bars[row].items()},
                minute=self.forming[row].minute and list(self.forming[row].minute),
                closed_parts={
                    interval: list(part)
                    for interval in Interval
                    if (part := self.forming[row].closed_part[interval]) is not None
                },
            )
            for row in range(len(SYMBOLS))
        }


def counts_market(spec) -> bool:
    """Return whether a counted condition reads a market column: how that stood at past closes no board knows."""
    counted = [column for column in planned(spec).columns if isinstance(column, Truth)]
    return any(isinstance(leaf, Market) for column in counted for leaf in leaves(column))


def simple_rules(seed: int, count: int):
    """Rules whose state follows from the board alone: no crossings, no market columns within indicators."""
    rules = Rules(Random(seed))
    rules.inside = lambda depth: rules.random.choice(["close", "high[1]", "(high - low)", "rsi(2)"])
    found = []
    while len(found) < count:
        spec = rules.spec(f"trader-{len(found)}")
        if spec.when == "tick" and "cross" not in spec.rule and not counts_market(spec):
            found.append(spec)
    return found


@settings(max_examples=30, deadline=None, database=None)
@given(seeds, seeds, seeds)
def test_after_a_hole_signals_equal_those_of_an_engine_that_read_everything(rule_seed, tape_seed, cut_seed):
    records = tape(tape_seed, 300, late=False)
    chosen = [msgspec.structs.replace(spec, cooldown_ns=0) for spec in simple_rules(rule_seed, 8)]
    ends = [index + 1 for index, record in enumerate(records) if not RECORD.unpack(record)[6] & Flag.MORE]
    start, end = sorted(Random(cut_seed).sample(ends, 2))
    expected = [s for s in engine(*chosen).process(b"".join(records)) if s.tape_sequence >= end]

    made, board = engine(*chosen), Board()
    made.process(b"".join(records[:start]))
    for record in records[:end]:
        board.record(record)
    made.resync(end, board.views())
    assert made.position == end
    assert made.process(b"".join(records[end:])) == expected
    assert made.statistics().resyncs == 1


def test_the_hole_itself_gives_no_signal_and_what_matched_in_it_is_no_news():
    tape = Tape()
    tape.trade(0, 99.0)
    tape.trade(1, 101.0)
    tape.trade(2, 102.0)
    tape.trade(3, 99.0)
    tape.trade(4, 101.0)
    made, board = engine(trader("last > 100")), Board()
    made.process(tape.records[0])
    for record in tape.records[:2]:
        board.record(record)
    made.resync(2, board.views())
    assert [signal.tape_sequence for signal in made.process(b"".join(tape.records[2:]))] == [4]


def test_records_that_the_board_already_contained_are_skipped():
    tape = Tape()
    for second, price in enumerate([1.0, 2.0, 4.0, 8.0]):
        tape.trade(second, price)
    made, board = engine(trader("cumulative_delta == 4 and volume == 4")), Board()
    for record in tape.records[:3]:
        board.record(record)
    made.resync(1, board.views())
    assert brief(made.process(b"".join(tape.records[1:])))[0][2] == 3


def test_columns_are_computed_at_an_instruments_first_record_not_for_all_at_once():
    tape = Tape()
    tape.minutes([100.0, 101.0, 102.0])
    made, board = engine(trader("sma(2) > 101 and close > 0")), Board()
    for record in tape.records:
        board.record(record)
    made.resync(len(tape.records), board.views())
    assert made.statistics().evaluations == 0
    assert made.statistics().instruments == len(SYMBOLS)
    mark = len(tape.records)
    tape.trade(130, 100.0)
    tape.trade(131, 103.0)
    assert [signal.tape_sequence for signal in made.process(b"".join(tape.records[mark:]))] == [mark + 1]


@pytest.mark.parametrize("saved", [True, False])
def test_traders_that_come_and_go_before_the_first_record_after_a_hole_do_as_ever(saved):
    """Who was there matches silently, and who has come since is news; a second hole changes nothing."""
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(1, 101.0)
    specs = [trader("last > 100", name=name) for name in ("kept", "gone", "new")]
    made, board = engine(*specs[:2]), Board()
    board.record(tape.records[0])
    made.resync(1, board.views())
    made.remove("gone")
    made.resync(1, board.views())
    if saved:
        blob = made.checkpoint()
        made = engine(specs[0], specs[2])
        made.restore([blob])
    else:
        made.add(specs[2])
    assert [signal.trader for signal in made.process(tape.records[1])] == ["new"]


def test_a_crossing_of_another_interval_is_unknown_after_a_hole_until_the_next_close():
    tape = Tape()
    tape.trade(0, 105.0)
    tape.close(60, "1m")
    tape.close(300, "5m")
    tape.trade(301, 100.0)
    tape.close(360, "1m")
    mark = len(tape.records)
    tape.trade(361, 106.0)
    tape.trade(362, 104.0)
    tape.close(420, "1m")
    tape.trade(421, 106.0)
    made, board = engine(trader('crosses_above(close, high("5m")[1])')), Board()
    for record in tape.records[:mark]:
        board.record(record)
    made.resync(mark, board.views())
    assert [s.tape_sequence for s in made.process(b"".join(tape.records[mark:]))] == [mark + 3]


def test_an_instrument_that_the_board_does_not_have_starts_anew_and_cooldowns_stay():
    tape = Tape()
    tape.trade(0, 101.0)
    tape.trade(0, 101.0, row=1)
    for second in (1, 2):
        for row in (0, 1):
            tape.trade(second, 99.0 + second, row=row)
    made, board = engine(trader("last > 100", cooldown_ns=10**10)), Board()
    for record in tape.records[:4]:
        board.record(record)
    assert len(made.process(b"".join(tape.records[:4]))) == 2
    made.resync(4, {0: board.views()[0]})
    assert [signal.instrument for signal in made.process(b"".join(tape.records[4:]))] == ["binance:ETHUSDT"]
    assert made.statistics().cooled_down == 1


def test_an_at_close_rule_that_wants_live_data_and_held_all_along_is_no_news_after_a_hole():
    tape = Tape()
    tape.quality(0, "live")
    tape.minutes([101.0, 102.0, 103.0, 104.0, 105.0])
    made, board = engine(trader("close > 100", when="close", requires_live=True)), Board()
    half = len(tape.records) // 2
    for record in tape.records[:half]:
        board.record(record)
    assert len(made.process(b"".join(tape.records[:half]))) == 1
    made.resync(half, board.views())
    assert made.process(b"".join(tape.records[half:])) == []
