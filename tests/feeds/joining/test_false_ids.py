"""One wrong id, or an id that does not exist, costs neither the venue's weight nor the mark."""

import pytest

from tests.feeds.joining.test_trade_joins import MS, SECOND, Joined
from tickfloor.contracts.records import Quality
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.joining.trade_joins import HOLD_NS, PATIENCE_NS
from tickfloor.feeds.publishing.trade_ids import MOST_UNDOUBTED

STEP_MS = 20
STREAM_LATER_MS = 60
ANSWER_MS = 100


class Busy:
    """An instrument of 50 trades a second. REST knows each of them 60 ms before the stream brings it."""

    def __init__(self) -> None:
        self.joined = Joined()
        self.began = self.joined.now
        self.newest = 0
        self.answers: list[tuple[int, int]] = []
        self.asked = 0

    def run(self, seconds: int, *, wrong_id_at_ms: int, ahead: int) -> None:
        joined = self.joined
        for ms in range(0, seconds * 1000, STEP_MS):
            joined.now = self.began + ms * MS
            self.newest += 1
            streamed = self.newest - STREAM_LATER_MS // STEP_MS
            if streamed > 0:
                joined.live(streamed)
            if ms == wrong_id_at_ms:
                joined.live(streamed + ahead)
            while self.answers and self.answers[0][0] <= ms:
                self._answer(self.answers.pop(0)[1])
            joined.joins.tick(joined.now)
            for _, first, _ in joined.repairs.asked[self.asked :]:
                self.answers.append((ms + ANSWER_MS, first))
            self.asked = len(joined.repairs.asked)

    def _answer(self, first: int) -> None:
        ids = range(first, min(self.newest, first + 999) + 1)
        if ids:
            self.joined.backlog(*ids, complete_to=ids[-1], complete_from=first)


def test_a_trade_with_an_id_far_ahead_is_believed_when_another_goes_on_from_there():
    joined = Joined()
    joined.live(1)
    with pytest.raises(FrameError, match="goes on from there"):
        joined.live(1_000_000)
    joined.live(2)
    with pytest.raises(FrameError):
        joined.live(1_000_000)
    joined.live(1_000_001)
    assert joined.joins.statistics().missing == 1_000_000 - 3 + 1


def test_one_trade_with_an_id_ahead_of_what_exists_does_not_have_the_venue_asked_without_end():
    busy = Busy()
    busy.run(60, wrong_id_at_ms=10_000, ahead=9_000)
    assert busy.asked < 10
    assert busy.joined.ids[-1] == busy.newest - STREAM_LATER_MS // STEP_MS


def test_a_gap_that_the_venue_says_is_none_ends_without_another_trade():
    joined = Joined()
    joined.live(1, 5)
    joined.after(PATIENCE_NS)
    joined.after(HOLD_NS)
    joined.backlog(5, complete_to=5, complete_from=2)
    joined.after(SECOND)
    assert joined.joins.statistics().missing == 0
    assert joined.writer.quality is Quality.LIVE


def test_a_late_trade_is_not_taken_for_a_new_numbering_and_nothing_is_published_twice():
    joined = Joined()
    joined.live(100)
    joined.live(105)
    joined.after(HOLD_NS)
    # The venue's clock went back between 104 and 105; another connection brings what was lost.
    joined.live(103, ts_event=joined.now - 2 * MS)
    joined.live(104, ts_event=joined.now - MS)
    joined.live(106)
    joined.after(PATIENCE_NS)
    joined.backlog(105)
    joined.after(HOLD_NS)
    assert sorted(joined.ids) == sorted(set(joined.ids))


def test_a_trade_that_an_answer_has_left_out_is_published_when_the_stream_brings_it_after_all():
    joined = Joined()
    joined.live(1, 4)
    joined.after(PATIENCE_NS)
    # REST is a moment behind the stream, and has not all of the newest trades yet.
    joined.backlog(2, 4, complete_to=4, complete_from=2)
    joined.live(3)
    assert sorted(joined.ids) == [1, 2, 3, 4]


def test_the_first_trade_of_a_new_numbering_is_asked_for():
    joined = Joined()
    joined.live(100, 101, 102)
    joined.now += SECOND
    for number in range(7, 12):
        joined.live(number, ts_event=joined.now + number * MS)
    joined.after(PATIENCE_NS)
    assert 7 in joined.ids or joined.repairs.asked


def test_what_is_held_is_let_go_of_however_far_ahead_it_is():
    joined = Joined()
    joined.live(1)
    first = 2 + 3 * MOST_UNDOUBTED
    with pytest.raises(FrameError):
        joined.live(first - 1)
    joined.live(first, first + 1)
    joined.backlog(first - 1)
    joined.after(PATIENCE_NS)
    joined.after(HOLD_NS)
    assert joined.ids == [1, first - 1, first, first + 1]
    assert joined.joins.statistics().refused == 0
