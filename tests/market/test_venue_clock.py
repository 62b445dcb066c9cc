"""The venue's time as seen from here."""

from tickfloor.market.venue_clock import WINDOW_NS, VenueClock

MS = 1_000_000


def test_nothing_is_known_before_the_first_pair():
    clock = VenueClock()
    assert (clock.ahead_ns, clock.now(5), clock.settled(5), clock.due(5)) == (None, None, None, None)


def test_the_largest_difference_counts_whatever_its_sign():
    behind, ahead = VenueClock(), VenueClock()
    for delay in (40, 18, 25):
        behind.observe(10_000 * MS, (10_000 - delay) * MS)
        ahead.observe(10_000 * MS, (10_000 + 1_273 - delay) * MS)
    assert behind.now(20_000 * MS) == (20_000 - 18) * MS
    assert ahead.now(20_000 * MS) == (20_000 + 1_255) * MS


def test_a_time_is_settled_when_the_grace_has_passed():
    clock = VenueClock(grace_ns=250 * MS)
    clock.observe(1_000 * MS, 900 * MS)
    due = clock.due(60_000 * MS)
    assert due == 60_350 * MS
    assert clock.settled(due) == 60_000 * MS


def test_differences_of_long_ago_are_forgotten():
    clock = VenueClock()
    clock.observe(0, 5_000 * MS)
    clock.observe(WINDOW_NS, WINDOW_NS - 10 * MS)
    assert clock.ahead_ns == 5_000 * MS
    clock.observe(2 * WINDOW_NS, 2 * WINDOW_NS - 20 * MS)
    assert clock.ahead_ns == -10 * MS
