from tests.supervisor.fakes import FakeProcess
from tickfloor.contracts.telemetry import LimiterReport
from tickfloor.supervisor.services.limits import LimiterStatus, LimitService


def report(name="orders", allowed=3, refused=1) -> LimiterReport:
    return LimiterReport(name=name, allowed=allowed, refused=refused)


def test_what_was_allowed_and_refused_adds_up_over_reports_and_incarnations():
    limits = LimitService()
    limits.on_report(FakeProcess("gateway-1", incarnation=1), report())
    limits.on_report(FakeProcess("gateway-1", incarnation=2), report(allowed=10, refused=4))
    limits.on_report(FakeProcess("feed-1"), report("requests", 0, 7))
    assert limits.statistics().limiters == (
        LimiterStatus(slot="feed-1", name="requests", allowed=0, refused=7, reports=1),
        LimiterStatus(slot="gateway-1", name="orders", allowed=13, refused=5, reports=2),
    )


def test_limiters_are_bounded_and_what_is_left_out_is_counted():
    limits = LimitService(most_limiters=1)
    for name in ("a", "b", "a", "b"):
        limits.on_report(FakeProcess(), report(name))
    statistics = limits.statistics()
    assert [(limiter.name, limiter.reports) for limiter in statistics.limiters] == [("a", 2)]
    assert statistics.left_out == 2
