import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.supervisor.restarts import RestartPolicy


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def policy(clock, *, intensity=5, period=60.0, jitter=lambda longest: longest):
    return RestartPolicy(intensity=intensity, period=period, clock=clock, jitter=jitter)


def test_the_first_death_in_a_while_is_answered_at_once():
    clock = Clock()
    restarts = policy(clock)
    for _ in range(20):
        assert restarts.after_death(was_ready=True) == 0.0
        clock.now += 60.0
    assert restarts.restarts == 20


def test_delays_double_with_every_death_within_the_period():
    restarts = policy(Clock(), intensity=20)
    delays = [restarts.after_death(was_ready=True) for _ in range(12)]
    assert delays == [0.0, *(0.2 * 2**n for n in range(8)), 30.0, 30.0, 30.0]


def test_a_delay_is_anything_up_to_that_much():
    restarts = RestartPolicy(intensity=20, period=60.0, clock=Clock())
    delays = [restarts.after_death(was_ready=True) for _ in range(6)]
    assert delays[0] == 0.0
    assert all(0.0 <= delay <= 0.2 * 2**n for n, delay in enumerate(delays[1:]))


def test_one_death_more_than_the_intensity_within_the_period_gives_the_slot_up():
    clock = Clock()
    restarts = policy(clock, intensity=5)
    for _ in range(5):
        assert restarts.after_death(was_ready=True) is not None
        clock.now += 11.9
    assert restarts.after_death(was_ready=True) is None
    assert restarts.restarts == 5


def test_three_deaths_in_a_row_before_it_was_ready_give_the_slot_up_however_slow():
    clock = Clock()
    restarts = policy(clock, intensity=100)
    found = []
    for was_ready in (False, False, True, False, False, False):
        found.append(restarts.after_death(was_ready=was_ready) is not None)
        clock.now += 1_000.0
    assert found == [True, True, True, True, True, False]


def test_an_intensity_of_none_never_restarts():
    assert policy(Clock(), intensity=0).after_death(was_ready=True) is None


@given(st.lists(st.floats(0.0, 100.0), max_size=40), st.integers(0, 6), st.floats(1.0, 100.0))
def test_the_slot_is_given_up_exactly_when_too_many_deaths_lie_within_a_period(pauses, intensity, period):
    clock = Clock()
    restarts = policy(clock, intensity=intensity, period=period)
    deaths = []
    for pause in pauses:
        clock.now += pause
        deaths.append(clock.now)
        within = sum(at > clock.now - period for at in deaths)
        delay = restarts.after_death(was_ready=True)
        assert (delay is None) == (within > intensity)
        if delay is not None:
            assert delay == (0.0 if within == 1 else pytest.approx(min(30.0, 0.2 * 2.0 ** (within - 2))))
