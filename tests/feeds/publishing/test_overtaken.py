"""A trade that newer ones have overtaken is not the last of its moment."""

from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS, trade, trade_rows
from tests.feeds.joining.test_trade_joins import START_NS, Joined
from tickfloor.board.row import Field
from tickfloor.contracts.bars import BarField
from tickfloor.contracts.intervals import Interval
from tickfloor.feeds.joining.trade_joins import HOLD_NS, PATIENCE_NS
from tickfloor.feeds.venue import BacklogTrade

MS = 1_000_000


def after_a_late_answer(*, missed: int) -> Joined:
    """Trades 1 to 4 of one millisecond, each at its id as price; one of them comes after the others are let go."""
    joined = Joined()
    joined.live(0, ts_event=START_NS)
    for trade_id in {1, 2, 3, 4} - {missed}:
        joined.live(trade_id, ts_event=START_NS + 5 * MS)
    joined.after(PATIENCE_NS)
    joined.after(HOLD_NS)
    late = BacklogTrade(START_NS + 5 * MS, float(missed), 1.0, 1, missed, 1, f"{missed}", "1")
    joined.joins.backlog(joined.writer, [late], joined.now)
    assert sorted(joined.ids) == [0, 1, 2, 3, 4]
    return joined


def test_a_trade_that_comes_late_does_not_become_the_last_price_of_its_millisecond():
    assert after_a_late_answer(missed=2).writer.row[Field.LAST] == 4.0


def test_a_trade_that_comes_late_does_not_become_its_bar_s_close():
    assert after_a_late_answer(missed=2).writer.forming.minute[BarField.CLOSE] == 4.0


def test_a_recording_with_a_repair_gives_the_bars_of_the_venue():
    feed = Feed()
    feed.send(START_MS * MS, trade(1, START_MS, 41.0, 1.0))
    feed.send((START_MS + 5) * MS, trade(2, START_MS + 5, 42.0, 1.0), trade(4, START_MS + 5, 44.0, 1.0))
    body = trade_rows([(3, START_MS + 5, "43.00", "1", False)])
    feed.adapter.on_http((START_MS + 200) * MS, "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=3&limit=1", body)
    minute = feed.publisher.known("BTCUSDT").forming.minute
    assert minute[BarField.TRADES] == 4.0
    assert minute[BarField.CLOSE] == 44.0


def test_a_trade_that_comes_late_and_is_the_last_of_its_moment_is_its_bar_s_close():
    joined = Joined()
    joined.live(0, ts_event=START_NS)
    joined.live(1, ts_event=START_NS + 5 * MS)
    joined.live(3, ts_event=START_NS + 60_000 * MS)
    joined.after(PATIENCE_NS)
    joined.after(HOLD_NS)
    late = BacklogTrade(START_NS + 5 * MS, 2.0, 1.0, 1, 2, 1, "2", "1")
    joined.joins.backlog(joined.writer, [late], joined.now)
    (bar,) = joined.publisher.board.read_tail(0, Interval.M1, 2)
    assert bar[BarField.CLOSE] == 2.0


def test_trades_that_come_late_leave_the_close_of_a_later_moment():
    joined = Joined()
    joined.live(0, ts_event=START_NS)
    joined.live(1, ts_event=START_NS + 5 * MS)
    joined.live(4, ts_event=START_NS + 6 * MS)
    joined.after(PATIENCE_NS)
    joined.after(HOLD_NS)
    late = [BacklogTrade(START_NS + 5 * MS, float(each), 1.0, 1, each, 1, f"{each}", "1") for each in (2, 3)]
    joined.joins.backlog(joined.writer, late, joined.now)
    assert joined.writer.forming.minute[BarField.CLOSE] == 4.0
