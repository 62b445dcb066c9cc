import os
import time
from collections.abc import Iterator

import pytest

from tests.board.conftest import Tape, append
from tickfloor.board.tape_reader import TapeReader
from tickfloor.board.waiting import Doorbell, Spin, Timer

LONG = 30.0
"""Seconds that no wait here takes unless something is broken."""


@pytest.fixture
def bell() -> Iterator[int]:
    bell = os.eventfd(0, os.EFD_NONBLOCK)
    yield bell
    os.close(bell)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def rung(bell: int) -> bool:
    try:
        return os.eventfd_read(bell) > 0
    except BlockingIOError:
        return False


class TestHandshake:
    def test_a_sleeper_is_rung_once_however_often_is_published(self, backend: str, tape: Tape, bell: int) -> None:
        writer, reader = tape.writer(doorbells={0: bell}), tape.reader()
        assert reader.announce_sleep()
        for _ in range(3):
            append(writer)
            writer.publish()
        assert os.eventfd_read(bell) == 1
        assert writer.rings == 1

    def test_nobody_sleeps_over_a_record_that_is_there(self, backend: str, tape: Tape, bell: int) -> None:
        writer, reader = tape.writer(doorbells={0: bell}), tape.reader()
        append(writer)
        writer.publish()
        assert not reader.announce_sleep()
        append(writer)
        writer.publish()
        assert writer.rings == 0

    def test_a_reader_that_is_awake_is_not_rung(self, tape: Tape, bell: int) -> None:
        writer, reader = tape.writer(doorbells={0: bell}), tape.reader()
        assert reader.announce_sleep()
        reader.announce_wake()
        append(writer)
        writer.publish()
        assert not rung(bell)

    def test_only_who_sleeps_is_rung(self, tape: Tape, bell: int) -> None:
        other_bell = os.eventfd(0, os.EFD_NONBLOCK)
        writer = tape.writer(doorbells={9: bell, 63: other_bell})
        tape.reader(9)
        assert tape.reader(63).announce_sleep()
        append(writer)
        writer.publish()
        assert rung(other_bell)
        assert not rung(bell)
        os.close(other_bell)

    def test_a_waiting_replay_has_rung_those_it_waits_for(self, tape: Tape, bell: int) -> None:
        from tickfloor.board.tape_reader import attach_reader

        reader = tape.reader()
        attach_reader(tape.readers_fd, 0)
        assert reader.announce_sleep()

        def answer() -> None:
            assert rung(bell)
            reader.read()
            reader.commit(reader.position)

        writer = tape.writer(doorbells={0: bell}, wait=True, while_waiting=answer)
        append(writer, 300)
        assert writer.waits == 1


class TestDoorbell:
    def test_it_returns_at_once_when_there_is_something_to_read(self, tape: Tape, bell: int) -> None:
        writer, reader = tape.writer(doorbells={0: bell}), tape.reader()
        append(writer)
        writer.publish()
        Doorbell(bell, ()).wait(reader, LONG)
        assert reader.read()

    def test_a_publication_wakes_it(self, tape: Tape, bell: int) -> None:
        reader = tape.reader()
        child = os.fork()
        if child == 0:
            writer = tape.writer(doorbells={0: bell})
            append(writer)
            writer.publish()
            os._exit(0)
        doorbell = Doorbell(bell, ())
        while not reader.head():
            doorbell.wait(reader, LONG)
        os.waitpid(child, 0)
        assert len(reader.read()) == 64

    def test_a_command_wakes_it(self, tape: Tape, bell: int, pipe: tuple[int, int]) -> None:
        reader, writer = tape.reader(), tape.writer(doorbells={0: bell})
        os.write(pipe[1], b"!")
        Doorbell(bell, [pipe[0]]).wait(reader, LONG)
        append(writer)
        writer.publish()
        assert writer.rings == 0, "the request to be rung was taken back"

    def test_it_gives_up_after_the_timeout(self, tape: Tape, bell: int) -> None:
        before = time.monotonic()
        Doorbell(bell, ()).wait(tape.reader(), 0.01)
        assert time.monotonic() - before >= 0.01

    def test_a_ring_is_used_up_by_one_wake(self, tape: Tape, bell: int) -> None:
        reader = tape.reader()
        os.eventfd_write(bell, 3)
        Doorbell(bell, ()).wait(reader, LONG)
        assert not rung(bell)


class TestTimer:
    def test_it_waits_one_period_whatever_is_published(self, tape: Tape) -> None:
        writer, reader = tape.writer(), tape.reader()
        append(writer)
        writer.publish()
        before = time.monotonic()
        Timer(0.01, ()).wait(reader, LONG)
        assert time.monotonic() - before >= 0.01

    def test_a_command_cuts_it_short(self, tape: Tape, pipe: tuple[int, int]) -> None:
        os.write(pipe[1], b"!")
        before = time.monotonic()
        Timer(LONG, [pipe[0]]).wait(tape.reader(), LONG)
        assert time.monotonic() - before < LONG

    def test_so_does_a_shorter_timeout(self, tape: Tape) -> None:
        before = time.monotonic()
        Timer(LONG, ()).wait(tape.reader(), 0.001)
        assert time.monotonic() - before < LONG


class Asked:
    """A strategy that notes that it was asked."""

    def __init__(self) -> None:
        self.timeouts: list[float] = []

    def wait(self, reader: TapeReader, timeout: float) -> None:
        self.timeouts.append(timeout)


class TestSpin:
    def test_it_sees_a_record_without_asking_anybody(self, tape: Tape) -> None:
        writer, reader, then = tape.writer(), tape.reader(), Asked()
        append(writer)
        writer.publish()
        Spin(LONG, then).wait(reader, LONG)
        assert then.timeouts == []

    def test_after_its_time_it_waits_as_the_other_strategy(self, tape: Tape) -> None:
        then = Asked()
        Spin(0.001, then).wait(tape.reader(), 0.5)
        assert then.timeouts == [0.5]
