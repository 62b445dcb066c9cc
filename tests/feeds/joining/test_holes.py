"""Ranges of missing ids, held against a set of them."""

from hypothesis import given
from hypothesis import strategies as st

from tickfloor.feeds.joining.holes import AGAIN_NS, MOST_QUESTIONS, NEAR_IDS, Holes
from tickfloor.feeds.venue import Missing

IDS = st.integers(0, 60)
STEPS = st.lists(st.tuples(st.booleans(), IDS, st.integers(0, 15)), max_size=40)


@given(STEPS)
def test_holes_hold_the_ids_that_were_opened_and_not_closed(steps: list[tuple[bool, int, int]]):
    holes, missing = Holes(), set()
    for opened, first, more in steps:
        ids = set(range(first, first + more + 1))
        if opened:
            if not ids & missing:
                holes.open(Missing(first, first + more), 0, 0)
                missing |= ids
        else:
            assert holes.close(first, first + more) == len(ids & missing)
            missing -= ids
        assert holes.ids == len(missing)
        assert [number for hole in holes for number in range(hole.first, hole.last + 1)] == sorted(missing)
    for number in range(80):
        assert (holes.at(number) is not None) == (number in missing)
        assert holes.first_from(number) == min((each for each in missing if each >= number), default=None)


def test_the_oldest_hole_is_dropped_first_and_all_can_be():
    holes = Holes()
    holes.open(Missing(10, 12), 0, 0)
    holes.open(Missing(1, 1), 0, 0)
    holes.open(Missing(20, 29), 0, 0)
    assert holes.drop_oldest() == 1
    assert holes.clear() == 13
    assert len(holes) == 0


def test_what_is_left_of_a_hole_is_as_old_as_the_hole_and_due_as_asked():
    holes = Holes()
    holes.open(Missing(1, 9), 5, 7)
    assert holes.questions(7) == [Missing(1, 9)]
    holes.close(4, 5)
    assert [(hole.opened_ns, hole.due_ns, hole.questions) for hole in holes] == [(5, 7 + AGAIN_NS, 1)] * 2
    holes.close(1, 1, ask_rest_at_ns=8)
    assert [(hole.due_ns, hole.questions) for hole in holes] == [(8, 0), (7 + AGAIN_NS, 1)]
    assert holes.questions(8) == [Missing(2, 3)]


def test_what_was_given_up_stays_so_when_a_part_of_it_comes():
    holes = Holes()
    holes.open(Missing(1, 9), 0, 0)
    now = 0
    while holes.questions(now):
        now = next(iter(holes)).due_ns
        if holes.give_up(now):
            break
    assert next(iter(holes)).questions == MOST_QUESTIONS
    holes.close(4, 5, ask_rest_at_ns=now)
    assert [hole.given_up for hole in holes] == [True, True]
    assert holes.questions(now + AGAIN_NS) == []
    assert holes.give_up(now) == 0


def test_a_hole_knows_when_the_trades_around_it_were_made():
    holes = Holes()
    holes.open(Missing(10, 20, 1_000, 2_000), 0, 0)
    holes.close(14, 14, made_ns=1_400)
    holes.close(10, 10)
    assert holes.questions(0) == [Missing(11, 20, 1_000, 2_000)]
    assert [(hole.first, hole.last, hole.since_ns, hole.until_ns) for hole in holes] == [
        (11, 13, 1_000, 1_400), (15, 20, 1_400, 2_000),
    ]  # fmt: skip


def test_holes_far_from_each_other_are_two_questions_each_with_its_own_times():
    holes = Holes()
    holes.open(Missing(1, 2, 10, 20), 0, 0)
    holes.open(Missing(3 + NEAR_IDS, 900, 30, 40), 0, 0)
    assert holes.questions(0) == [Missing(1, 2, 10, 20), Missing(3 + NEAR_IDS, 900, 30, 40)]


def test_holes_that_do_not_fit_into_one_answer_are_two_questions():
    holes = Holes()
    for first in (1, 500, 1_000, 1_400):
        holes.open(Missing(first, first), 0, 0)
    assert holes.questions(0) == [Missing(1, 1_000), Missing(1_400, 1_400)]
