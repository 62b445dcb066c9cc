"""Receive times do not go back, jump, or drift."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.feeds.live.receive_clock import MAX_PPM, ReceiveClock

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


class Clocks:
    """A monotonic clock, and a wall clock that is set and runs at a rate of its own."""

    def __init__(self) -> None:
        self.monotonic = 5 * SECOND
        self.wall = START

    def pass_ns(self, ns: int, wall_ppm: int = 0) -> None:
        self.monotonic += ns
        self.wall += ns + ns * wall_ppm // 1_000_000

    def receive_clock(self) -> ReceiveClock:
        return ReceiveClock(monotonic=lambda: self.monotonic, wall=lambda: self.wall)


def test_it_begins_at_the_wall_clock_s_time_and_runs_with_the_monotonic_one():
    clocks = Clocks()
    clock = clocks.receive_clock()
    assert clock.now() == START
    clocks.monotonic += SECOND
    assert clock.now() == START + SECOND


def test_a_wall_clock_that_is_set_does_not_move_it():
    clocks = Clocks()
    clock = clocks.receive_clock()
    clocks.wall += 3600 * SECOND
    clock.adjust()
    assert clock.now() == START
    clocks.pass_ns(SECOND)
    assert SECOND <= clock.now() - START <= SECOND + SECOND * MAX_PPM // 1_000_000
    assert clock.behind_ns > 3599 * SECOND


def test_ten_hours_of_a_drifting_monotonic_clock_leave_it_within_a_millisecond_of_the_wall_clock():
    clocks = Clocks()
    clock = clocks.receive_clock()
    for _ in range(36_000):
        clocks.pass_ns(SECOND, wall_ppm=50)
        clock.adjust()
    assert abs(clock.behind_ns) < 1_000_000


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2 * SECOND), st.integers(-(10**12), 10**12), st.integers(0, 2))))
def test_it_never_goes_back_and_keeps_its_rate_whatever_the_wall_clock_does(steps):
    clocks = Clocks()
    clock = clocks.receive_clock()
    before = clock.now()
    for passed, set_by, adjustments in steps:
        clocks.pass_ns(passed)
        clocks.wall += set_by
        now = clock.now()
        assert abs(now - before - passed) <= passed * MAX_PPM // 1_000_000 + 1
        for _ in range(adjustments):
            clock.adjust()
            assert clock.now() == now
        before = now
