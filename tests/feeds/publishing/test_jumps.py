"""A counter that jumps far is believed when it goes on from there, and only then."""

import contextlib

from tests.feeds.feed import Feed
from tests.feeds.frames import START_MS, trade
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.jumps import JumpGuard

MS = 1_000_000
NOWHERE = 5 * 10**12


def test_two_values_from_nowhere_are_no_proof_of_each_other_once_the_expected_ones_have_gone_on():
    guard = JumpGuard(10)
    assert not guard.believes(100, 5_000)
    assert not guard.believes(101, 5_001)
    assert guard.believes(101, 5_002)


def test_a_jump_that_was_believed_is_no_proof_of_the_next_one():
    guard = JumpGuard(10)
    assert not guard.believes(100, 5_000)
    assert guard.believes(100, 5_001)
    assert not guard.believes(100, 5_002)


def test_an_id_from_nowhere_is_not_believed_because_of_another_one_long_ago():
    feed = Feed()
    feed.send(START_MS * MS, trade(1, START_MS, 40.0, 1.0))
    for number in range(2, 1_000):
        recv_ns = (START_MS + number) * MS
        if number in (3, 900):
            with contextlib.suppress(FrameError):
                feed.send(recv_ns, trade(NOWHERE + number, START_MS + number, 40.0, 1.0))
        feed.send(recv_ns, trade(number, START_MS + number, 40.0, 1.0))
    writer = feed.publisher.known("BTCUSDT")
    assert (writer.trades, writer.id_gaps) == (999, 0)
