"""Full jitter, doubling to half a minute, forgiven after a minute of stability."""

from tickfloor.feeds.live.backoff import Backoff


def test_the_bound_doubles_to_thirty_seconds_and_any_wait_up_to_it_is_possible():
    bounds = []

    def uniform(low: float, high: float) -> float:
        assert low == 0.0
        bounds.append(high)
        return high / 2

    backoff = Backoff(uniform=uniform)
    assert [backoff.seconds(1.0) for _ in range(10)] == [bound / 2 for bound in bounds]
    assert bounds == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_what_was_stable_for_a_minute_begins_anew():
    backoff = Backoff(uniform=lambda low, high: high)
    for _ in range(5):
        backoff.seconds(59.9)
    assert backoff.seconds(60.0) == 0.25
    assert backoff.seconds(0.0) == 0.5
