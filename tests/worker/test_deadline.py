import math

import pytest

from tests.worker.clocks import VirtualClock
from tickfloor.worker.deadline import Deadline


def test_it_does_not_run_until_it_is_started():
    clock = VirtualClock()
    deadline = Deadline(1.0, clock)
    clock.advance(10)
    assert (deadline.passed, deadline.due_in()) == (False, math.inf)


def test_it_passes_after_its_time_and_stays_passed_until_it_is_stopped():
    clock = VirtualClock()
    deadline = Deadline(1.0, clock)
    deadline.start()
    clock.advance(0.75)
    assert (deadline.passed, deadline.due_in()) == (False, 0.25)
    clock.advance(0.25)
    assert (deadline.passed, deadline.due_in()) == (True, 0.0)
    clock.advance(5)
    assert (deadline.passed, deadline.due_in()) == (True, 0.0)
    deadline.stop()
    assert (deadline.passed, deadline.due_in()) == (False, math.inf)


def test_starting_it_again_does_not_put_it_off():
    clock = VirtualClock()
    deadline = Deadline(1.0, clock)
    deadline.start()
    clock.advance(0.75)
    deadline.start()
    assert deadline.due_in() == 0.25


@pytest.mark.parametrize("seconds", [0, -1, math.inf, math.nan])
def test_a_time_that_makes_no_sense_is_refused(seconds):
    with pytest.raises(ValueError, match="must be a positive number"):
        Deadline(seconds, VirtualClock())
