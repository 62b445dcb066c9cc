import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.contracts.states import IllegalTransitionError, WorkerState, move

LIFE = ("created", "ready", "draining", "cleaning", "terminated")
DEATHS = {WorkerState.FAILED, WorkerState.KILLED}
ENDS = DEATHS | {WorkerState.TERMINATED}


def test_a_life_goes_from_created_to_terminated():
    state = WorkerState.CREATED
    for following in LIFE[1:]:
        state = move(state, WorkerState(following))
    assert state is WorkerState.TERMINATED


def test_a_worker_may_be_cleaned_up_before_it_is_ready_and_without_draining():
    assert move(WorkerState.CREATED, WorkerState.CLEANING) is WorkerState.CLEANING
    assert move(WorkerState.READY, WorkerState.CLEANING) is WorkerState.CLEANING


@pytest.mark.parametrize("death", sorted(DEATHS))
@pytest.mark.parametrize("state", [state for state in WorkerState if state not in ENDS])
def test_a_worker_may_die_at_any_time(state, death):
    assert move(state, death) is death


@given(st.lists(st.sampled_from(WorkerState), max_size=12))
def test_life_never_goes_back_and_nothing_follows_its_end(wanted):
    state, lived = WorkerState.CREATED, [WorkerState.CREATED]
    for following in wanted:
        try:
            state = move(state, following)
        except IllegalTransitionError as error:
            assert str(state) in str(error)
            assert str(following) in str(error)
        else:
            lived.append(state)
    assert not ENDS.intersection(lived[:-1])
    order = [LIFE.index(each) for each in lived if each not in DEATHS]
    assert order == sorted(set(order))


@pytest.mark.parametrize("end", sorted(ENDS))
@pytest.mark.parametrize("following", list(WorkerState))
def test_the_dead_do_not_move(end, following):
    with pytest.raises(IllegalTransitionError):
        move(end, following)
