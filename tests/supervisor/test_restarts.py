import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.supervisor.restarts import RecoveryPolicy, RestartPolicy


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def policy(clock, *, intensity=5, period=60.0, jitter=lambda longest: longest):
    return RestartPolicy(intensity=intensity, period=period, clock=clock, jitter=jitter)


def died(restarts, worked=0.0):
    return restarts.after_death(was_ready=True, worked_seconds=worked, error="killed by SIGKILL")


def did_not_start(restarts, error="no such file"):
    return restarts.after_death(was_ready=False, worked_seconds=0.0, error=error)


def test_the_death_of_a_worker_that_worked_well_is_answered_at_once():
    clock = Clock()
    restarts = policy(clock)
    for _ in range(20):
        assert died(restarts, worked=60.0) == 0.0
        clock.now += 60.0
    assert restarts.restarts == 20


def test_delays_double_with_every_death():
    restarts = policy(Clock(), intensity=20)
    delays = [died(restarts) for _ in range(12)]
    assert delays == [0.0, *(0.2 * 2**n for n in range(8)), 30.0, 30.0, 30.0]


def test_delays_stay_long_until_a_worker_has_worked_well_however_much_time_passes():
    clock = Clock()
    restarts = policy(clock)
    delays = []
    for worked in (0.0, 59.9, 59.9, 60.0, 0.0):
        clock.now += 10_000.0
        delays.append(died(restarts, worked))
    assert delays == [0.0, 0.2, 0.4, 0.0, 0.2]


def test_a_delay_stays_a_delay_after_thousands_of_deaths():
    clock = Clock()
    restarts = policy(clock)
    for _ in range(5_000):
        clock.now += 61.0
        last = died(restarts)
    assert last == 30.0


def test_a_delay_is_anything_up_to_that_much():
    restarts = RestartPolicy(intensity=20, period=60.0, clock=Clock())
    delays = [died(restarts) for _ in range(6)]
    assert delays[0] == 0.0
    assert all(0.0 <= delay <= 0.2 * 2**n for n, delay in enumerate(delays[1:]))


def test_one_death_more_than_the_intensity_within_the_period_gives_the_slot_up():
    clock = Clock()
    restarts = policy(clock, intensity=5)
    for _ in range(5):
        assert died(restarts) is not None
        clock.now += 11.9
    assert died(restarts) is None
    assert restarts.restarts == 5
    assert restarts.statistics().deaths_in_period == 6


def test_a_slot_that_was_given_up_for_its_deaths_starts_again_after_a_quiet_period():
    clock = Clock()
    restarts = policy(clock, intensity=1)
    died(restarts)
    assert died(restarts) is None
    clock.now += restarts.probe_seconds
    assert died(restarts) is not None


def test_three_failures_to_start_in_a_row_with_the_same_error_quarantine_the_slot_however_slow():
    clock = Clock()
    restarts = policy(clock, intensity=100)
    found = []
    for start in (did_not_start, did_not_start, died, did_not_start, did_not_start, did_not_start):
        found.append(start(restarts) is not None)
        clock.now += 1_000.0
    assert found == [True, True, True, True, True, False]
    assert restarts.statistics().quarantined == "did not become ready, 3 times in a row: no such file"


def test_different_errors_go_on_until_there_are_too_many():
    clock = Clock()
    restarts = policy(clock, intensity=6)
    assert all(did_not_start(restarts, error) is not None for error in "ababab")
    assert restarts.statistics().quarantined == ""
    assert did_not_start(restarts, "a") is None
    assert restarts.statistics().quarantined == ""


@pytest.mark.parametrize("error", ["no such file", "another"])
def test_a_probe_that_does_not_become_ready_leaves_the_slot_quarantined(error):
    clock = Clock()
    restarts = policy(clock)
    for _ in range(3):
        did_not_start(restarts)
    for _ in range(5):
        clock.now += restarts.probe_seconds
        assert did_not_start(restarts, error) is None
        assert restarts.statistics().quarantined.endswith(error)
    assert restarts.restarts == 2


def test_a_probe_that_became_ready_ends_the_quarantine():
    clock = Clock()
    restarts = policy(clock)
    for _ in range(3):
        did_not_start(restarts)
    clock.now += restarts.probe_seconds
    assert died(restarts, worked=1_000.0) == 0.0
    assert restarts.statistics().quarantined == ""
    assert did_not_start(restarts) is not None


def test_an_intensity_of_none_never_restarts():
    assert died(policy(Clock(), intensity=0)) is None


@given(st.lists(st.floats(0.0, 100.0), max_size=40), st.integers(0, 6), st.floats(1.0, 100.0))
def test_the_slot_is_given_up_exactly_when_too_many_deaths_lie_within_a_period(pauses, intensity, period):
    clock = Clock()
    restarts = policy(clock, intensity=intensity, period=period)
    deaths = []
    in_a_row = 0
    for pause in pauses:
        clock.now += pause
        deaths.append(clock.now)
        within = sum(at > clock.now - period for at in deaths)
        in_a_row = 1 if pause >= 60.0 else in_a_row + 1
        delay = died(restarts, worked=pause)
        assert (delay is None) == (within > intensity)
        if delay is not None:
            assert delay == (0.0 if in_a_row == 1 else pytest.approx(min(30.0, 0.2 * 2.0 ** (in_a_row - 2))))


def test_the_floor_recovers_three_times_in_five_minutes_and_then_never_again():
    clock = Clock()
    recoveries = RecoveryPolicy(clock=clock)
    assert [recoveries.allows() for _ in range(4)] == [True, True, True, False]
    clock.now += 1_000_000.0
    assert not recoveries.allows()
    assert recoveries.given_up
    assert recoveries.recoveries == 3


def test_recoveries_that_lie_apart_are_allowed_for_ever():
    clock = Clock()
    recoveries = RecoveryPolicy(clock=clock, intensity=3, period=300.0)
    for _ in range(50):
        assert recoveries.allows()
        clock.now += 100.0
    assert not recoveries.given_up
