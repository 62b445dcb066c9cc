"""Statuses of workers that come and go: added up, and not kept."""

import gc

from tests.supervisor.fakes import FakeProcess
from tickfloor.contracts.events import TraderStatus
from tickfloor.supervisor.services.statuses import Statuses


def status(**said) -> TraderStatus:
    nothing = dict.fromkeys(
        ("position", "columns", "signals", "unstored", "overruns", "lost", "checkpoints", "checkpoint_bytes"), 0
    )
    return TraderStatus(**nothing | {"traders": 1, "latency": {}} | said)


def alive() -> int:
    gc.collect()
    return sum(isinstance(each, TraderStatus) for each in gc.get_objects())


def test_a_thousand_incarnations_are_added_up_and_not_kept():
    statuses, before = Statuses(), alive()
    for incarnation in range(1, 1001):
        for lost in (1, 2):
            statuses.on_trader(FakeProcess("trader-1", incarnation=incarnation), status(lost=lost, latency={7: lost}))
    assert statuses.missed() == 2000
    assert statuses.latency().counts == {7: 2000}
    assert alive() - before <= 2


def test_a_predecessor_that_is_handing_over_is_counted_once():
    statuses = Statuses()
    for incarnation, lost in ((1, 1), (2, 1), (1, 3), (3, 1), (1, 9), (2, 5)):
        statuses.on_trader(FakeProcess("trader-1", incarnation=incarnation), status(lost=lost))
    assert statuses.missed() == 3 + 5 + 1
