import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.clocks import VirtualClock
from tickfloor.contracts.ports import MetricsPort
from tickfloor.contracts.telemetry import MetricsDelta
from tickfloor.worker.metrics import Metrics, MetricsError, MetricsSnapshot

NAMES = st.sampled_from(["ticks", "signals", "drops"])
INCREMENT = st.tuples(st.just("increment"), NAMES, st.integers(0, 1_000))
GAUGE = st.tuples(st.just("gauge"), st.sampled_from(["lag", "depth"]), st.integers(-1_000, 1_000))
PASS = st.tuples(st.just("pass"), st.just(""), st.integers(1, 250))


class Reported:
    """Metrics, and what they have said."""

    def __init__(self, **settings) -> None:
        self.clock = VirtualClock()
        self.said: list[MetricsDelta] = []
        self.metrics = Metrics(self.said.append, clock=self.clock, **settings)


def test_they_are_what_domain_code_asks_for():
    port: MetricsPort = Reported().metrics
    port.increment("ticks")


def test_what_changes_within_a_tenth_of_a_second_is_one_message():
    reported = Reported()
    for _ in range(50):
        reported.metrics.increment("ticks", 2)
        reported.metrics.gauge("lag", 0.5)
        reported.metrics.flush_if_due()
    assert (reported.said, reported.metrics.due_in()) == ([], 0.1)
    reported.clock.advance(0.1)
    reported.metrics.flush_if_due()
    reported.metrics.flush_if_due()
    assert reported.said == [MetricsDelta(counts={"ticks": 100}, gauges={"lag": 0.5}, updates=100)]


def test_a_report_holds_what_changed_since_the_last_and_nothing_else():
    reported = Reported()
    reported.metrics.increment("ticks")
    reported.metrics.gauge("lag", 1)
    reported.metrics.flush()
    reported.metrics.increment("signals")
    reported.metrics.flush()
    assert reported.said[1] == MetricsDelta(counts={"signals": 1}, gauges={}, updates=1)


def test_who_changes_nothing_says_nothing_and_may_sleep_for_ever():
    reported = Reported()
    reported.clock.advance(10)
    reported.metrics.flush_if_due()
    reported.metrics.flush()
    assert (reported.said, reported.metrics.due_in()) == ([], math.inf)


def test_the_time_runs_from_the_first_change_not_from_the_last_report():
    reported = Reported(every_seconds=1.0)
    reported.clock.advance(0.9)
    reported.metrics.increment("ticks")
    reported.clock.advance(0.9)
    reported.metrics.flush_if_due()
    assert reported.said == []
    assert reported.metrics.due_in() == pytest.approx(0.1)


def test_a_snapshot_has_what_is_not_reported_yet_and_does_not_change_afterwards():
    reported = Reported()
    reported.metrics.increment("ticks", 3)
    reported.metrics.flush()
    reported.metrics.increment("ticks", 4)
    reported.metrics.gauge("lag", 2)
    snapshot = reported.metrics.snapshot()
    reported.metrics.increment("ticks")
    reported.metrics.gauge("lag", 3)
    assert snapshot == MetricsSnapshot(counts={"ticks": 7}, gauges={"lag": 2})


def test_what_is_counted_while_a_report_is_sent_is_in_the_next():
    said = []

    def send(delta):
        said.append(delta)
        metrics.increment("sent")

    metrics = Metrics(send, clock=VirtualClock())
    metrics.increment("ticks")
    metrics.flush()
    metrics.flush()
    assert [delta.counts for delta in said] == [{"ticks": 1}, {"sent": 1}]


@given(st.lists(INCREMENT | GAUGE | PASS))
def test_reports_add_up_to_what_was_counted(actions):
    reported = Reported()
    for what, name, value in actions:
        if what == "increment":
            reported.metrics.increment(name, value)
        elif what == "gauge":
            reported.metrics.gauge(name, value)
        else:
            reported.clock.advance(value / 1000)
            reported.metrics.flush_if_due()
    before = reported.metrics.snapshot()
    reported.metrics.flush()
    counts, gauges = {}, {}
    for delta in reported.said:
        gauges |= delta.gauges
        for name, by in delta.counts.items():
            counts[name] = counts.get(name, 0) + by
    assert before == reported.metrics.snapshot() == MetricsSnapshot(counts=counts, gauges=gauges)
    updates = sum(what != "pass" for what, _, _ in actions)
    assert sum(delta.updates for delta in reported.said) == reported.metrics.health().updates == updates
    assert len(reported.said) == reported.metrics.health().messages


@given(st.floats(0.001, 0.04), st.integers(50, 200))
def test_from_twenty_five_updates_a_second_on_sixty_percent_of_messages_are_saved(between, updates):
    reported = Reported()
    for _ in range(updates):
        reported.metrics.increment("ticks")
        reported.clock.advance(between)
        reported.metrics.flush_if_due()
    reported.metrics.flush()
    assert len(reported.said) <= 0.4 * updates


def test_names_are_bounded():
    reported = Reported(most_names=3)
    reported.metrics.increment("a")
    reported.metrics.gauge("b", 1)
    reported.metrics.increment("c")
    with pytest.raises(MetricsError, match=r"'d' would be one more than 3: do not build names from data"):
        reported.metrics.increment("d")
    reported.metrics.flush()
    with pytest.raises(MetricsError, match="'e' would be one more"):
        reported.metrics.gauge("e", 1)
    reported.metrics.increment("a")
    reported.metrics.gauge("b", 2)
    assert reported.metrics.health().names == 3


def test_a_thousand_names_are_enough_for_anybody_who_does_not_say_otherwise():
    reported = Reported()
    for number in range(1_000):
        reported.metrics.increment(f"metric {number}")
    with pytest.raises(MetricsError, match="1,000"):
        reported.metrics.increment("one more")


@pytest.mark.parametrize("by", [-1, math.nan, math.inf])
def test_a_counter_only_grows(by):
    reported = Reported()
    with pytest.raises(MetricsError, match="'ticks' cannot be incremented by"):
        reported.metrics.increment("ticks", by)
    assert reported.metrics.snapshot().counts == {}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_gauge_is_a_finite_number(value):
    with pytest.raises(MetricsError, match="'lag' cannot be"):
        Reported().metrics.gauge("lag", value)


@pytest.mark.parametrize("name", ["", "x" * 121])
def test_a_name_has_a_bounded_length(name):
    with pytest.raises(MetricsError, match="name of 1 to 120 characters"):
        Reported().metrics.increment(name)


def test_a_name_is_a_counter_or_a_gauge():
    reported = Reported()
    reported.metrics.increment("ticks")
    with pytest.raises(MetricsError, match="both a counter and a gauge"):
        reported.metrics.gauge("ticks", 1)


def test_health_says_what_waits_and_what_was_sent():
    reported = Reported()
    reported.metrics.increment("ticks")
    reported.metrics.increment("ticks")
    reported.metrics.flush()
    reported.metrics.gauge("lag", 1)
    health = reported.metrics.health()
    assert (health.names, health.updates, health.pending, health.messages, health.destroyed) == (2, 3, 1, 1, False)


def test_once_destroyed_the_rest_is_reported_and_nothing_more_is_counted():
    reported = Reported()
    reported.metrics.increment("ticks")
    reported.metrics.destroy()
    assert reported.said == [MetricsDelta(counts={"ticks": 1}, gauges={}, updates=1)]
    with pytest.raises(MetricsError, match="destroyed"):
        reported.metrics.increment("ticks")
    with pytest.raises(MetricsError, match="destroyed"):
        reported.metrics.gauge("lag", 1)
    reported.metrics.destroy()
    assert len(reported.said) == 1
    assert reported.metrics.health().destroyed
