"""Trades come lost, doubled, late and by several ways; every one is published once, in order where that can be."""

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import Kind, Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining import instrument_join
from tickfloor.feeds.joining.holes import AGAIN_NS, LONGEST_AGAIN_NS, MOST_QUESTIONS
from tickfloor.feeds.joining.trade_joins import HOLD_NS, PATIENCE_NS, TradeJoins
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.publishing.trade_ids import MOST_MISSING
from tickfloor.feeds.venue import BacklogTrade, Missing

START_NS = 1_700_000_040_000_000_000
MS = 1_000_000
SECOND = 1_000_000_000


def fetched(trade_id: int, price: float | None = None) -> BacklogTrade:
    price = float(trade_id) if price is None else price
    return BacklogTrade(START_NS + trade_id, price, 1.0, 1, trade_id, 1, f"{price}", "1.0")


class AskedRepairs:
    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.times: list[tuple[int, int]] = []

    def trades(self, symbol: str, missing: Missing) -> None:
        self.asked.append((symbol, missing.first_id, missing.last_id))
        self.times.append((missing.since_ns, missing.until_ns))

    def book(self, symbol: str) -> None:
        raise AssertionError("a join asks for no book")


class FakeAudit:
    def __init__(self) -> None:
        self.ids: list[int] = []

    def trade(self, instrument: Instrument, price_text: str, qty_text: str, trade_id: int) -> None:
        self.ids.append(trade_id)


class Joined:
    """The real writer of one instrument, its tape, and a join with repairs that only remember."""

    def __init__(self, *, hold_ns: int = HOLD_NS, patience_ns: int = PATIENCE_NS) -> None:
        self.hold_ns = hold_ns
        self.tape = FakeTape()
        self.publisher = MarketPublisher(self.tape, FakeBoard(), catalogue(), "binance", bar_slots=512)
        self.writer = self.publisher.open("BTCUSDT")
        self.repairs = AskedRepairs()
        self.audit = FakeAudit()
        self.joins = TradeJoins(self.repairs, hold_ns=hold_ns, patience_ns=patience_ns, audit=self.audit)
        self.joins.watch(self.writer)
        self.now = START_NS

    def live(self, *trade_ids: int, ts_event: int | None = None) -> list[bool]:
        return [
            self.writer.trade(ts_event or START_NS + each, self.now, float(each), 1.0, 1, each, 1) for each in trade_ids
        ]

    def backlog(self, *trade_ids: int, **more) -> None:
        self.joins.backlog(self.writer, [fetched(each) for each in trade_ids], self.now, **more)

    def after(self, ns: int) -> None:
        self.now += ns
        self.joins.tick(self.now)

    @property
    def ids(self) -> list[int]:
        return [int(record.c) for record in self.tape.records if record.kind == Kind.TRADE]

    @property
    def marks(self) -> list[Quality]:
        return [Quality(record.code) for record in self.tape.records if record.kind == Kind.QUALITY]


def test_trades_after_a_hole_wait_until_it_is_filled():
    joined = Joined()
    joined.live(1, 4, 5)
    assert joined.ids == [1]
    joined.backlog(2, 3)
    assert joined.ids == [1, 2, 3, 4, 5]
    assert joined.writer.id_gaps == 0
    assert joined.audit.ids == [2, 3]


def test_a_hole_is_asked_for_and_marked_when_patience_ends_and_unmarked_when_it_is_filled():
    joined = Joined()
    joined.live(1, 4)
    joined.after(PATIENCE_NS - 1)
    assert joined.repairs.asked == []
    joined.after(1)
    assert joined.repairs.asked == [("BTCUSDT", 2, 3)]
    assert joined.writer.quality is Quality.REPAIRING
    joined.backlog(2, 3, 4, 5)
    assert joined.marks == [Quality.LIVE, Quality.REPAIRING, Quality.LIVE]
    assert joined.ids == [1, 2, 3, 4, 5]


def test_a_hole_is_asked_for_by_the_next_trade_too_when_no_tick_comes():
    joined = Joined()
    joined.live(1, 4)
    joined.now += PATIENCE_NS
    joined.live(5)
    assert joined.repairs.asked == [("BTCUSDT", 2, 3)]


def test_a_trade_that_another_connection_brings_in_time_fills_the_hole_without_a_question():
    joined = Joined()
    joined.live(1, 4, 3)
    assert joined.live(2) == [True]
    joined.after(PATIENCE_NS)
    assert joined.ids == [1, 2, 3, 4]
    assert joined.repairs.asked == []
    assert joined.marks == [Quality.LIVE]
    assert joined.joins.statistics().reordered == 2


def test_trades_held_behind_one_that_came_by_itself_follow_with_the_next_trade():
    joined = Joined()
    joined.live(1, 3, 4, 2, 5)
    assert joined.ids == [1, 2, 3, 4, 5]


def test_a_duplicate_after_the_trade_that_was_missing_is_enough_to_go_on():
    joined = Joined()
    joined.live(1, 3)
    joined.after(PATIENCE_NS)
    joined.live(2, 1)
    assert joined.ids == [1, 2, 3]
    assert joined.writer.quality is Quality.LIVE


def test_duplicates_fall_wherever_the_first_one_is():
    joined = Joined()
    assert joined.live(1, 1, 4, 4) == [True, False, True, False]
    joined.backlog(1, 2, 2, 3, 4)
    assert joined.live(2, 3, 4) == [False, False, False]
    assert joined.ids == [1, 2, 3, 4]
    assert joined.writer.duplicates == 5


def test_held_trades_are_let_go_after_a_while_as_after_a_gap_and_the_hole_stays_open():
    joined = Joined()
    joined.live(1, 4, 5)
    joined.after(HOLD_NS - 1)
    assert joined.ids == [1]
    joined.after(1)
    assert joined.ids == [1, 4, 5]
    assert joined.writer.id_gaps == 1
    assert joined.writer.quality is Quality.REPAIRING
    joined.backlog(2, 3)
    assert joined.ids == [1, 4, 5, 2, 3]
    assert joined.writer.quality is Quality.LIVE
    assert joined.live(6) == [True]
    assert joined.ids[-1] == 6


def test_a_late_trade_is_published_while_others_are_held():
    joined = Joined()
    joined.live(1, 3)
    joined.after(HOLD_NS)
    joined.live(5)
    assert joined.ids == [1, 3]
    assert joined.live(2) == [True]
    assert joined.ids == [1, 3, 2]
    assert joined.joins.statistics().held == 1
    joined.live(4)
    assert joined.ids == [1, 3, 2, 4, 5]


def test_only_what_waits_for_the_older_hole_is_let_go():
    joined = Joined()
    joined.live(1, 3)
    joined.after(HOLD_NS - SECOND)
    joined.live(5)
    joined.after(SECOND)
    assert joined.ids == [1, 3]
    joined.backlog(4)
    assert joined.ids == [1, 3, 4, 5]


def test_more_than_can_be_held_is_let_go(monkeypatch):
    monkeypatch.setattr(instrument_join, "MOST_HELD", 3)
    joined = Joined()
    joined.live(1, 3, 4, 5)
    assert joined.ids == [1]
    joined.live(6)
    assert joined.ids == [1, 3, 4, 5, 6]
    assert joined.joins.statistics().let_go == 1


def test_an_answer_that_reaches_over_ids_it_does_not_hold_says_that_there_are_none():
    joined = Joined()
    joined.live(1, 10)
    joined.after(PATIENCE_NS)
    joined.backlog(4, 5, 7, complete_from=2, complete_to=9)
    assert joined.ids == [1, 4, 5, 7, 10]
    assert joined.marks == [Quality.LIVE, Quality.REPAIRING, Quality.LIVE]
    assert (joined.writer.id_gaps, joined.joins.statistics().left_out) == (0, 5)
    assert joined.live(11) == [True]


def test_an_answer_says_nothing_of_ids_before_the_lowest_it_holds():
    joined = Joined()
    joined.live(1, 10)
    joined.backlog(5, 9, complete_to=9)
    assert joined.joins.statistics().missing == 3
    assert joined.joins.statistics().left_out == 3


def test_a_hole_longer_than_an_answer_is_asked_for_page_after_page():
    joined = Joined()
    joined.live(1, 301)
    joined.after(PATIENCE_NS)
    joined.backlog(*range(2, 102))
    joined.backlog(*range(102, 202))
    joined.backlog(*range(202, 302))
    assert [asked[1:] for asked in joined.repairs.asked] == [(2, 300), (102, 300), (202, 300)]
    assert joined.ids == list(range(1, 302))


def test_holes_near_each_other_are_one_question_if_one_answer_can_fill_them():
    joined = Joined()
    joined.live(1, 4, 8, 10_000)
    joined.after(PATIENCE_NS)
    assert [asked[1:] for asked in joined.repairs.asked] == [(2, 7), (9, 9_999)]
    joined.backlog(*range(9, 2_000))
    assert [asked[1:] for asked in joined.repairs.asked] == [(2, 7), (9, 9_999), (2_000, 9_999)]


def test_an_unanswered_question_is_asked_again_ever_more_seldom_and_given_up_in_the_end():
    joined = Joined()
    joined.live(1, 4)
    joined.after(PATIENCE_NS)
    for number in range(1, MOST_QUESTIONS):
        joined.after(min(AGAIN_NS << (number - 1), LONGEST_AGAIN_NS) - 1)
        assert len(joined.repairs.asked) == number
        joined.after(1)
        assert len(joined.repairs.asked) == number + 1
    assert joined.writer.quality is Quality.REPAIRING
    joined.after(LONGEST_AGAIN_NS)
    joined.after(LONGEST_AGAIN_NS)
    assert len(joined.repairs.asked) == MOST_QUESTIONS
    assert joined.joins.statistics().given_up == 2
    assert joined.writer.quality is not Quality.REPAIRING
    joined.backlog(2, 3)
    assert joined.ids == [1, 4, 2, 3]


@pytest.mark.parametrize("streamed", [False, True])
def test_what_was_traded_before_anybody_listened_only_says_which_trade_is_the_first(streamed):
    joined = Joined()
    joined.backlog(9, 7, 8, streamed=streamed)
    assert joined.ids == []
    assert joined.live(8, 9, 10) == [False, False, True]
    joined.after(PATIENCE_NS)
    assert joined.ids == [10]
    assert joined.repairs.asked == []
    assert joined.joins.statistics().earlier == 3
    assert joined.audit.ids == []


def test_trades_missed_after_the_snapshot_that_came_first_are_asked_for():
    joined = Joined()
    joined.backlog(9_000, 8_999, streamed=True)
    joined.live(9_003)
    joined.after(PATIENCE_NS)
    assert joined.repairs.asked == [("BTCUSDT", 9_001, 9_002)]
    assert joined.repairs.times == [(START_NS + 9_000, START_NS + 9_003)]


def test_a_hole_is_asked_for_with_the_times_of_the_trades_around_it():
    joined = Joined()
    joined.live(1, ts_event=START_NS + 1_000)
    joined.live(5, ts_event=START_NS + 5_000)
    joined.live(1_900, ts_event=START_NS + 9_000)
    joined.after(PATIENCE_NS)
    assert joined.repairs.asked == [("BTCUSDT", 2, 4), ("BTCUSDT", 6, 1_899)]
    assert joined.repairs.times == [(START_NS + 1_000, START_NS + 5_000), (START_NS + 5_000, START_NS + 9_000)]
    # A page from either end leaves a hole with other times.
    joined.backlog(*range(6, 106))
    joined.backlog(*range(1_806, 1_901))
    assert joined.repairs.asked[2:] == [("BTCUSDT", 106, 1_899), ("BTCUSDT", 106, 1_805)]
    assert joined.repairs.times[3] == (START_NS + 105, START_NS + 1_806)


def test_a_stream_is_behind_when_newer_trades_were_fetched_until_it_brings_them():
    joined = Joined()
    assert joined.joins.behind("BTCUSDT") == 0
    joined.live(1, 2)
    joined.backlog(2, 3, 4, 5)
    assert joined.joins.behind("BTCUSDT") == 3
    joined.live(3, 4)
    assert joined.joins.behind("BTCUSDT") == 1
    joined.live(5)
    assert joined.joins.behind("BTCUSDT") == 0
    joined.live(6)
    joined.backlog(3, 4)
    assert joined.joins.behind("BTCUSDT") == 0


def test_a_stream_that_never_brought_anything_is_behind_from_the_second_fetched_trade_on():
    joined = Joined()
    joined.backlog(100)
    assert joined.joins.behind("BTCUSDT") == 0
    joined.backlog(103)
    assert joined.joins.behind("BTCUSDT") == 3


def test_a_snapshot_of_the_stream_itself_is_no_evidence_against_it():
    joined = Joined()
    joined.live(1)
    joined.backlog(1, 2, 3, streamed=True)
    assert joined.joins.behind("BTCUSDT") == 0


def test_a_replay_holds_nothing_and_a_recorded_answer_fills_the_hole_all_the_same():
    joined = Joined(hold_ns=0)
    joined.live(1, 5, 6)
    assert joined.ids == [1, 5, 6]
    assert joined.writer.id_gaps == 1
    assert joined.live(3) == [True]
    joined.backlog(1, 2, 3, 4, 5, 6, 7)
    assert joined.ids == [1, 5, 6, 3, 2, 4, 7]
    assert joined.live(2, 4, 7, 8) == [False, False, False, True]
    assert joined.marks == [Quality.LIVE, Quality.GAP, Quality.LIVE]
    assert joined.audit.ids == [2, 4, 7]


def test_a_trade_refused_at_a_gap_of_a_replay_is_missing_too():
    joined = Joined(hold_ns=0)
    joined.live(1)
    with pytest.raises(FrameError):
        joined.live(5, ts_event=START_NS + 7200 * SECOND)
    joined.live(6)
    joined.backlog(2, 3, 4, 5)
    assert sorted(joined.ids) == [1, 2, 3, 4, 5, 6]


def test_a_held_trade_that_cannot_be_published_is_asked_for_and_the_others_go_on():
    joined = Joined()
    joined.live(1)
    joined.live(3, ts_event=START_NS + 7200 * SECOND)
    joined.live(4, 2, 5)
    assert joined.ids == [1, 2]
    joined.after(PATIENCE_NS)
    assert joined.repairs.asked == [("BTCUSDT", 3, 3)]
    joined.backlog(3)
    assert joined.ids == [1, 2, 3, 4, 5]


def test_a_fetched_trade_that_cannot_be_published_is_left_out_and_asked_for_no_more():
    joined = Joined()
    joined.live(1, 3)
    joined.after(PATIENCE_NS)
    wrong = fetched(2)._replace(ts_event=START_NS + 7200 * SECOND)
    joined.joins.backlog(joined.writer, [wrong], joined.now)
    assert joined.ids == [1, 3]
    assert (joined.joins.statistics().refused, joined.joins.statistics().missing) == (1, 0)
    assert joined.writer.quality is Quality.LIVE


def test_a_venue_that_numbers_its_trades_anew_leaves_no_hole_behind():
    joined = Joined()
    first = 5 * MOST_MISSING
    joined.live(first, first + 3)
    joined.after(PATIENCE_NS)
    assert joined.live(1) == [False]
    assert joined.joins.statistics().missing == 2
    joined.live(2, 3)
    joined.after(PATIENCE_NS)
    assert joined.ids == [first, 2, first + 3, 3]
    assert joined.writer.quality is Quality.LIVE
    joined.backlog(first + 1, first + 2)
    assert joined.live(4) == [True]
    assert joined.ids[-2:] == [3, 4]


def test_holes_are_bounded_the_oldest_are_given_up(monkeypatch):
    monkeypatch.setattr(instrument_join, "MOST_HOLES", 3)
    joined = Joined()
    joined.live(1, 3, 5, 7)
    assert joined.ids == [1]
    joined.live(9)
    assert joined.ids == [1, 3, 5, 7, 9]
    joined.backlog(2, 4, 6, 8)
    assert joined.ids == [1, 3, 5, 7, 9, 4, 6, 8]
    assert joined.joins.statistics().given_up == 1


class TradesInAnyOrder(RuleBasedStateMachine):
    """A venue that leaves ids out, two connections that lose, double and reorder, and REST that answers as it likes."""

    @initialize(hold_ns=st.sampled_from([0, SECOND, HOLD_NS]), patience_ns=st.sampled_from([0, PATIENCE_NS]))
    def begin(self, hold_ns: int, patience_ns: int) -> None:
        self.joined = Joined(hold_ns=hold_ns, patience_ns=patience_ns)
        self.traded: list[int] = []
        self.next_id = 1
        self.connections: tuple[deque[int], deque[int]] = deque(), deque()
        self.given: set[int] = set()
        self.first = 0

    @rule(skipped=st.sampled_from([0, 0, 0, 0, 1, 3]), count=st.integers(1, 6))
    def trade(self, skipped: int, count: int) -> None:
        self.next_id += skipped
        for _ in range(count):
            self.traded.append(self.next_id)
            for connection in self.connections:
                connection.append(self.next_id)
            self.next_id += 1

    @rule(which=st.integers(0, 1), count=st.integers(1, 5))
    def receive(self, which: int, count: int) -> None:
        connection = self.connections[which]
        for _ in range(min(count, len(connection))):
            self.give(connection.popleft())

    @rule(which=st.integers(0, 1), count=st.integers(1, 8))
    def lose(self, which: int, count: int) -> None:
        connection = self.connections[which]
        for _ in range(min(count, len(connection))):
            connection.popleft()

    @rule(which=st.integers(0, 1), by=st.integers(-3, 3))
    def reorder(self, which: int, by: int) -> None:
        connection = self.connections[which]
        if len(connection) <= 8:
            connection.rotate(by)

    @rule(which=st.integers(0, 1))
    def double(self, which: int) -> None:
        connection = self.connections[which]
        if connection:
            connection.insert(min(2, len(connection)), connection[0])

    @precondition(lambda self: self.joined.repairs.asked)
    @rule(data=st.data(), page=st.integers(1, 10), complete=st.booleans())
    def answer(self, data: st.DataObject, page: int, complete: bool) -> None:
        """Any question that was ever asked, answered now, perhaps for the second time."""
        _, first, _ = data.draw(st.sampled_from(self.joined.repairs.asked))
        self.fetch(first, page, complete)

    @rule(first=st.integers(1, 200), page=st.integers(1, 10))
    def answer_to_nothing(self, first: int, page: int) -> None:
        self.fetch(first, page, complete=False)

    @rule(count=st.integers(1, 4))
    def probe(self, count: int) -> None:
        newest = self.traded[-count:]
        if newest:
            self.fetch(newest[0], count, complete=False)

    @rule(ns=st.sampled_from([0, 50 * MS, PATIENCE_NS, SECOND, HOLD_NS, LONGEST_AGAIN_NS]))
    def wait(self, ns: int) -> None:
        self.joined.after(ns)

    @invariant()
    def nothing_is_published_twice_or_out_of_nowhere(self) -> None:
        ids = self.joined.ids
        assert len(set(ids)) == len(ids)
        assert self.given >= set(ids)

    @invariant()
    def whoever_is_asked_is_told_between_which_times(self) -> None:
        repairs = self.joined.repairs
        for (_, first, last), (since_ns, until_ns) in zip(repairs.asked, repairs.times, strict=True):
            assert 0 < since_ns <= START_NS + first
            assert until_ns >= START_NS + last

    @invariant()
    def without_letting_go_ids_are_in_order(self) -> None:
        if self.joined.hold_ns and not self.joined.joins.statistics().let_go:
            assert self.joined.ids == sorted(self.joined.ids)

    @invariant()
    def the_mark_says_whether_an_answer_is_hoped_for(self) -> None:
        hoped = any(hole.asked for hole in self.joined.joins.watch(self.joined.writer).holes)
        assert (self.joined.writer.quality is Quality.REPAIRING) == (hoped and self.joined.hold_ns > 0)

    def teardown(self) -> None:
        if not self.traded:
            return
        for connection in self.connections:
            connection.clear()
        self.trade(0, 1)
        self.receive(0, 1)
        joins, asked = self.joined.joins, self.joined.repairs.asked
        for _ in range(MOST_QUESTIONS * (len(self.traded) + 2)):
            self.joined.after(LONGEST_AGAIN_NS)
            statistics = joins.statistics()
            if statistics.missing == 0:
                break
            self.fetch(asked[-1][1], 10, complete=True)
        else:
            raise AssertionError("what is missing is asked for no more")
        assert statistics.held == 0
        assert sorted(self.joined.ids) == [each for each in self.traded if each >= self.first]
        if not statistics.let_go and self.joined.hold_ns:
            assert self.joined.ids == sorted(self.joined.ids)
        self.trade(0, 2)
        self.receive(0, 2)
        assert self.joined.writer.quality is Quality.LIVE
        assert self.joined.writer.trades == len(self.joined.ids)

    def give(self, trade_id: int) -> None:
        self.given.add(trade_id)
        self.first = self.first or trade_id
        self.joined.live(trade_id)

    def fetch(self, first: int, page: int, complete: bool) -> None:
        answer = [each for each in self.traded if each >= first][:page]
        self.given.update(answer)
        if answer and not self.first:
            self.first = answer[-1] + 1
        if complete and answer:
            self.joined.backlog(*reversed(answer), complete_from=first, complete_to=answer[-1])
        else:
            self.joined.backlog(*answer)


TradesInAnyOrder.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestTradesInAnyOrder = TradesInAnyOrder.TestCase
