import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.clocks import VirtualClock
from tickfloor.contracts.ports import LimiterPort
from tickfloor.contracts.telemetry import LimiterReport
from tickfloor.worker.limiter import Limiter


class Limited:
    """A limiter of ten a second, three at once, and what it has said."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.said: list[LimiterReport] = []
        self.limiter = Limiter("orders", self.said.append, rate=10, burst=3, clock=self.clock)


def test_it_is_what_domain_code_asks_for():
    port: LimiterPort = Limited().limiter
    assert port.allows()


def test_a_burst_is_allowed_and_then_the_rate():
    limited = Limited()
    assert [limited.limiter.allows() for _ in range(5)] == [True, True, True, False, False]
    assert limited.limiter.wait_seconds() == 0.1
    limited.clock.advance(0.1)
    assert [limited.limiter.allows() for _ in range(2)] == [True, False]
    limited.clock.advance(60)
    assert [limited.limiter.allows() for _ in range(4)] == [True, True, True, False]


def test_what_costs_more_is_all_allowed_or_not_at_all():
    limited = Limited()
    assert limited.limiter.allows(2)
    assert not limited.limiter.allows(2)
    assert limited.limiter.allows(1)
    assert (limited.limiter.allowed, limited.limiter.refused) == (3, 2)


def test_who_is_never_refused_says_nothing():
    limited = Limited()
    limited.limiter.allows()
    limited.clock.advance(100)
    limited.limiter.flush_if_due()
    limited.limiter.flush()
    assert (limited.said, limited.limiter.due_in()) == ([], math.inf)


def test_a_storm_of_refusals_is_one_message_a_second():
    limited = Limited()
    for _ in range(2_000):
        limited.limiter.allows()
        limited.limiter.flush_if_due()
        limited.clock.advance(0.001)
    limited.limiter.flush()
    assert len(limited.said) == 2
    assert sum(report.refused for report in limited.said) == limited.limiter.refused == 1_978
    assert sum(report.allowed for report in limited.said) == limited.limiter.allowed == 22


def test_the_loop_is_told_how_long_it_may_sleep():
    limited = Limited()
    limited.limiter.allows(3)
    limited.limiter.allows()
    limited.clock.advance(0.75)
    assert limited.limiter.due_in() == 0.25
    limited.clock.advance(0.25)
    limited.limiter.flush_if_due()
    assert limited.said == [LimiterReport(name="orders", allowed=3, refused=1)]
    assert limited.limiter.due_in() == math.inf


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 600))))
def test_reports_add_up_to_what_was_asked(asked):
    limited = Limited()
    for cost, milliseconds in asked:
        limited.limiter.allows(cost)
        limited.clock.advance(milliseconds / 1000)
        limited.limiter.flush_if_due()
    limited.limiter.flush()
    assert sum(report.refused for report in limited.said) == limited.limiter.refused
    assert limited.limiter.allowed + limited.limiter.refused == sum(cost for cost, _ in asked)


def test_what_is_never_allowed_is_an_error_and_not_counted():
    limited = Limited()
    with pytest.raises(ValueError, match="from 1 to the burst, 3"):
        limited.limiter.allows(4)
    assert (limited.limiter.allowed, limited.limiter.refused, limited.limiter.due_in()) == (0, 0, math.inf)
