import pytest

from tests.supervisor.fakes import FakeProcess
from tests.worker.clocks import VirtualClock
from tickfloor.contracts.telemetry import MetricsDelta
from tickfloor.supervisor.services.metrics import MetricsService, SlotMetrics
from tickfloor.worker.metrics import Metrics


def delta(counts=None, gauges=None, updates=1) -> MetricsDelta:
    return MetricsDelta(counts=counts or {}, gauges=gauges or {}, updates=updates)


def test_counts_add_up_over_reports_and_incarnations():
    service = MetricsService()
    service.on_delta(FakeProcess("trader-1", incarnation=1), delta({"ticks": 5, "signals": 1}, updates=6))
    service.on_delta(FakeProcess("trader-1", incarnation=1), delta({"ticks": 2}, updates=2))
    service.on_delta(FakeProcess("trader-1", incarnation=2), delta({"ticks": 10}, updates=1))
    service.on_delta(FakeProcess("trader-2", incarnation=1), delta({"ticks": 100}, updates=1))
    assert service.snapshot() == {
        "trader-1": SlotMetrics(counts={"ticks": 17, "signals": 1}, gauges={}, updates=9, messages=3, refused=0),
        "trader-2": SlotMetrics(counts={"ticks": 100}, gauges={}, updates=1, messages=1, refused=0),
    }


def test_gauges_are_those_of_the_newest_incarnation():
    service = MetricsService()
    old, new = FakeProcess("trader-1", incarnation=1), FakeProcess("trader-1", incarnation=2)
    service.on_delta(old, delta(gauges={"lag": 9, "depth": 3}))
    service.on_delta(new, delta(gauges={"lag": 1}))
    service.on_delta(old, delta({"ticks": 1}, {"lag": 8}))
    assert service.snapshot()["trader-1"].gauges == {"lag": 1}
    assert service.snapshot()["trader-1"].counts == {"ticks": 1}


def test_a_dead_worker_has_no_gauges_and_keeps_its_counts():
    service = MetricsService()
    old, new = FakeProcess("trader-1", incarnation=1), FakeProcess("trader-1", incarnation=2)
    service.on_delta(old, delta({"ticks": 1}, {"lag": 9}))
    service.worker_gone(old)
    assert service.snapshot()["trader-1"].gauges == {}
    service.on_delta(new, delta(gauges={"lag": 1}))
    service.worker_gone(old)
    service.worker_gone(FakeProcess("never-1"))
    assert service.snapshot()["trader-1"].gauges == {"lag": 1}
    assert service.snapshot()["trader-1"].counts == {"ticks": 1}


def test_names_are_bounded_and_what_is_left_out_is_counted():
    service = MetricsService(most_names=2)
    process = FakeProcess()
    service.on_delta(process, delta({"a": 1, "b": 1, "c": 1}, {"d": 1, "e": 1, "f": 1}))
    service.on_delta(process, delta({"a": 1, "c": 1}, {"d": 2}))
    [slot] = service.snapshot().values()
    assert (slot.counts, slot.gauges, slot.refused) == ({"a": 2, "b": 1}, {"d": 2, "e": 1}, 3)
    assert service.summary().refused == 3


def test_a_snapshot_does_not_change_afterwards():
    service = MetricsService()
    service.on_delta(FakeProcess(), delta({"a": 1}, {"b": 1}))
    before = service.snapshot()
    service.on_delta(FakeProcess(), delta({"a": 1}, {"b": 2}))
    assert before["worker-1"].counts == {"a": 1}
    assert before["worker-1"].gauges == {"b": 1}


def test_the_summary_says_what_batching_saved():
    service = MetricsService()
    assert (service.summary().slots, service.summary().saved) == (0, 0.0)
    for slot in ("trader-1", "trader-2"):
        clock, process = VirtualClock(), FakeProcess(slot)
        metrics = Metrics(lambda said, process=process: service.on_delta(process, said), clock=clock)
        for _ in range(1_000):
            metrics.increment("ticks")
            metrics.gauge("lag", 1)
            clock.advance(0.001)
            metrics.flush_if_due()
    summary = service.summary()
    assert (summary.slots, summary.names, summary.updates, summary.messages) == (2, 4, 4_000, 20)
    assert summary.saved == pytest.approx(0.995)
