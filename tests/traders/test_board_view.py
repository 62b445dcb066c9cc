"""The board as a trader worker takes it after a hole, while its writer goes on in another process."""

import os
import re
import subprocess
import sys
from array import array
from random import Random

import msgspec
import pytest

from tests.traders.market import BoardMarket
from tests.traders.tapes import saved_instruments, trader
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.row import ROW_WORDS, Field
from tickfloor.board.segment import read_only
from tickfloor.contracts.bars import BarField
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Quality
from tickfloor.traders.engine.engine import Engine
from tickfloor.traders.language.vocabulary import MARKET_COLUMNS
from tickfloor.traders.state.board_view import PATIENCE_SECONDS, views_of
from tickfloor.traders.state.checkpoint import LaneState

DEPTH = 500

BUSY = """
import sys
from tickfloor.board.board_writer import BoardWriter
from tickfloor.board.row import ROW_WORDS
from tickfloor.contracts.instruments import Instrument
writer = BoardWriter(int(sys.argv[1]), run_id=1, incarnation=2)
writer.add_instrument(Instrument(0, "binance", "BTCUSDT"))
row = [1, 0, 0, *[1.0] * (ROW_WORDS - 6), 0.0, 1.0, -1.0]
print("writing", flush=True)
while True:
    writer.write_row(0, row)
    for _ in range(1000):
        pass
"""

TRADING = """
import random, sys
from tickfloor.board.board_writer import BoardWriter
from tickfloor.contracts.instruments import Instrument
from tickfloor.feeds.publishing.publisher import MarketPublisher
class Tape:
    sequence = 0
    def append(self, *record):
        self.sequence += 1
    def publish(self):
        pass
writer = BoardWriter(int(sys.argv[1]), run_id=1, incarnation=1)
feed = MarketPublisher(Tape(), writer, lambda *key: Instrument(0, *key), "binance", bar_slots=writer.layout.ring)
now, second = 1_699_920_000_000_000_000, 1_000_000_000
for number in range(10_000_000):
    # A few minutes close in a second of ours: more would be a market that no reader could copy whole.
    now += second * (number % 500 == 0)
    late = random.randrange(1, 600) * second if random.random() < 0.0005 else 0
    feed.open("BTCUSDT").trade(max(now - late, 1_699_920_000_000_000_000), now, 100.0, 1.0, 1, number, 1)
    if random.random() < 0.2:
        feed.flush()
    if number == 100:
        print("writing", flush=True)
"""


def bar(start_ms, close=1.0):
    return [float(start_ms), close, close, close, close, 1.0, 1.0, 1.0, 1.0, float(start_ms), float(start_ms)]


@pytest.fixture
def board():
    """A board with a whole history of one instrument: descriptor and reader."""
    fd = create_board("board", BoardLayout(2, DEPTH), 1)
    writer = BoardWriter(fd, run_id=1, incarnation=1)
    writer.add_instrument(Instrument(0, "binance", "BTCUSDT"))
    for interval in Interval:
        for number in range(DEPTH):
            writer.append_bar(0, interval, bar(number * interval.ms, close=float(number)))
    writer.write_row(0, [1, 0, 0, *[1.0] * (ROW_WORDS - 6), 0.0, 1.0, -1.0])
    eyes = read_only(fd)
    reader = BoardReader(eyes, run_id=1)
    yield fd, writer, reader
    reader.close()
    writer.close()
    os.close(eyes)
    os.close(fd)


def test_a_view_has_row_and_bars_of_every_interval(board):
    _, writer, reader = board
    minute = bar(DEPTH * Interval.M1.ms, close=7.0)
    writer.write_forming(0, Interval.M1, minute)
    row = [1, 0, 0, *[1.0] * (ROW_WORDS - 6), 0.0, 1.0, -1.0]
    row[Field.SEQUENCE], row[Field.LAST], row[Field.QUALITY] = 99, 7.0, Quality.LIVE
    writer.write_row(0, row)
    writer.write_forming(0, Interval.H1, bar(0, close=6.0))
    views, unsettled = views_of(reader)
    [(number, view)] = views.items()
    assert (number, view.sequence, view.last, view.quality, unsettled) == (0, 99, 7.0, Quality.LIVE, [])
    assert {interval: len(bars) for interval, bars in view.bars.items()} == dict.fromkeys(Interval, DEPTH)
    assert view.bars[Interval.M1][-1] == bar((DEPTH - 1) * Interval.M1.ms, close=float(DEPTH - 1))
    assert view.minute == minute
    assert view.closed_parts == {Interval.H1: bar(0, close=6.0)}


def test_an_instrument_without_a_row_has_no_view(board):
    _, writer, reader = board
    writer.add_instrument(Instrument(1, "binance", "NEWUSDT"))
    assert list(views_of(reader).views) == [0]
    assert views_of(reader).unsettled == []


def test_a_row_that_never_rests_does_not_keep_the_view_from_being_taken(board):
    fd, _, reader = board
    writing = subprocess.Popen([sys.executable, "-c", BUSY, str(fd)], pass_fds=[fd], stdout=subprocess.PIPE, text=True)
    try:
        assert writing.stdout.readline() == "writing\n"
        before = reader.row_version(0)
        # Each takes milliseconds of copying, in which the row moves a hundred times.
        for _ in range(20):
            assert len(views_of(reader).views[0].bars[Interval.M1]) == DEPTH
        assert reader.row_version(0) > before + 100
    finally:
        writing.kill()
        writing.communicate()


def test_while_a_feed_writes_the_bars_of_every_view_add_up_to_its_row():
    """Every trade buys one coin, so that whatever is missing, doubled or too new shows in the sums."""
    fd = create_board("board", BoardLayout(1, 500), 1)
    eyes = read_only(fd)
    reader = BoardReader(eyes, run_id=1)
    trading = subprocess.Popen(
        [sys.executable, "-c", TRADING, str(fd)], pass_fds=[fd], stdout=subprocess.PIPE, text=True
    )
    try:
        assert trading.stdout.readline() == "writing\n"
        seen = set()
        while len(seen) < 40:
            views = views_of(reader).views
            if not views:  # the feed got no processor for too long
                continue
            view = views[0]
            forming = view.minute[BarField.VOLUME] if view.minute else 0.0
            for interval in Interval:
                part = view.closed_parts.get(interval)
                volume = sum(closed[BarField.VOLUME] for closed in view.bars[interval])
                volume += forming + (part[BarField.VOLUME] if part else 0.0)
                assert interval in view.trimmed or volume == view.cumulative_delta
            seen.add(view.sequence)
    finally:
        trading.kill()
        trading.communicate()
        reader.close()
        os.close(eyes)
        os.close(fd)


class Clock:
    """A second passes with every look."""

    def __init__(self, *events) -> None:
        self.events = list(events)
        self.now = 0.0

    def __call__(self) -> float:
        if self.events:
            self.events.pop(0)()
        self.now += PATIENCE_SECONDS / 3
        return self.now


def test_an_instrument_whose_bars_are_ahead_of_its_row_is_left_out(board):
    _, writer, reader = board
    writer.mark_bars_ahead(0, 8)
    assert views_of(reader, Clock()) == ({}, [0])


def test_the_end_of_a_batch_is_waited_for(board):
    _, writer, reader = board
    row = [7, 0, 0, *[1.0] * (ROW_WORDS - 6), 0.0, 1.0, -1.0]
    writer.mark_bars_ahead(0, 8)
    writer.append_bar(0, Interval.M1, bar(DEPTH * Interval.M1.ms, close=9.0))
    clock = Clock(lambda: None, lambda: writer.write_row(0, row))
    views, unsettled = views_of(reader, clock)
    assert (views[0].sequence, views[0].bars[Interval.M1][-1][4], unsettled) == (7, 9.0, [])


class Interrupted:
    """A board whose writer does something between two readings of bars."""

    def __init__(self, reader, *events) -> None:
        self.reader = reader
        self.events = list(events)

    def __getattr__(self, name):
        return getattr(self.reader, name)

    def bars(self, *arguments):
        found = self.reader.bars(*arguments)
        if self.events:
            self.events.pop(0)()
        return found

    def end(self):
        while self.events:
            self.events.pop(0)()


@pytest.mark.parametrize("closes", [True, False])
@pytest.mark.parametrize("look", range(20))
def test_a_batch_at_any_moment_of_a_look_is_contained_whole_or_not_at_all(board, look, closes):
    """Ended in the look, or left unfinished in it and ended later: an old bar is revised, and one may close."""
    _, writer, reader = board
    late = [8, 0, 0, *[1.0] * (ROW_WORDS - 6), 0.0, 1.0, -1.0]
    late[Field.LATE_TRADES] = 2.0

    def begin():
        writer.mark_bars_ahead(0, 8)
        writer.rewrite_bars(0, Interval.M5, 3, [bar(1, close=55.0), *writer.read_tail(0, Interval.M5, DEPTH - 4)])
        if closes:
            writer.append_bar(0, Interval.M1, bar(DEPTH * Interval.M1.ms, close=9.0))

    def end():
        writer.write_row(0, late)

    nothing = [lambda: None] * look
    for events in ([*nothing, begin, end], [*nothing, lambda: (begin(), end())]):
        writer.write_row(0, [1, 0, 0, *[1.0] * (ROW_WORDS - 6), 0.0, 1.0, -1.0])
        fresh_m5, fresh_m1 = reader.bars(0, Interval.M5, DEPTH), reader.bars(0, Interval.M1, DEPTH)
        interrupted = Interrupted(reader, *events)
        view = views_of(interrupted, Clock(interrupted.end)).views[0]
        m5, m1 = view.bars[Interval.M5], view.bars[Interval.M1]
        if view.sequence == 8:
            assert (m5, m1) == (reader.bars(0, Interval.M5, DEPTH).closed, reader.bars(0, Interval.M1, DEPTH).closed)
        else:
            assert (m5, m1) == (fresh_m5.closed, fresh_m1.closed)


RULES = [
    "close > sma(5)", "high - low > 0.5", "rsi(3) > 50 or volume_24h > 0.5", 'close > ema(3, "5m")',
    'close("5m")[2] > last', "cumulative_delta > 0 and mid > 90", 'volume("15m") > 40', "spread < 0.3",
    "crosses_above(close, sma(3))", 'crosses_below(ema(4, "5m"), close("5m")[1])',
    'delta("5m") > delta("5m")[1]', "quote_volume > quote_volume[1]", 'atr(2, "5m") > 1.2 and trades > 2',
]  # fmt: skip


def traders(rules):
    ticks = [trader(rule, name=f"tick {rule}", interval="5m" if "crosses_below" in rule else "1m") for rule in rules]
    closes = [
        trader(rule, name=f"close {rule}", when="close", interval="5m")
        for rule in rules
        if not re.search("last|mid|spread|_24h|delta|1m", rule) and "5m" not in rule
    ]
    return [*ticks, *closes]


def engine_of(market, specs):
    made = Engine(source="run", tape="binance", describe=market.describe)
    for spec in specs:
        made.add(spec)
    return made


@pytest.fixture
def market_of():
    """Make markets on real boards."""
    made = []

    def make(*arguments, **how):
        made.append(BoardMarket(*arguments, **how))
        return made[-1]

    yield make
    for market in made:
        market.close()


def numbers(runs):
    return [array("d", run).tolist() for run in runs]


def rows(lane):
    """Return the columns at closed bars, without what only somebody who was there can have noted."""
    noted = [key.split("@")[0] in MARKET_COLUMNS for key in lane.keys]
    return [[0.0 if left_out else x for x, left_out in zip(row, noted, strict=True)] for row in numbers(lane.rows)]


def known(engine):
    """Return what an engine knows of each instrument, except what only readers of the whole tape can."""
    found = {}
    for row, saved in saved_instruments(engine).items():
        lanes = {label: msgspec.msgpack.decode(lane, type=LaneState) for label, lane in saved.lanes.items()}
        found[row] = (
            saved.market, saved.last_ts, saved.minute, saved.closed_part, saved.closed_until_ms,
            {
                label: (numbers(lane.bars), lane.keys, rows(lane), numbers(lane.indicators.values()))
                for label, lane in lanes.items()
            },
        )  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(12))
def test_an_engine_resynchronised_from_the_board_knows_what_one_knows_that_read_everything(market_of, seed):
    """Prices are any floats: sums differ in their last bit where the order of adding does."""
    random = Random(seed)
    market = market_of(Random(seed), depth=64, longest_step_ms=random.choice([3_000, 40_000]))
    specs = traders([rule for rule in RULES if "24h" not in rule and "spread" not in rule and "mid" not in rule])
    whole, made = engine_of(market, specs), engine_of(market, specs)
    expected = []
    for _ in range(25):
        start = market.tape.sequence
        market.batch(random.randrange(1, 12))
        expected += whole.process(b"".join(market.tape.records[start:]))
        if random.random() < 0.4:
            views, unsettled = views_of(market.reader)
            assert not unsettled
            made.resync(market.tape.sequence, views)
            mark, got, expected = market.tape.sequence, [], []
            for _ in range(random.randrange(1, 6)):
                start = market.tape.sequence
                market.batch(random.randrange(1, 12))
                batch = b"".join(market.tape.records[start:])
                expected += whole.process(batch)
                got += made.process(batch)
                if random.random() < 0.3:
                    blob = made.checkpoint()
                    made = engine_of(market, specs)
                    made.restore([blob])
            assert [s for s in got if s.tape_sequence >= mark] == expected
            seen = {RECORD.unpack(record)[3] for record in market.tape.records[mark:]}
            after, before = known(made), known(whole)
            for row in seen:
                assert repr(after[row]) == repr(before[row])  # NaN is not equal to itself
    assert market.tape.sequence > 50


@pytest.mark.parametrize("seed", range(8))
def test_signals_are_the_same_wherever_the_board_is_deep_enough_for_the_rules(market_of, seed):
    """No average that remembers everything, and no late trade: those reach back as far as columns do."""
    random = Random(seed)
    market = market_of(Random(seed), depth=8, longest_step_ms=40_000, late=False)
    rules = [rule for rule in RULES if not re.search(r"ema|rsi|atr", rule)]
    specs = traders([*rules, 'highest(high[1], 4) < close or lowest(5, "5m") == low("5m")'])
    whole, made = engine_of(market, specs), engine_of(market, specs)
    market.batch(80)
    whole.process(b"".join(market.tape.records))
    for _ in range(30):
        mark = market.tape.sequence
        made.resync(mark, views_of(market.reader).views)
        market.batch(random.randrange(1, 12))
        batch = b"".join(market.tape.records[mark:])
        assert made.process(batch) == whole.process(batch)


@pytest.mark.parametrize("seed", range(8))
def test_what_a_feed_has_half_written_is_not_taken(market_of, seed):
    """In a batch, an instrument is as it was before it, or has no view because bars were written already."""
    random = Random(seed)
    market = market_of(Random(seed), depth=16, longest_step_ms=40_000)
    market.batch(40)
    left_out = 0
    for _ in range(30):
        before = views_of(market.reader).views
        for _ in range(random.randrange(1, 4)):
            market.step()
        views, unsettled = views_of(market.reader, Clock())
        assert set(views) | set(unsettled) == set(before)
        assert all(repr(view) == repr(before[number]) for number, view in views.items())
        left_out += len(unsettled)
        market.publisher.flush()
        assert not views_of(market.reader).unsettled
    assert left_out
