from tests.supervisor.fakes import FakeProcess
from tests.worker.clocks import VirtualClock
from tickfloor.contracts.telemetry import BreakerReport, BreakerState
from tickfloor.supervisor.services.breakers import BreakerFailure, BreakerService, BreakerStatus
from tickfloor.worker.breaker import Breaker

NOW = 1_700_000_000_000_000_000


def report(name="storage", error="OSError: refused", state=BreakerState.CLOSED, retry_seconds=0.0) -> BreakerReport:
    return BreakerReport(
        name=name,
        state=state,
        failures=1,
        total_failures=1,
        openings=0,
        error=error,
        retry_seconds=retry_seconds,
    )


def service(**settings) -> BreakerService:
    return BreakerService(now=lambda: NOW, **settings)


def test_a_workers_breaker_is_as_it_last_said():
    breakers, process, clock = service(), FakeProcess("trader-1", incarnation=3), VirtualClock()
    breaker = Breaker("storage", lambda said: breakers.on_report(process, said), clock=clock)
    for _ in range(5):
        breaker.failure(OSError("refused"))
    expected = BreakerStatus(
        slot="trader-1",
        incarnation=3,
        name="storage",
        state=BreakerState.OPEN,
        failures=5,
        total_failures=5,
        openings=1,
        retry_ts=NOW + 60_000_000_000,
    )
    assert breakers.statistics().breakers == (expected,)
    clock.advance(60)
    breaker.call(lambda: None)
    [status] = breakers.statistics().breakers
    assert (status.state, status.failures, status.retry_ts) == (BreakerState.CLOSED, 0, None)
    assert breakers.statistics().failures == 5


def test_breakers_are_told_apart_by_slot_and_name():
    breakers = service()
    for slot in ("trader-2", "trader-1"):
        for name in ("storage", "alerts"):
            breakers.on_report(FakeProcess(slot), report(name))
    assert [(status.slot, status.name) for status in breakers.statistics().breakers] == [
        ("trader-1", "alerts"),
        ("trader-1", "storage"),
        ("trader-2", "alerts"),
        ("trader-2", "storage"),
    ]


def test_the_newest_failures_are_kept_and_all_are_counted():
    breakers = service(most_recent=2)
    for number in range(5):
        breakers.on_report(FakeProcess("trader-1"), report(error=f"OSError: {number}"))
    breakers.on_report(FakeProcess("trader-1"), report(error="", state=BreakerState.HALF_OPEN))
    statistics = breakers.statistics()
    assert statistics.failures == 5
    assert statistics.recent == (
        BreakerFailure(ts=NOW, slot="trader-1", name="storage", error="OSError: 3"),
        BreakerFailure(ts=NOW, slot="trader-1", name="storage", error="OSError: 4"),
    )


def test_a_predecessor_does_not_hide_its_successor():
    breakers = service()
    breakers.on_report(FakeProcess("trader-1", incarnation=2), report(state=BreakerState.CLOSED))
    breakers.on_report(FakeProcess("trader-1", incarnation=1), report(state=BreakerState.OPEN, retry_seconds=9))
    [status] = breakers.statistics().breakers
    assert (status.incarnation, status.state) == (2, BreakerState.CLOSED)
    assert breakers.statistics().failures == 2


def test_a_dead_workers_breakers_are_forgotten_and_its_failures_are_not():
    breakers = service()
    old, new = FakeProcess("trader-1", incarnation=1), FakeProcess("trader-1", incarnation=2)
    breakers.on_report(old, report("storage"))
    breakers.on_report(new, report("alerts"))
    breakers.on_report(FakeProcess("trader-2", incarnation=1), report("storage"))
    breakers.worker_gone(old)
    statistics = breakers.statistics()
    assert [(status.slot, status.name) for status in statistics.breakers] == [
        ("trader-1", "alerts"),
        ("trader-2", "storage"),
    ]
    assert (statistics.failures, len(statistics.recent)) == (3, 3)


def test_breakers_are_bounded_and_what_is_left_out_is_counted():
    breakers = service(most_breakers=2)
    for name in ("a", "b", "c", "a"):
        breakers.on_report(FakeProcess(), report(name))
    statistics = breakers.statistics()
    assert [status.name for status in statistics.breakers] == ["a", "b"]
    assert (statistics.left_out, statistics.failures) == (1, 4)
