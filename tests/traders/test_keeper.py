"""When a trader worker's state is saved."""

import os

import pytest

from tickfloor.contracts.signals import Signal
from tickfloor.traders.keeper import StateKeeper, read_saved
from tickfloor.worker import checkpoint
from tickfloor.worker.checkpoint import Checkpoint

SIGNAL = Signal(
    id="id",
    source="s",
    trader="t",
    revision=1,
    instrument="binance:BTCUSDT",
    tape="tape",
    tape_sequence=7,
    ts_event=1,
    values={"close": 1.0},
)


class FakeTape:
    capacity = 8000

    def __init__(self):
        self.position = 0
        self.held = 0

    def commit(self, hold):
        self.held = hold


class Clock:
    """Stands still but for what a save takes."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Keeping:
    def __init__(self, save_seconds=0.0):
        self.fd = checkpoint.create("slot")
        self.tape = FakeTape()
        self.clock = Clock()
        self.save_seconds = save_seconds
        self.keeper = StateKeeper(Checkpoint(self.fd), self.tape, self.state, self.clock)

    def state(self):
        self.clock.now += self.save_seconds
        return (b"rules" * self.tape.position, b"", b"strategies"), (SIGNAL,)

    def after(self, seconds, *, idle, records=1):
        """Return whether it saves."""
        self.clock.now += seconds
        self.tape.position += records
        taken = self.keeper.taken
        self.keeper.save_if_due(idle=idle)
        return self.keeper.taken > taken


@pytest.fixture
def keeping():
    made = []

    def make(**how):
        made.append(Keeping(**how))
        return made[-1]

    yield make
    for each in made:
        os.close(each.fd)


def test_what_is_saved_is_read_again_piece_by_piece(keeping):
    made = keeping()
    assert read_saved(Checkpoint(made.fd)) is None
    made.tape.position = 3
    made.keeper.save()
    saved = read_saved(Checkpoint(made.fd))
    assert saved.position == made.tape.held == 3
    assert saved.traders == [b"rules" * 3, b"", b"strategies"]
    assert saved.unstored == (SIGNAL,)
    assert made.keeper.size == len(Checkpoint(made.fd).read())


def test_it_is_saved_four_times_a_second_and_sooner_when_there_is_nothing_to_read(keeping):
    made = keeping()
    made.after(1.0, idle=False)
    assert not made.after(0.24, idle=False)
    assert made.after(0.02, idle=False)
    assert not made.after(0.01, idle=True)
    assert made.after(0.011, idle=True)
    assert not made.after(1.0, idle=False, records=0)


def test_it_is_saved_sooner_when_an_eighth_of_the_tape_has_been_read(keeping):
    made = keeping()
    made.after(1.0, idle=False)
    assert not made.after(0.0, idle=False, records=999)
    assert made.after(0.0, idle=False, records=1)


def test_what_takes_long_is_not_saved_sooner_than_it_is_worth(keeping):
    made = keeping(save_seconds=0.002)
    made.after(1.0, idle=True)
    assert made.keeper.due_in() == 0.25  # nothing to save
    made.tape.position += 1
    assert made.keeper.due_in() == pytest.approx(0.1)
    assert not made.after(0.099, idle=True)
    assert made.after(0.002, idle=True)


def test_saving_never_waits_longer_because_there_is_nothing_to_read(keeping):
    made = keeping(save_seconds=1.0)
    made.after(1.0, idle=True)
    assert made.after(0.2501, idle=True)


def test_a_frozen_state_stays(keeping):
    made = keeping()
    made.keeper.frozen = True
    assert not made.after(1.0, idle=True)
    assert not made.keeper.behind
    assert made.keeper.due_in() == 0.25
