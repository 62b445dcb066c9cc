import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tickfloor.supervisor.health.leak_trend import Trend
from tickfloor.supervisor.health.rotation import (
    RotationAction,
    RotationPolicy,
    RotationReason,
    RotationSettings,
    Sample,
)

MIB = 1 << 20
PLENTY = 1 << 40


class Pool:
    """Workers of given memory, looked at every ten seconds."""

    def __init__(self, *slots, jitter=0.0, **chosen):
        self.policy = RotationPolicy(RotationSettings(**chosen), jitter=lambda: jitter)
        self.now = 5_000.0
        self.private = dict.fromkeys(slots, 50 * MIB)
        self.incarnation = dict.fromkeys(slots, 1)
        self.born = dict.fromkeys(slots, self.now)

    def run(self, seconds, available=PLENTY):
        """Return the first decision within so many seconds, or None."""
        end = self.now + seconds
        while self.now < end:
            self.now += 10.0
            self.look()
            decision = self.policy.next(self.now, available)
            if decision is not None:
                return decision
        return None

    def look(self):
        for slot, private in self.private.items():
            age = self.now - self.born[slot]
            sample = Sample(now=self.now, incarnation=self.incarnation[slot], private=private, age=age)
            self.policy.observe(slot, sample)

    def replace(self, slot, *, ok=True):
        self.policy.began(slot, self.now)
        if ok:
            self.incarnation[slot] += 1
            self.born[slot] = self.now
        self.policy.ended(slot, ok=ok)


def brief(decision):
    return None if decision is None else (decision.slot, decision.action, decision.reason)


def test_a_worker_within_its_limits_is_left_alone():
    assert Pool("a", "b", memory_limit=60 * MIB, most_age=1e9).run(7_200) is None


def test_a_worker_above_its_limit_for_some_samples_is_replaced():
    pool = Pool("a", "b", memory_limit=100 * MIB)
    pool.run(600)
    pool.private["b"] = 101 * MIB
    assert pool.run(40) is None
    decision = pool.run(10)
    assert brief(decision) == ("b", RotationAction.REPLACE, RotationReason.MEMORY)
    assert decision.detail == "101.0 MiB of its own, in 5 samples above the limit of 100.0 MiB"


def test_a_peak_is_no_reason():
    pool = Pool("a", memory_limit=100 * MIB)
    for _ in range(100):
        pool.private["a"] = 200 * MIB
        assert pool.run(40) is None
        pool.private["a"] = 50 * MIB
        assert pool.run(10) is None


def test_a_worker_that_leaks_is_replaced_and_its_successor_begins_anew():
    pool = Pool("a")
    for _ in range(360):
        pool.private["a"] += MIB // 6
        decision = pool.run(10)
        if decision is not None:
            break
    assert brief(decision) == ("a", RotationAction.REPLACE, RotationReason.LEAK)
    assert decision.detail.endswith("grows by 60.0 MiB an hour")
    assert pool.policy.trend("a").trend is Trend.LEAKING
    pool.replace("a")
    pool.look()
    assert pool.policy.trend("a").trend is Trend.UNKNOWN
    assert pool.policy.next(pool.now, PLENTY) is None


@pytest.mark.parametrize(("jitter", "age"), [(0.0, 7_200), (1.0, 6_480)])
def test_an_old_worker_is_replaced_sooner_by_jitter(jitter, age):
    pool = Pool("a", most_age=7_200.0, age_jitter=0.1, jitter=jitter)
    assert pool.run(age - 10) is None
    decision = pool.run(10)
    assert brief(decision) == ("a", RotationAction.REPLACE, RotationReason.AGE)
    assert decision.detail == f"it is {age} s old, {age} s is the limit"


def test_the_most_pressing_reason_comes_first():
    pool = Pool("a", "b", memory_limit=100 * MIB, most_age=1_000.0)
    pool.run(990)
    pool.private["b"] = 200 * MIB
    pool.policy.began("other", pool.now)
    pool.run(100)
    pool.policy.ended("other", ok=True)
    assert pool.run(10).slot == "b"


def test_no_worker_is_replaced_too_young():
    pool = Pool("a", memory_limit=10 * MIB, least_age=300.0)
    assert pool.run(290) is None
    assert brief(pool.run(10)) == ("a", RotationAction.REPLACE, RotationReason.MEMORY)


def test_never_two_at_once():
    pool = Pool("a", "b", memory_limit=10 * MIB)
    first = pool.run(600)
    pool.policy.began(first.slot, pool.now)
    assert pool.run(3_600) is None
    with pytest.raises(ValueError, match="a is being replaced; wait until that has ended"):
        pool.policy.began("b", pool.now)
    pool.policy.ended(first.slot, ok=True)
    assert pool.run(10).slot == "b"


def test_a_successor_that_needs_it_again_is_an_alarm_once_and_replaced_after_the_pause():
    pool = Pool("a", memory_limit=10 * MIB)
    pool.run(600)
    pool.replace("a")
    began = pool.now
    alarm = pool.run(590)
    assert brief(alarm) == ("a", RotationAction.ALARM, RotationReason.MEMORY)
    assert alarm.detail.endswith("it was replaced less than 600 s ago, which has not helped")
    again = pool.run(3_600)
    assert brief(again) == ("a", RotationAction.REPLACE, RotationReason.MEMORY)
    assert pool.now - began == 600.0
    pool.replace("a")
    assert pool.run(600).action is RotationAction.ALARM


def test_a_replacement_that_failed_is_tried_again_after_the_pause():
    pool = Pool("a", memory_limit=10 * MIB)
    pool.run(600)
    pool.replace("a", ok=False)
    assert pool.run(10).action is RotationAction.ALARM
    assert pool.run(580) is None
    assert pool.run(10).action is RotationAction.REPLACE
    assert pool.policy.statistics().failed == 1


def test_what_is_still_seen_of_a_predecessor_says_nothing_about_its_successor():
    pool = Pool("a", memory_limit=10 * MIB)
    pool.run(600)
    pool.policy.began("a", pool.now)
    pool.policy.ended("a", ok=True)
    assert pool.run(600) is None
    assert pool.policy.statistics().needs == {}


def test_a_replacement_that_the_host_cannot_bear_is_refused_and_that_is_said_once_in_a_pause():
    pool = Pool("a", "b", memory_limit=100 * MIB)
    pool.private["a"] = 200 * MIB
    decision = pool.run(600, available=300 * MIB - 1)
    assert brief(decision) == ("a", RotationAction.REFUSE, RotationReason.MEMORY)
    assert decision.detail.endswith("the host has 300.0 MiB available, 300.0 MiB are needed")
    assert pool.run(590, available=300 * MIB - 1) is None
    assert pool.run(10, available=300 * MIB - 1).action is RotationAction.REFUSE
    assert pool.run(10, available=300 * MIB).action is RotationAction.REPLACE
    assert pool.policy.statistics().refusals == 2


def test_a_large_worker_that_cannot_be_replaced_does_not_hold_up_a_small_one():
    pool = Pool("large", "small", memory_limit=10 * MIB)
    pool.private["large"] = 200 * MIB
    decisions = [brief(pool.run(600, available=100 * MIB)) for _ in range(2)]
    assert decisions == [
        ("large", RotationAction.REFUSE, RotationReason.MEMORY),
        ("small", RotationAction.REPLACE, RotationReason.MEMORY),
    ]


def test_a_worker_that_nobody_has_looked_at_lately_is_left_alone():
    pool = Pool("gone", "here", memory_limit=10 * MIB)
    pool.run(600)
    del pool.private["gone"]
    assert pool.run(10).slot == "gone"
    pool.now += 120.0
    assert pool.run(10).slot == "here"


def test_a_slot_that_is_no_more_is_forgotten():
    pool = Pool("a", memory_limit=10 * MIB)
    pool.run(600)
    pool.policy.forget("a")
    assert pool.policy.next(pool.now, PLENTY) is None
    assert pool.policy.trend("a") is None


def test_only_what_has_begun_can_end():
    with pytest.raises(ValueError, match="a is not being replaced"):
        RotationPolicy(RotationSettings()).ended("a", ok=True)


def test_statistics_say_what_has_been_done():
    pool = Pool("a", memory_limit=10 * MIB)
    pool.run(600)
    assert pool.policy.statistics().needs == {"a": RotationReason.MEMORY}
    pool.replace("a")
    pool.run(100)
    pool.policy.began("a", pool.now)
    found = pool.policy.statistics()
    assert (found.began, found.failed, found.alarms, found.rotating) == (2, 0, 1, "a")


class Rotations(RuleBasedStateMachine):
    """Three workers of any size and age, replaced when the policy says so and at times when an operator does."""

    slots = ("a", "b", "c")

    def __init__(self):
        super().__init__()
        self.settings = RotationSettings(memory_limit=100 * MIB, samples_above=2, most_age=5_000.0)
        self.policy = RotationPolicy(self.settings, jitter=lambda: 0.5)
        self.now = 1_000.0
        self.private = dict.fromkeys(self.slots, 50)
        self.born = dict.fromkeys(self.slots, self.now)
        self.incarnation = dict.fromkeys(self.slots, 1)
        self.seen = {}
        self.above = {}
        self.began_at = {}
        self.alarms = dict.fromkeys(self.slots, 0)
        self.refused_at = {}
        self.rotating = None

    @rule(slot=st.sampled_from(slots), private=st.sampled_from([50, 150, 290]))
    def change(self, slot, private):
        self.private[slot] = private

    @rule(seconds=st.sampled_from([10.0, 200.0, 1_000.0]))
    def look_twice(self, seconds):
        self.look(seconds)
        self.look(10.0)

    @rule(seconds=st.sampled_from([10.0, 200.0, 1_000.0]))
    def look(self, seconds):
        self.now += seconds
        for slot in self.slots:
            life = slot, self.incarnation[slot]
            sample = Sample(
                now=self.now,
                incarnation=self.incarnation[slot],
                private=self.private[slot] * MIB,
                age=self.now - self.born[slot],
            )
            self.policy.observe(slot, sample)
            self.seen[slot] = sample
            self.above[life] = self.above.get(life, 0) + 1 if self.private[slot] > 100 else 0

    @rule(available=st.sampled_from([0, 100, 300, 600]))
    def decide(self, available):
        decision = self.policy.next(self.now, available * MIB)
        if decision is None:
            return
        slot, seen = decision.slot, self.seen[decision.slot]
        life = slot, decision.incarnation
        assert self.rotating is None
        assert decision.incarnation == seen.incarnation
        if decision.reason is RotationReason.MEMORY:
            assert self.above[life] >= 2
        else:
            assert seen.age >= 4_750.0
        since = self.now - self.began_at.get(slot, -1e9)
        if decision.action is RotationAction.ALARM:
            self.alarms[slot] += 1
            assert since < 600.0
            assert self.alarms[slot] == 1
            return
        assert since >= 600.0
        assert seen.age >= 300.0
        enough = available * MIB >= 1.5 * seen.private
        if decision.action is RotationAction.REFUSE:
            assert not enough
            assert self.now - self.refused_at.get(life, -1e9) >= 600.0
            self.refused_at[life] = self.now
        else:
            assert enough
            if decision.incarnation == self.incarnation[slot]:
                self.begin(slot)

    @precondition(lambda self: self.rotating is None)
    @rule(slot=st.sampled_from(slots))
    def an_operator_replaces(self, slot):
        self.begin(slot)

    def begin(self, slot):
        self.policy.began(slot, self.now)
        self.rotating = slot
        self.began_at[slot] = self.now
        self.alarms[slot] = 0

    @precondition(lambda self: self.rotating is not None)
    @rule(ok=st.booleans())
    def end(self, ok):
        slot, self.rotating = self.rotating, None
        if ok:
            self.renew(slot)
        self.policy.ended(slot, ok=ok)

    @precondition(lambda self: self.rotating is None)
    @rule(slot=st.sampled_from(slots))
    def die(self, slot):
        self.renew(slot)

    def renew(self, slot):
        self.incarnation[slot] += 1
        self.born[slot] = self.now

    @invariant()
    def one_at_a_time(self):
        assert self.policy.statistics().rotating == (self.rotating or "")
        if self.rotating is not None:
            assert self.policy.next(self.now, PLENTY) is None


TestRotations = Rotations.TestCase
TestRotations.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
