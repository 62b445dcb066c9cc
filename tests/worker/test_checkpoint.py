import os
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tickfloor.contracts.errors import CheckpointError
from tickfloor.worker import checkpoint
from tickfloor.worker.checkpoint import Checkpoint


@pytest.fixture
def fd():
    descriptor = checkpoint.create("trader-1")
    yield descriptor
    os.close(descriptor)


class KilledError(Exception):
    """What a SIGKILL between two writes looks like from inside."""


class Mortal:
    """``os.pwrite`` that lives for so many calls; in between it may take less than it was given."""

    def __init__(self, lives: int, most: int) -> None:
        self._write = os.pwrite
        self.lives = lives
        self._most = most

    def __call__(self, fd, data, offset):
        if self.lives == 0:
            raise KilledError
        self.lives -= 1
        # A header is 32 bytes within a page: the kernel copies it whole.
        return self._write(fd, data[: max(self._most, 32)], offset)


states = st.binary(max_size=5_000)


@settings(max_examples=200)
@given(st.lists(st.tuples(states, st.integers(0, 12) | st.none()), max_size=12), st.integers(32, 4_000))
def test_whoever_is_killed_while_writing_leaves_the_old_state_or_the_new_one(writes, most):
    fd = checkpoint.create("trader-1")
    try:
        worker, current = Checkpoint(fd), None
        for state, lives in writes:
            with pytest.MonkeyPatch.context() as patch:
                mortal = Mortal(-1 if lives is None else lives, most)
                patch.setattr(os, "pwrite", mortal)
                try:
                    worker.write(state)
                    current = state
                except KilledError:
                    worker = Checkpoint(fd)
            assert Checkpoint(fd).read() in (current, state)
            current = Checkpoint(fd).read()
    finally:
        os.close(fd)


def test_there_is_none_before_the_first(fd):
    assert Checkpoint(fd).read() is None


def test_an_empty_state_is_a_state(fd):
    Checkpoint(fd).write(b"")
    assert Checkpoint(fd).read() == b""


def test_a_successor_reads_and_goes_on_writing(fd):
    for number in range(1, 20):
        worker = Checkpoint(fd)
        assert worker.read() == (None if number == 1 else b"%d" % (number - 1))
        worker.write(b"%d" % number)


def test_a_state_may_grow_beyond_its_region_and_shrink_again(fd):
    worker = Checkpoint(fd)
    for size in (10, 100_000, 3, 1_000_000, 999_999, 0, 2_000_000):
        state = os.urandom(size)
        worker.write(state)
        assert Checkpoint(fd).read() == state


def test_memory_stays_bounded_over_a_thousand_incarnations_whose_states_grow(fd):
    for number in range(1_000):
        worker = Checkpoint(fd)
        for _ in range(number % 3 + 1):
            worker.write(bytes(100_000 + 10 * number))
    assert os.fstat(fd).st_blocks * 512 < 10 * 110_000


def test_a_damaged_checkpoint_is_refused(fd):
    Checkpoint(fd).write(b"a state of some length")
    os.pwrite(fd, b"X", 4096 + 3)
    with pytest.raises(CheckpointError, match="checkpoint 1 of 22 bytes is damaged"):
        Checkpoint(fd).read()


def test_a_header_that_points_beyond_the_file_is_refused(fd):
    os.pwrite(fd, checkpoint._HEADER.pack(3, 1 << 40, 100, zlib.crc32(b"")), 0)
    with pytest.raises(CheckpointError, match="damaged"):
        Checkpoint(fd).read()


def test_a_host_without_memory_keeps_the_checkpoint_before(fd, monkeypatch):
    worker = Checkpoint(fd)
    worker.write(b"before")

    def no_memory(fd, offset, length):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", no_memory)
        with pytest.raises(CheckpointError, match="1,000,000 bytes: No space left"):
            worker.write(bytes(1_000_000))
    assert Checkpoint(fd).read() == b"before"
    worker.write(b"after")
    assert Checkpoint(fd).read() == b"after"
