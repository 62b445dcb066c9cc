import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.supervisor.pool.scaling import ScalingPolicy, ScalingReason, ScalingSettings


class Pool:
    """A pool that is looked at every five seconds and does what is decided."""

    def __init__(self, workers=1, traders=100, **chosen):
        self.settings = ScalingSettings(**chosen)
        self.policy = ScalingPolicy(self.settings)
        self.workers = workers
        self.traders = traders
        self.now = 0.0

    def run(self, seconds, work=0.0, busy=None):
        """Return every number of workers there was, with work spread evenly, or each worker as busy as told."""
        numbers = [self.workers]
        end = self.now + seconds
        while self.now < end:
            self.now += 5.0
            shares = busy or [min(1.0, work / max(1, self.workers))] * self.workers
            decision = self.policy.look(self.now, self.traders, shares)
            if decision is not None:
                assert decision.workers == self.workers
                self.workers = decision.wanted
                numbers.append(self.workers)
                busy = None
        return numbers


def test_a_pool_that_fits_is_left_alone():
    assert Pool(workers=2).run(36_000, work=1.0) == [2]


def test_load_makes_it_grow_one_by_one_with_pauses_between():
    pool = Pool(workers=1)
    assert pool.run(24, work=3.0) == [1, 2]
    assert pool.run(295, work=3.0) == [2]
    assert pool.run(10, work=3.0) == [2, 3]
    assert pool.run(36_000, work=3.0) == [3, 4, 5]


def test_a_moment_of_load_does_not():
    pool = Pool(workers=1)
    for _ in range(50):
        assert pool.run(20, work=1.0) == [1]
        assert pool.run(5, work=0.5) == [1]


def test_too_little_load_for_long_makes_it_shrink():
    pool = Pool(workers=3)
    assert pool.run(295, work=0.5) == [3]
    assert pool.run(5, work=0.5) == [3, 2]
    assert pool.run(36_000, work=0.5) == [2]


def test_one_busy_worker_among_idle_ones_is_no_reason_to_grow():
    assert Pool(workers=4).run(3_600, busy=[1.0, 0.0, 0.1, 0.0]) == [4]


def test_one_busy_worker_among_working_ones_is():
    assert Pool(workers=2).run(25, busy=[0.8, 0.3]) == [2, 3]


def test_more_traders_than_workers_may_have_make_it_grow_at_once():
    pool = Pool(workers=1, traders=1_001)
    assert pool.run(5) == [1, 5]
    assert pool.policy.statistics().last.reason is ScalingReason.TRADERS
    assert pool.policy.statistics().last.detail == "1001 traders, at most 250 and at least one in a worker"


def test_a_few_traders_more_or_less_do_not_make_it_flap():
    pool = Pool(workers=1)
    numbers = []
    for traders in [251, 249] * 20:
        pool.traders = traders
        numbers += pool.run(600)
    assert sorted(set(numbers)) == [1, 2]
    assert pool.policy.statistics().shrunk == 0
    pool.traders = 200
    assert pool.run(600) == [2, 1]


def test_never_more_workers_than_traders_but_always_one():
    pool = Pool(workers=8, traders=3)
    assert pool.run(5) == [8, 3]
    pool.traders = 0
    assert pool.run(5) == [3, 1]


def test_other_limits_are_kept_at_once():
    pool = Pool(workers=8, least=2, most=4)
    assert pool.run(5) == [8, 4]
    assert pool.policy.statistics().last.reason is ScalingReason.LIMITS
    assert Pool(workers=0, traders=0).run(5) == [0, 1]


def test_a_change_that_is_not_made_is_decided_again_after_a_while():
    policy = ScalingPolicy(ScalingSettings())
    decided = [second for second in range(0, 1_000, 5) if policy.look(float(second), 1_000, [0.5]) is not None]
    assert decided == [0, 300, 600, 900]


def test_statistics_count_changes():
    pool = Pool(workers=1, traders=600)
    pool.run(5)
    pool.traders = 100
    pool.run(3_600)
    found = pool.policy.statistics()
    assert (found.grown, found.shrunk) == (1, 2)
    assert (found.last.workers, found.last.wanted) == (2, 1)
    assert found.last.detail == "1 would be busy for less than 35% in 60 looks"


@settings(deadline=None)
@given(st.integers(1, 16), st.floats(0.0, 16.0), st.integers(1, 5_000))
def test_constant_work_never_makes_it_flap(workers, work, traders):
    pool = Pool(workers=workers, traders=traders)
    pool.run(5, work=work)
    numbers = pool.run(20_000, work=work)
    assert numbers in (sorted(numbers), sorted(numbers, reverse=True))
    assert pool.run(20_000, work=work) == [pool.workers]


@settings(deadline=None)
@given(
    st.integers(1, 16),
    st.integers(1, 16),
    st.integers(0, 16),
    st.lists(st.tuples(st.integers(0, 6_000), st.lists(st.floats(0.0, 1.0), min_size=16, max_size=16)), max_size=60),
)
def test_the_bounds_are_always_kept(one, other, workers, looks):
    least, most = sorted((one, other))
    policy = ScalingPolicy(ScalingSettings(least=least, most=most, grow_looks=2, shrink_looks=2, cooldown=20.0))
    for number, (traders, busy) in enumerate(looks):
        decision = policy.look(number * 10.0, traders, busy[:workers])
        if decision is not None:
            assert decision.wanted != workers
            workers = decision.wanted
        assert 1 <= workers <= max(1, min(most, traders))
        assert workers >= min(max(1, min(most, traders)), max(least, -(-traders // 250)))


@pytest.mark.parametrize("work", [0.35, 0.7, 1.05, 1.4])
def test_work_at_the_very_limits_settles(work):
    for workers in range(1, 8):
        pool = Pool(workers=workers)
        pool.run(20_000, work=work)
        assert pool.run(20_000, work=work) == [pool.workers]
