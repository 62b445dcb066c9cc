"""A live feed's successor goes on from the board and tape that a dead feed left, wherever death came."""

import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.feeds.fakes import catalogue
from tests.feeds.frames import START_MS
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.row import Field
from tickfloor.board.tape_writer import TapeWriter, create_tape
from tickfloor.contracts.bars import BarField
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import RECORD, Kind, Side
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.publishing.takeover import Legacy
from tickfloor.feeds.venue import NoRepairs

SYMBOLS = ("BTCUSDT", "ETHUSDT", "XRPUSDT")
START_NS = START_MS * 1_000_000
# Decimals are learned from what comes next; sequences and receive times are those of the repetition.
SAME = [
    field
    for field in Field
    if field
    not in (Field.SEQUENCE, Field.TS_INIT, Field.TS_EVENT, Field.QUALITY, Field.PRICE_DECIMALS, Field.QTY_DECIMALS)
]


class DiedError(Exception):
    pass


class Mortal:
    """A board writer that dies before the n-th of its calls that change anything."""

    def __init__(self, board: BoardWriter, calls: int) -> None:
        self._board = board
        self._left = calls
        self.layout = board.layout

    def __getattr__(self, name):
        method = getattr(self._board, name)
        if name in ("add_instrument", "read_tail", "closed_bars", "close"):
            return method

        def call(*arguments):
            if not self._left:
                raise DiedError
            self._left -= 1
            return method(*arguments)

        return call


class Shared:
    """The memory that outlives a feed."""

    def __init__(self) -> None:
        self.board = create_board("board", BoardLayout(4, 20), run_id=1)
        self.tape, self.readers = create_tape("tape", 4096, run_id=1)
        self.assign = catalogue()
        self.incarnation = 0

    def feed(self, dies_after: int = 1 << 40):
        """Return the tape and publisher of another incarnation, and the instruments it is unsure of."""
        self.incarnation += 1
        tape = TapeWriter(self.tape, self.readers, run_id=1, incarnation=self.incarnation, doorbells={})
        legacy = Legacy(self.board, 1) if tape.resumed_at else None
        if legacy is not None:
            tape.resume(legacy.complete)
            legacy.follow(tape.read_back(legacy.first_to_follow))
        resumes = legacy is not None
        board = BoardWriter(self.board, run_id=1, incarnation=self.incarnation, resumes=resumes)
        board = Mortal(board, dies_after)
        publisher = MarketPublisher(tape, board, self.assign, "binance", bar_slots=32)
        unsure = set() if legacy is None else {each.symbol for each in legacy.unsure}
        try:
            if legacy is not None:
                legacy.hand_over(lambda venue: publisher)
        except DiedError:
            publisher = None
        return tape, publisher, unsure

    def trades_on_tape(self):
        self.incarnation += 1
        tape = TapeWriter(self.tape, self.readers, run_id=1, incarnation=self.incarnation, doorbells={})
        tape.resume(0)
        records = list(RECORD.iter_unpack(tape.read_back(0)))
        tape.close()
        return [(record[3], int(record[9])) for record in records if record[4] == Kind.TRADE]

    def close(self) -> None:
        for fd in (self.board, self.tape, self.readers):
            os.close(fd)


TRADES = st.lists(
    st.tuples(
        st.sampled_from(SYMBOLS), st.sampled_from([0, 1, 700, 20_000, 70_000]), st.integers(90, 110), st.booleans()
    ),
    min_size=1,
    max_size=60,
)


def numbered(trades):
    """Give trades their ids, times and quantities."""
    now_ms, ids = START_MS, dict.fromkeys(SYMBOLS, 0)
    for symbol, step, price, bought in trades:
        now_ms += step
        ids[symbol] += 1
        yield (
            symbol,
            now_ms * 1_000_000,
            float(price),
            0.5 * ids[symbol],
            Side.BUY if bought else Side.SELL,
            ids[symbol],
        )


def play(publisher, trades, every: int) -> None:
    for number, (symbol, ts, price, qty, side, trade_id) in enumerate(trades, 1):
        publisher.open(symbol).trade(ts, ts, price, qty, side, trade_id, 1)
        if number % every == 0:
            publisher.flush()
    publisher.flush()


def starts(bars):
    """Return the starts of closed and forming bars, and make sure that none holds trades of another's time."""
    found = [*bars.closed, *([bars.forming] if bars.forming else [])]
    for bar, after in itertools.pairwise(found):
        assert bar[BarField.LAST_MS] < after[BarField.START_MS] <= after[BarField.FIRST_MS]
    return [bar[BarField.START_MS] for bar in bars.closed], bars.forming and bars.forming[BarField.START_MS]


@settings(max_examples=200, deadline=None)
@given(trades=TRADES, every=st.integers(1, 9), deaths=st.lists(st.integers(1, 120), max_size=3))
def test_every_trade_is_on_the_tape_once_and_the_board_is_as_if_nobody_had_died(trades, every, deaths):
    disturbed, calm = Shared(), Shared()
    try:
        trades = list(numbered(trades))
        play(calm.feed()[1], trades, every)
        unsure = set()
        for death in [*deaths, 1 << 40]:
            _, publisher, doubtful = disturbed.feed(death)
            unsure |= doubtful
            if publisher is None:
                continue
            try:
                # A venue sends again what was missed; what was not is a duplicate.
                play(publisher, trades, every)
            except DiedError:
                continue
        assert sorted(disturbed.trades_on_tape()) == sorted(calm.trades_on_tape())
        one, other = BoardReader(disturbed.board, run_id=1), BoardReader(calm.board, run_id=1)
        assert one.count() == other.count()
        for number in range(other.count()):
            row, expected = one.row(number), other.row(number)
            assert [repr(row[field]) for field in SAME] == [repr(expected[field]) for field in SAME]
            for interval in Interval:
                bars, wanted = one.bars(number, interval, 20), other.bars(number, interval, 20)
                if one.instrument(number).symbol not in unsure:
                    assert (bars.closed, bars.forming) == (wanted.closed, wanted.forming)
                # Counts of the moment of death may be unsure; which bars there are is not.
                assert starts(bars) == starts(wanted)
        one.close()
        other.close()
    finally:
        disturbed.close()
        calm.close()


def test_a_feed_that_died_between_board_and_tape_has_its_records_published():
    shared = Shared()
    _, publisher, _ = shared.feed()
    trades = list(numbered([("BTCUSDT", 1, 100, True)] * 10))
    play(publisher, trades[:4], 1)
    for symbol, ts, price, qty, side, trade_id in trades[4:]:
        publisher.open(symbol).trade(ts, ts, price, qty, side, trade_id, 1)
    publisher.write()
    published = len(shared.trades_on_tape())
    shared.feed()
    assert (published, len(shared.trades_on_tape())) == (4, 10)
    shared.close()


def test_a_successor_does_not_take_half_a_batch_for_certain():
    shared = Shared()
    _, publisher, _ = shared.feed(dies_after=11)  # three batches of three calls, the mark and the minute
    with pytest.raises(DiedError):
        play(publisher, numbered([("BTCUSDT", 1, 100, True)] * 6), 1)
    assert shared.feed()[2] == {"BTCUSDT"}
    shared.close()


def test_a_successor_knows_what_was_missing_before_the_newest_trade():
    shared = Shared()
    _, publisher, _ = shared.feed()
    trades = dict(enumerate(numbered([("BTCUSDT", 1, 100, True)] * 9), 1))
    writer = publisher.open("BTCUSDT")
    joins = TradeJoins(NoRepairs(), hold_ns=1, patience_ns=0)
    joins.watch(writer)
    for number in (1, 2, 5, 8, 6, 9):
        _, ts, price, qty, side, trade_id = trades[number]
        writer.trade(ts, ts, price, qty, side, trade_id, 1)
        joins.tick(ts + 1)
    publisher.flush()
    _, publisher, _ = shared.feed()
    successor = publisher.known("BTCUSDT")
    assert (successor.expected_id, list(successor.inherited)) == (10, [(3, 4), (7, 7)])
    joins = TradeJoins(NoRepairs())
    joins.watch(successor)
    assert joins.statistics().missing == 3
    _, ts, price, qty, side, trade_id = trades[7]
    assert successor.trade(ts, ts, price, qty, side, trade_id, 1)
    assert not successor.trade(ts, ts, price, qty, side, trade_id, 1)
    shared.close()
