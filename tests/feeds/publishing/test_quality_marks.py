"""What an instrument's quality says while its feed is away, repaired, or has a hole."""

import pytest

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.frames import START_MS
from tickfloor.board.row import Field
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Flag, Kind, Quality, Side
from tickfloor.feeds.publishing.publisher import MarketPublisher

NS = START_MS * 1_000_000
MINUTE = Interval.M1.ns


class One:
    """One instrument that has traded."""

    def __init__(self) -> None:
        self.tape, self.board = FakeTape(), FakeBoard()
        self.publisher = MarketPublisher(self.tape, self.board, catalogue(), "binance")
        self.writer = self.publisher.open("BTCUSDT")
        self.trade(1)

    def trade(self, trade_id: int, at: int = NS, price: float = 10.0) -> bool:
        return self.writer.trade(at, at, price, 1.0, Side.BUY, trade_id, 1)

    def marks(self) -> list[Quality]:
        return [Quality(record.code) for record in self.tape.records if record.kind == Kind.QUALITY]


def test_stale_goes_before_repairing_and_repairing_before_gap():
    one = One()
    one.writer.doubt(Quality.STALE, True, NS)
    one.writer.doubt(Quality.REPAIRING, True, NS)
    one.trade(5)
    one.writer.doubt(Quality.STALE, False, NS)
    one.writer.doubt(Quality.REPAIRING, False, NS)
    one.trade(6)
    assert one.marks() == [Quality.LIVE, Quality.STALE, Quality.REPAIRING, Quality.GAP, Quality.LIVE]


def test_the_same_doubt_twice_is_one_mark_and_the_row_shows_it():
    one = One()
    for _ in range(2):
        one.writer.doubt(Quality.STALE, True, NS)
    one.publisher.flush()
    assert one.marks() == [Quality.LIVE, Quality.STALE]
    assert one.board.rows[0][Field.QUALITY] == Quality.STALE


@pytest.mark.parametrize("doubt", [Quality.LIVE, Quality.GAP, Quality.UNKNOWN])
def test_only_being_away_and_being_repaired_can_be_said_from_outside(doubt):
    with pytest.raises(KeyError):
        One().writer.doubt(doubt, True, NS)


def test_a_missed_trade_of_this_minute_is_in_the_bar_and_leaves_the_newest_price_alone():
    one = One()
    one.trade(3, NS + 2_000_000_000, price=12.0)
    one.writer.missed_trade(NS + 1_000_000_000, NS + 3_000_000_000, 9.0, 2.0, Side.SELL, 2, 1)
    assert one.trade(4, NS + 4_000_000_000, price=12.5)
    minute = one.writer.forming.minute
    assert minute is not None
    assert minute[:9] == [START_MS, 10.0, 12.5, 9.0, 12.5, 5.0, 10.0 + 12.0 + 18.0 + 12.5, 3.0, 4.0]
    assert one.writer.expected_id == 5


def test_a_missed_trade_of_a_closed_minute_revises_its_bar():
    one = One()
    one.trade(3, NS + MINUTE)
    one.writer.missed_trade(NS + 1_000_000_000, NS + MINUTE, 9.0, 2.0, Side.SELL, 2, 1)
    assert any(record.kind == Kind.TRADE and record.flags & Flag.LATE for record in one.tape.records)
    assert any(record.kind == Kind.BAR_REVISED for record in one.tape.records)
    assert one.board.closed[0, Interval.M1][0][8] == 2.0


def test_trades_that_are_numbered_anew_are_a_gap_and_not_duplicates_for_ever():
    one = One()
    one.trade(900, NS + 1)
    assert not one.trade(3, NS + 2_000_000_000)  # it may be an error
    assert one.trade(4, NS + 2_000_000_001)
    assert one.trade(5, NS + 2_000_000_002)
    assert (one.writer.trades, one.writer.duplicates, one.writer.expected_id) == (4, 1, 6)
    assert one.marks()[-2:] == [Quality.GAP, Quality.LIVE]


def test_single_trades_with_old_ids_do_not_make_the_real_ones_begin_anew():
    one = One()
    one.trade(900, NS + 1)
    for step, wrong in enumerate((3, 500, 2), 1):
        assert not one.trade(wrong, NS + step * 2_000_000_000)
    assert one.trade(901, NS + 9_000_000_000)
    assert one.writer.expected_id == 902


def test_an_old_id_with_an_old_time_is_a_duplicate():
    one = One()
    one.trade(900, NS + 5_000_000_000)
    assert not one.trade(3, NS + 5_500_000_000)


class Asked:
    """A join that notes what it is asked."""

    newest = -1
    publishing = False

    def __init__(self, answer: bool | None) -> None:
        self.answer = answer
        self.offers: list[int] = []

    def offer(self, ts_event, ts_init, price, qty, side, trade_id, count) -> bool | None:
        self.offers.append(trade_id)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "trade_id", "taken", "published", "duplicates"),
    [
        (True, 5, True, 0, 0),
        (False, 5, False, 0, 1),
        (None, 5, True, 1, 0),
        (None, 1, False, 0, 1),
        (True, 1, True, 0, 0),
    ],
)
def test_a_join_is_asked_about_every_trade_out_of_order(answer, trade_id, taken, published, duplicates):
    one = One()
    join = one.writer.join = Asked(answer)
    before = one.writer.trades
    assert one.trade(trade_id) is taken
    assert one.trade(2 if one.writer.expected_id == 2 else 6)
    assert join.offers == [trade_id]
    assert (one.writer.trades - before - 1, one.writer.duplicates) == (published, duplicates)
