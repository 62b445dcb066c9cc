import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.worker.clocks import VirtualClock
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.ports import BreakerPort
from tickfloor.contracts.telemetry import BreakerReport, BreakerState
from tickfloor.worker.breaker import Breaker, BreakerOpenError

CLOSED, OPEN, HALF_OPEN = BreakerState


class Guarded:
    """A breaker and what it has said."""

    def __init__(self, **settings) -> None:
        self.clock = VirtualClock()
        self.said: list[BreakerReport] = []
        self.breaker = Breaker("storage", self.said.append, clock=self.clock, **settings)

    def fail(self, times: int = 1) -> None:
        for number in range(times):
            assert self.breaker.allows()
            self.breaker.failure(OSError(f"refused {number}"))


def fails():
    raise OSError("refused")


def test_it_is_what_domain_code_asks_for():
    port: BreakerPort = Guarded().breaker
    assert port.call(lambda a, *, b: a + b, 1, b=2) == 3


def test_five_failures_in_a_row_open_it_for_a_minute():
    guarded = Guarded()
    guarded.fail(4)
    guarded.breaker.success()
    guarded.fail(4)
    assert guarded.breaker.state is CLOSED
    guarded.fail()
    assert (guarded.breaker.state, guarded.breaker.allows(), guarded.breaker.retry_seconds()) == (OPEN, False, 60.0)
    guarded.clock.advance(59.999)
    assert not guarded.breaker.allows()
    guarded.clock.advance(0.001)
    assert guarded.breaker.allows()
    assert (guarded.breaker.state, guarded.breaker.refused) == (HALF_OPEN, 2)


def test_one_probe_at_a_time_in_half_open():
    guarded = Guarded()
    guarded.fail(5)
    guarded.clock.advance(60)
    assert [guarded.breaker.allows() for _ in range(3)] == [True, False, False]
    guarded.breaker.success()
    assert guarded.breaker.state is CLOSED
    assert [guarded.breaker.allows() for _ in range(3)] == [True, True, True]


def test_every_failed_probe_doubles_the_time_up_to_the_cap_and_a_success_resets_it():
    guarded = Guarded(open_seconds=1, longest_open_seconds=5)
    guarded.fail(5)
    opened = []
    for _ in range(5):
        opened.append(guarded.breaker.retry_seconds())
        guarded.clock.advance(opened[-1])
        guarded.fail()
    assert opened == [1, 2, 4, 5, 5]
    guarded.clock.advance(5)
    assert guarded.breaker.allows()
    guarded.breaker.success()
    guarded.fail(5)
    assert guarded.breaker.retry_seconds() == 1
    assert guarded.breaker.openings == 7


def test_a_probe_that_never_ends_is_given_up_after_a_while():
    guarded = Guarded()
    guarded.fail(5)
    guarded.clock.advance(60)
    assert guarded.breaker.allows()
    guarded.clock.advance(59)
    assert not guarded.breaker.allows()
    guarded.clock.advance(1)
    assert guarded.breaker.allows()


def test_a_probe_that_is_given_up_makes_room_for_another():
    guarded = Guarded()
    guarded.fail(5)
    guarded.clock.advance(60)
    with pytest.raises(KeyboardInterrupt):
        guarded.breaker.call(interrupted)
    assert (guarded.breaker.state, guarded.breaker.allows(), guarded.breaker.allows()) == (HALF_OPEN, True, False)


def interrupted():
    raise KeyboardInterrupt


def test_what_ends_after_it_has_opened_is_counted_and_changes_nothing():
    guarded = Guarded()
    for _ in range(7):
        assert guarded.breaker.allows()
    for _ in range(5):
        guarded.breaker.failure(OSError())
    guarded.breaker.success()
    guarded.clock.advance(30)
    guarded.breaker.failure(OSError())
    guarded.breaker.abandon()
    assert (guarded.breaker.state, guarded.breaker.retry_seconds()) == (OPEN, 30)
    assert (guarded.breaker.total_successes, guarded.breaker.total_failures, guarded.breaker.openings) == (1, 6, 1)


def test_every_failure_and_every_change_of_state_is_reported():
    guarded = Guarded(most_failures=2, open_seconds=10)
    guarded.fail(2)
    guarded.clock.advance(10)
    guarded.breaker.allows()
    guarded.breaker.success()
    guarded.breaker.success()

    def report(state, failures, total, openings, error, retry):
        return BreakerReport(
            name="storage",
            state=state,
            failures=failures,
            total_failures=total,
            openings=openings,
            error=error,
            retry_seconds=retry,
        )

    assert guarded.said == [
        report(CLOSED, 1, 1, 0, "OSError: refused 0", 0),
        report(OPEN, 2, 2, 1, "OSError: refused 1", 10),
        report(HALF_OPEN, 2, 2, 1, "", 0),
        report(CLOSED, 0, 2, 1, "", 0),
    ]


def test_a_call_that_is_not_made_says_when_to_try_again():
    guarded = Guarded()
    for _ in range(5):
        with pytest.raises(OSError, match="refused"):
            guarded.breaker.call(fails)
    guarded.clock.advance(15)
    called = []
    with pytest.raises(BreakerOpenError) as refused:
        guarded.breaker.call(called.append, 1)
    assert called == []
    assert isinstance(refused.value, TickfloorError)
    assert refused.value.retry_seconds == 45.0
    assert str(refused.value) == (
        "storage is not called: it failed 5 times in a row, last with OSError: refused; try again in 45.0 s"
    )


def test_an_error_of_any_length_is_reported_in_bounded_words():
    guarded = Guarded()
    guarded.breaker.failure(OSError("x" * 100_000))
    assert len(guarded.said[0].error) == 500


@pytest.mark.parametrize(
    "settings",
    [
        {"most_failures": 0},
        {"open_seconds": 0},
        {"open_seconds": float("nan")},
        {"open_seconds": 700},
        {"longest_open_seconds": float("inf")},
    ],
)
def test_limits_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match="breaker 'storage'"):
        Guarded(**settings)


class AgainstAModel(RuleBasedStateMachine):
    """The model keeps whole seconds and the rules as they are told; calls end in any order, or never."""

    MOST, FIRST, LONGEST = 3, 4, 20

    def __init__(self) -> None:
        super().__init__()
        self.guarded = Guarded(most_failures=self.MOST, open_seconds=self.FIRST, longest_open_seconds=self.LONGEST)
        self.now = 0
        self.state = CLOSED
        self.row = 0
        self.opened_for = self.FIRST
        self.opens_at = 0
        self.probe_since: int | None = None
        self.under_way = 0
        self.counts = {"successes": 0, "failures": 0, "refused": 0, "reports": 0, "openings": 0}

    @rule(seconds=st.integers(1, 12))
    def time_passes(self, seconds):
        self.now += seconds
        self.guarded.clock.advance(seconds)

    @rule()
    def ask(self):
        if self.state is CLOSED:
            expected = True
        elif self.state is OPEN:
            expected = self.now >= self.opens_at
            if expected:
                self.state = HALF_OPEN
                self.counts["reports"] += 1
        else:
            expected = self.probe_since is None or self.now >= self.probe_since + self.opened_for
        if expected:
            self.under_way += 1
            if self.state is HALF_OPEN:
                self.probe_since = self.now
        else:
            self.counts["refused"] += 1
        assert self.guarded.breaker.allows() == expected

    @precondition(lambda self: self.under_way)
    @rule()
    def succeed(self):
        self.under_way -= 1
        self.guarded.breaker.success()
        self.counts["successes"] += 1
        if self.state is HALF_OPEN:
            self.state, self.opened_for, self.probe_since = CLOSED, self.FIRST, None
            self.counts["reports"] += 1
        if self.state is CLOSED:
            self.row = 0

    @precondition(lambda self: self.under_way)
    @rule()
    def fail(self):
        self.under_way -= 1
        self.guarded.breaker.failure(OSError("refused"))
        self.counts["failures"] += 1
        self.counts["reports"] += 1
        self.row += 1
        if self.state is HALF_OPEN:
            self.opened_for = min(self.opened_for * 2, self.LONGEST)
        if self.state is HALF_OPEN or (self.state is CLOSED and self.row == self.MOST):
            self.state, self.opens_at, self.probe_since = OPEN, self.now + self.opened_for, None
            self.counts["openings"] += 1

    @precondition(lambda self: self.under_way)
    @rule()
    def abandon(self):
        self.under_way -= 1
        self.guarded.breaker.abandon()
        self.probe_since = None

    @invariant()
    def they_agree(self):
        breaker = self.guarded.breaker
        assert (breaker.state, breaker.failures) == (self.state, self.row)
        assert self.counts == {
            "successes": breaker.total_successes,
            "failures": breaker.total_failures,
            "refused": breaker.refused,
            "reports": len(self.guarded.said),
            "openings": breaker.openings,
        }

    @invariant()
    def its_last_report_is_how_it_is(self):
        if self.guarded.said and self.state is not CLOSED:
            last = self.guarded.said[-1]
            assert (last.state, last.openings) == (self.state, self.counts["openings"])


TestAgainstAModel = AgainstAModel.TestCase
