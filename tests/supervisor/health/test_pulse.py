import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.contracts.states import Health
from tickfloor.supervisor.health.pulse import PulseWatch


class Owner:
    """Looks every second, as a supervisor does, at a worker that answers or does not."""

    def __init__(self, *, look=1.0) -> None:
        self.now = 100.0
        self.look = look
        self.done = 0
        self.waiting = 0
        self.answers = True
        self.works = True
        self.watch = PulseWatch(self.now, look_seconds=look)
        self.seen = []

    def run(self, seconds):
        """Return the health at each look."""
        self.seen = []
        end = self.now + seconds
        while self.now < end:
            self.now += self.look
            if self.works:
                self.done += 1
            if self.watch.ping_due(self.now):
                self.watch.pinged(self.now)
            if self.answers and not self.watch.ping_due(self.now):
                self.watch.pong(self.now, self.done, self.waiting)
            self.seen.append(self.watch.health(self.now))
        return self.seen

    def times(self, health):
        return [number + 1 for number, seen in enumerate(self.seen) if seen is health]


def test_who_answers_is_well():
    owner = Owner()
    assert set(owner.run(3_600)) == {Health.HEALTHY}


def test_a_ping_is_due_an_interval_after_the_last_and_only_if_that_was_answered():
    watch = PulseWatch(0.0)
    assert watch.ping_due(0.0)
    watch.pinged(0.0)
    assert not watch.ping_due(100.0)
    watch.pong(0.1, 0, 0)
    assert not watch.ping_due(4.9)
    assert watch.ping_due(5.0)


def test_silence_is_suspect_after_half_the_limit_and_stuck_after_it():
    watch = PulseWatch(0.0)
    watch.pinged(0.0)
    found = {second: watch.health(float(second)) for second in range(1, 21)}
    assert found[5] is Health.HEALTHY
    assert {found[second] for second in range(6, 11)} == {Health.SUSPECT}
    assert {found[second] for second in range(11, 21)} == {Health.STUCK}


@pytest.mark.parametrize("silence", [7.0, 60.0])
def test_one_answer_heals(silence):
    owner = Owner()
    owner.run(20)
    owner.answers = False
    owner.run(silence + 5)
    assert owner.seen[-1] is not Health.HEALTHY
    owner.answers = True
    assert set(owner.run(60)) == {Health.HEALTHY}


def test_a_stopped_worker_is_seen_within_a_ping_and_the_limit():
    owner = Owner()
    owner.run(20)
    owner.answers = False
    owner.run(17)
    assert owner.times(Health.STUCK)[0] <= 16
    assert owner.watch.complaint(owner.now).startswith("it has not answered for 1")


def test_who_answers_but_does_nothing_though_work_waits_is_stuck():
    owner = Owner()
    owner.waiting = 3
    assert set(owner.run(60)) == {Health.HEALTHY}
    owner.works = False
    owner.run(30)
    assert 10 < owner.times(Health.STUCK)[0] <= 20
    assert owner.watch.complaint(owner.now).endswith(" s, and 3 pieces of work wait")
    owner.works = True
    owner.run(20)
    assert owner.seen[-1] is Health.HEALTHY


def test_who_has_nothing_to_do_is_well():
    owner = Owner()
    owner.works = False
    assert set(owner.run(600)) == {Health.HEALTHY}


@pytest.mark.parametrize("pause", [6.1, 3_600.0])
def test_a_pause_of_the_supervisor_condemns_nobody(pause):
    owner = Owner()
    owner.waiting = 1
    owner.run(23)
    owner.watch.pong(owner.now, owner.done, 1)
    owner.watch.pinged(owner.now + 2.0)
    owner.now += pause
    assert owner.watch.health(owner.now) is Health.HEALTHY
    assert owner.watch.statistics().allowances == 1
    assert set(owner.run(60)) == {Health.HEALTHY}


def test_after_a_pause_a_silent_worker_has_the_whole_limit_once_more_and_no_longer():
    owner = Owner()
    owner.answers = False
    owner.run(9)
    owner.now += 100.0
    owner.run(12)
    assert owner.times(Health.STUCK) == [12]


def test_looks_as_far_apart_as_pings_still_see_a_stuck_worker():
    owner = Owner(look=5.0)
    owner.run(60)
    owner.answers = False
    owner.run(30)
    assert owner.seen[-1] is Health.STUCK


def test_a_ping_that_is_sent_again_does_not_buy_time():
    watch = PulseWatch(0.0)
    watch.pinged(0.0)
    for second in range(1, 12):
        watch.pinged(float(second))
        found = watch.health(float(second))
    assert found is Health.STUCK
    assert watch.statistics().pings == 1


def test_how_long_it_has_been_well_begins_anew_after_trouble():
    owner = Owner()
    assert owner.watch.well_seconds(owner.now) == 0.0
    owner.run(101)
    assert owner.watch.well_seconds(owner.now) == 100.0
    owner.answers = False
    owner.run(15)
    assert owner.watch.well_seconds(owner.now) == 0.0
    owner.answers = True
    owner.run(31)
    assert owner.watch.well_seconds(owner.now) == 30.0


def test_round_trips_are_measured_and_a_pong_that_nobody_asked_for_is_not_one():
    watch = PulseWatch(0.0)
    watch.pong(0.0, 1, 0)
    assert watch.statistics().round_trip_p50_us is None
    watch.pinged(1.0)
    watch.pong(1.002, 7, 2)
    found = watch.statistics()
    assert (found.pings, found.pongs, found.unasked, found.done, found.waiting) == (1, 2, 1, 7, 2)
    assert found.last_pong == 1.002
    assert found.round_trip_p50_us == found.round_trip_p99_us == pytest.approx(2_000, rel=0.1)


@given(st.lists(st.tuples(st.floats(0.05, 30.0), st.booleans(), st.integers(0, 2), st.integers(0, 1)), max_size=80))
def test_it_is_stuck_only_if_it_was_silent_or_idle_for_longer_than_the_limit(steps):
    watch, now, done = PulseWatch(0.0), 0.0, 0
    heard, moved, asked = 0.0, 0.0, None
    for pause, answers, work, waiting in steps:
        now += pause
        if pause > 6.0:
            # The supervisor was not there.
            heard = moved = now
            asked = now if asked is not None else None
            watch.health(now)
        if watch.ping_due(now):
            watch.pinged(now)
            asked = now
        if answers and asked is not None:
            done += work
            if work or waiting == 0:
                moved = now
            watch.pong(now, done, waiting)
            heard, asked = now, None
        found = watch.health(now)
        if found is Health.STUCK:
            assert (asked is not None and now - max(asked, heard) > 10.0) or now - moved > 10.0
        if asked is not None and now - max(asked, heard) > 10.0:
            assert found is Health.STUCK
