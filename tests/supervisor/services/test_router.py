import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.supervisor.fakes import FakeProcess
from tests.worker.clocks import VirtualClock
from tickfloor.contracts.events import AssignInstrument, SignalsRaised, SignalsStored
from tickfloor.contracts.telemetry import LimiterReport, MetricsDelta
from tickfloor.supervisor.services.router import Router

SIGNALS = SignalsRaised(signals=())
DELTA = MetricsDelta(counts={}, gauges={}, updates=1)


def report(number: int) -> LimiterReport:
    return LimiterReport(name="orders", allowed=0, refused=number)


class Later:
    """An event loop's timers, run by hand."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._timers: list[tuple[int, object]] = []

    def __call__(self, seconds, function) -> None:
        self._timers.append((self._clock.now + round(seconds * 1e9), function))

    def __len__(self) -> int:
        return len(self._timers)

    def run(self) -> None:
        """Run what is due."""
        due = [function for at, function in self._timers if at <= self._clock.now]
        self._timers = [(at, function) for at, function in self._timers if at > self._clock.now]
        for function in due:
            function()


class Routed:
    """A router that hears signals at once and telemetry in batches."""

    def __init__(self, **settings) -> None:
        self.clock = VirtualClock()
        self.later = Later(self.clock)
        self.heard: list = []
        self.errors: list = []
        self.process = FakeProcess("trader-1")
        self.router = Router(
            call_later=self.later,
            on_error=lambda process, message, error: self.errors.append((process, message, error)),
            clock=self.clock,
            **settings,
        )
        self.router.register(SignalsRaised, self.hear)
        self.router.register_telemetry(LimiterReport, self.hear)
        self.router.register_telemetry(MetricsDelta, self.hear)

    def hear(self, process, message) -> None:
        assert process is self.process
        self.heard.append(message)

    def route(self, *messages) -> None:
        for message in messages:
            self.router.route(self.process, message, correlation_id="a:1")

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.later.run()

    @property
    def numbers(self) -> list[int]:
        return [message.refused for message in self.heard]


def test_a_control_message_is_heard_at_once():
    routed = Routed()
    routed.route(SIGNALS)
    assert routed.heard == [SIGNALS]
    assert len(routed.later) == 0


def test_telemetry_is_heard_half_of_ten_milliseconds_after_the_first_that_waits():
    routed = Routed()
    routed.route(report(1))
    routed.pass_time(0.004)
    routed.route(report(2))
    assert routed.heard == []
    routed.pass_time(0.001)
    assert routed.numbers == [1, 2]
    routed.route(report(3))
    routed.pass_time(0.004)
    assert routed.numbers == [1, 2]
    routed.pass_time(0.001)
    assert routed.numbers == [1, 2, 3]
    assert (routed.router.statistics().flushes, routed.router.statistics().largest_batch) == (2, 2)


def test_a_control_message_does_not_wait_behind_telemetry():
    routed = Routed()
    routed.route(report(1), SIGNALS)
    assert routed.heard == [SIGNALS]
    routed.pass_time(0.01)
    assert routed.heard == [SIGNALS, report(1)]


def test_who_needs_what_was_reported_so_far_flushes_first():
    routed = Routed()
    routed.route(report(1))
    routed.router.flush()
    assert routed.numbers == [1]
    routed.clock.advance(0.002)
    routed.route(report(2))
    routed.pass_time(0.005)
    assert routed.numbers == [1, 2]
    assert len(routed.later) == 0


def test_telemetry_waits_no_longer_when_the_event_loop_is_behind():
    routed = Routed()
    routed.route(report(1))
    routed.clock.advance(0.02)
    routed.route(report(2))
    assert routed.numbers == [1, 2]
    routed.route(report(3))
    assert routed.numbers == [1, 2]
    routed.clock.advance(0.009)
    routed.route(report(4))
    assert routed.numbers == [1, 2]
    routed.later.run()
    assert routed.numbers == [1, 2, 3, 4]


def slow(routed: Routed, seconds: float) -> None:
    """Have asks handled as telemetry, each for so long."""

    def hear(process, message):
        routed.clock.advance(seconds)
        routed.heard.append(message)

    routed.router.register_telemetry(AssignInstrument, hear)


def asks(count: int) -> list[AssignInstrument]:
    return [AssignInstrument(venue="binance", symbol=str(number)) for number in range(count)]


def test_a_long_batch_is_handled_in_slices_with_room_for_control_messages_between_them():
    routed = Routed()
    slow(routed, 0.0001)
    routed.route(*asks(5))
    routed.pass_time(0.005)
    assert routed.heard == asks(2)
    routed.route(SIGNALS)
    routed.later.run()
    assert routed.heard == [*asks(2), SIGNALS, *asks(4)[2:]]
    routed.later.run()
    assert routed.heard[-1] == asks(5)[-1]
    assert len(routed.later) == 0
    assert (routed.router.statistics().flushes, routed.router.statistics().largest_batch) == (1, 5)


def test_what_comes_during_a_batch_is_in_the_next_and_does_not_wait_longer_for_it():
    routed = Routed()
    slow(routed, 0.001)
    routed.route(*asks(3))
    routed.pass_time(0.005)
    routed.route(report(1))
    for _ in range(2):
        routed.later.run()
    assert routed.heard == asks(3)
    routed.pass_time(0.002)
    assert routed.heard == asks(3)
    routed.pass_time(0.001)
    assert routed.heard == [*asks(3), report(1)]


def test_what_is_dropped_during_a_batch_is_no_longer_part_of_it():
    routed = Routed(bound=4)
    slow(routed, 0.001)
    routed.route(*asks(4))
    routed.pass_time(0.005)
    routed.route(report(1), report(2))
    assert routed.router.statistics().overflowed == {"AssignInstrument": 1}
    for _ in range(3):
        routed.later.run()
    assert routed.heard == [asks(1)[0], *asks(4)[2:]]
    assert routed.router.statistics().queued == 2


def test_flushing_within_a_batch_handles_all_of_it_and_what_came_since():
    routed = Routed()
    slow(routed, 0.001)
    routed.route(*asks(3))
    routed.pass_time(0.005)
    routed.route(report(1))
    routed.router.flush()
    assert routed.heard == [*asks(3), report(1)]
    assert (routed.router.statistics().flushes, routed.router.statistics().largest_batch) == (1, 3)


def test_a_thousand_wait_and_beyond_that_the_oldest_are_dropped_and_counted_by_type():
    routed = Routed()
    routed.route(DELTA, DELTA, *map(report, range(1_003)))
    statistics = routed.router.statistics()
    assert (statistics.queued, statistics.bound) == (1_000, 1_000)
    assert statistics.overflowed == {"MetricsDelta": 2, "LimiterReport": 3}
    routed.pass_time(0.01)
    assert routed.numbers == list(range(3, 1_003))
    assert routed.router.statistics().largest_batch == 1_000


def test_control_messages_are_never_dropped():
    routed = Routed(bound=1)
    routed.route(*[SIGNALS, report(1)] * 50)
    assert routed.heard == [SIGNALS] * 50


def test_everything_is_counted():
    routed = Routed()
    routed.route(SIGNALS, SIGNALS, report(1), SignalsStored(ids=()))
    routed.router.route(routed.process, AssignInstrument(venue="binance", symbol="BTCUSDT"))
    statistics = routed.router.statistics()
    assert statistics.routed == {"SignalsRaised": 2, "LimiterReport": 1, "SignalsStored": 1, "AssignInstrument": 1}
    assert statistics.unrouted == {"SignalsStored": 1, "AssignInstrument": 1}
    assert (statistics.identified, statistics.anonymous) == (4, 1)
    assert (statistics.overflowed, statistics.failed) == ({}, {})


def test_a_message_without_a_handler_harms_nothing():
    routed = Routed()
    routed.route(SignalsStored(ids=()))
    assert (routed.heard, routed.errors, len(routed.later)) == ([], [], 0)


def test_the_time_in_handlers_is_counted_for_both_kinds():
    routed = Routed()
    router = Router(call_later=routed.later, on_error=lambda *_: None, clock=routed.clock)

    def take_long(process, message):
        routed.clock.advance(0.001)

    router.register(SignalsRaised, take_long)
    router.register_telemetry(LimiterReport, take_long)
    router.route(routed.process, SIGNALS)
    router.route(routed.process, report(1))
    router.flush()
    statistics = router.statistics()
    # Within a bucket of the histogram, which is nine percent wide.
    assert statistics.processing_p50_us == statistics.processing_p99_us == pytest.approx(1000, rel=0.1)


def test_a_telemetry_handlers_error_is_handed_over_and_loses_nothing_else():
    routed = Routed()
    broken = ValueError("broken")

    def fail(process, message):
        raise broken

    routed.router.register_telemetry(SignalsStored, fail)
    wrong = SignalsStored(ids=())
    routed.route(report(1), wrong, report(2))
    routed.pass_time(0.01)
    assert routed.numbers == [1, 2]
    assert routed.errors == [(routed.process, wrong, broken)]
    assert routed.router.statistics().failed == {"SignalsStored": 1}


def test_an_error_that_nobody_handles_ends_the_flush_and_the_rest_comes_with_the_next():
    routed = Routed()

    def interrupted(process, message):
        raise KeyboardInterrupt

    routed.router.register_telemetry(SignalsStored, interrupted)
    routed.route(report(1), SignalsStored(ids=()), report(2))
    with pytest.raises(KeyboardInterrupt):
        routed.pass_time(0.01)
    assert routed.numbers == [1]
    routed.pass_time(0.01)
    assert routed.numbers == [1, 2]


def test_a_control_handlers_error_is_its_callers():
    routed = Routed()

    def fail(process, message):
        raise ValueError("broken")

    routed.router.register(SignalsStored, fail)
    with pytest.raises(ValueError, match="broken"):
        routed.route(SignalsStored(ids=()))


def test_what_a_handler_causes_waits_for_the_next_batch_and_a_flush_within_one_is_harmless():
    routed = Routed()

    def again(process, message):
        if routed.router.statistics().routed["SignalsStored"] < 3:
            routed.route(SignalsStored(ids=()))
        routed.router.flush()

    routed.router.register_telemetry(SignalsStored, again)
    routed.route(SignalsStored(ids=()), report(1))
    for flushes in (1, 2, 3):
        routed.pass_time(0.01)
        assert routed.router.statistics().flushes == flushes
    assert routed.router.statistics().routed["SignalsStored"] == 3
    routed.pass_time(0.01)
    assert (routed.router.statistics().flushes, len(routed.later)) == (3, 0)


def test_closing_flushes_and_what_comes_later_is_heard_at_once():
    routed = Routed()
    routed.route(report(1))
    routed.router.close()
    assert routed.numbers == [1]
    routed.route(report(2))
    assert routed.numbers == [1, 2]
    routed.pass_time(0.01)
    assert len(routed.later) == 0


def test_what_handlers_cause_at_the_end_is_heard_too():
    routed = Routed()
    routed.router.register_telemetry(SignalsStored, lambda process, message: routed.route(report(2)))
    routed.route(SignalsStored(ids=()))
    routed.router.close()
    routed.route(SignalsStored(ids=()))
    assert routed.numbers == [2, 2]


@pytest.mark.parametrize("register", ["register", "register_telemetry"])
@pytest.mark.parametrize("kind", [SignalsRaised, MetricsDelta])
def test_a_type_has_one_handler(kind, register):
    routed = Routed()
    with pytest.raises(ValueError, match=f"{kind.__name__} has a handler already"):
        getattr(routed.router, register)(kind, routed.hear)


@pytest.mark.parametrize(
    "settings", [{"bound": 0}, {"flush_seconds": 0}, {"slice_seconds": 0}, {"flush_seconds": float("nan")}]
)
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        Routed(**settings)


def test_an_event_loop_flushes_it():
    async def scenario():
        heard = asyncio.get_running_loop().create_future()
        router = Router(call_later=asyncio.get_running_loop().call_later, on_error=lambda *_: None)
        router.register_telemetry(LimiterReport, lambda process, message: heard.set_result(message))
        router.route(FakeProcess(), report(7))
        assert not heard.done()
        return await heard

    assert asyncio.run(scenario()) == report(7)


class AnyOrder(RuleBasedStateMachine):
    """Whatever comes in whatever order: control at once, telemetry in order, within its time or counted as dropped."""

    BOUND = 5

    def __init__(self) -> None:
        super().__init__()
        self.routed = Routed(bound=self.BOUND)
        self.said_at: list[int] = []
        self.signals = 0

    @rule(count=st.integers(1, 8))
    def say_telemetry(self, count):
        for _ in range(count):
            self.said_at.append(self.routed.clock.now)
            self.routed.route(report(len(self.said_at) - 1))
        self.nothing_waits_too_long()

    @rule()
    def say_signals(self):
        self.signals += 1
        self.routed.route(SIGNALS)
        assert self.routed.heard[-1] == SIGNALS

    @rule(milliseconds=st.integers(1, 15))
    def the_loop_is_behind(self, milliseconds):
        self.routed.clock.advance(milliseconds / 1000)

    @rule(milliseconds=st.integers(1, 15))
    def the_loop_runs(self, milliseconds):
        self.routed.pass_time(milliseconds / 1000)
        self.nothing_waits_too_long()

    @rule()
    def flush(self):
        self.routed.router.flush()
        assert self.routed.router.statistics().queued == 0

    @property
    def telemetry(self) -> list[int]:
        return [message.refused for message in self.routed.heard if message is not SIGNALS]

    def nothing_waits_too_long(self):
        if queued := self.routed.router.statistics().queued:
            assert self.routed.clock.now - self.said_at[-queued] < 10_000_000

    @invariant()
    def nothing_is_lost_uncounted(self):
        statistics = self.routed.router.statistics()
        telemetry = self.telemetry
        assert telemetry == sorted(set(telemetry))
        assert len(self.routed.heard) - len(telemetry) == self.signals
        dropped = statistics.overflowed.get("LimiterReport", 0)
        assert len(self.said_at) == len(telemetry) + statistics.queued + dropped
        assert statistics.queued <= self.BOUND
        assert not statistics.queued or len(self.routed.later)


TestAnyOrder = AnyOrder.TestCase
