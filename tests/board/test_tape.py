import os
import struct
from collections.abc import Callable

import pytest

from tests.board.conftest import RUN_ID, Tape, append, block, sequences
from tickfloor.board.tape_layout import CURSOR, HOLD, MAX_READERS, reader_offset
from tickfloor.board.tape_reader import TapeReader, attach_reader
from tickfloor.board.tape_writer import TapeWriter
from tickfloor.contracts.errors import LayoutMismatchError, TapeOverrunError
from tickfloor.contracts.records import RECORD


def read_all(reader: TapeReader) -> list[int]:
    found: list[int] = []
    while copy := reader.read():
        found += sequences(copy)
    return found


def test_records_are_read_in_the_order_they_were_appended(backend: str, tape: Tape) -> None:
    writer, reader = tape.writer(), tape.reader()
    writer.append(11, 12, 13, 14, 15, 16, 1.0, 2.0, 3.0, 4.0)
    writer.append(21, 22, 23, 24, 25, 26, 5.0, 6.0, 7.0, 8.0)
    writer.publish()
    assert list(RECORD.iter_unpack(reader.read())) == [
        (0, 11, 12, 13, 14, 15, 16, 1.0, 2.0, 3.0, 4.0),
        (1, 21, 22, 23, 24, 25, 26, 5.0, 6.0, 7.0, 8.0),
    ]
    assert reader.read() == b""


def test_what_is_not_published_is_not_seen(tape: Tape) -> None:
    writer, reader = tape.writer(), tape.reader()
    append(writer, 3)
    assert reader.head() == 0
    assert reader.read() == b""
    writer.publish()
    assert reader.head() == 3


def test_publishing_nothing_changes_nothing(tape: Tape) -> None:
    writer, reader = tape.writer(), tape.reader()
    writer.publish()
    append(writer)
    writer.publish()
    writer.publish()
    assert reader.head() == 1


def test_every_reader_has_its_own_place(tape: Tape) -> None:
    writer, one, other = tape.writer(), tape.reader(0), tape.reader(1)
    append(writer, 10)
    writer.publish()
    assert sequences(one.read(4)) == [0, 1, 2, 3]
    assert sequences(other.read()) == list(range(10))
    assert sequences(one.read()) == [4, 5, 6, 7, 8, 9]


def test_a_batch_ends_at_the_rings_end(tape: Tape) -> None:
    writer, reader = tape.writer(), tape.reader()
    append(writer, 200)
    writer.publish()
    assert len(read_all(reader)) == 200
    append(writer, 100)
    writer.publish()
    assert sequences(reader.read()) == list(range(200, 256))
    assert sequences(reader.read()) == list(range(256, 300))


def test_blocks_and_single_records_mix(tape: Tape) -> None:
    writer, reader = tape.writer(), tape.reader()
    found: list[int] = []
    for count in (1, 64, 7, 64, 64, 3, 64, 64, 64):
        if count < 10:
            append(writer, count)
        else:
            writer.append_block(memoryview(block(writer.sequence, count)))
        writer.publish()
        found += read_all(reader)
    assert found == list(range(395))


@pytest.mark.parametrize("size", [0, 1, 63, 65, 65 * 64])
def test_a_block_of_another_size_is_refused(tape: Tape, size: int) -> None:
    writer = tape.writer()
    with pytest.raises(ValueError, match="1 to 64 records of 64 bytes"):
        writer.append_block(bytes(size))
    assert writer.sequence == 0


def test_a_failed_append_leaves_no_hole(tape: Tape) -> None:
    writer, reader = tape.writer(), tape.reader()
    append(writer)
    with pytest.raises(struct.error, match="not a float"):
        writer.append(1, 2, 3, 1, 0, 0, "price", 0.0, 0.0, 0.0)
    append(writer)
    writer.publish()
    assert read_all(reader) == [0, 1]


class TestOverrun:
    def test_it_is_typed_and_counted_and_can_be_resumed_from(self, backend: str, tape: Tape) -> None:
        writer, reader = tape.writer(), tape.reader()
        append(writer, 10)
        writer.publish()
        assert len(read_all(reader)) == 10
        append(writer, 400)
        writer.publish()
        with pytest.raises(TapeOverrunError, match="records 10 to 409 were overwritten") as caught:
            reader.read()
        assert (caught.value.first_lost, caught.value.resume_at) == (10, 410)
        assert (reader.overruns, reader.lost, reader.position) == (1, 400, 10)
        reader.resume(caught.value.resume_at)
        append(writer, 5)
        writer.publish()
        assert read_all(reader) == [410, 411, 412, 413, 414]

    def test_a_reader_not_quite_a_ring_behind_loses_nothing(self, tape: Tape) -> None:
        writer, reader = tape.writer(), tape.reader()
        append(writer, 256)
        writer.publish()
        assert read_all(reader) == list(range(256))

    def test_a_claim_alone_fences_the_records_that_may_be_half_overwritten(self, tape: Tape) -> None:
        writer, reader = tape.writer(), tape.reader()
        append(writer, 256)
        writer.publish()
        append(writer)
        with pytest.raises(TapeOverrunError) as caught:
            reader.read()
        assert caught.value.resume_at == 256
        reader.resume(64)
        assert sequences(reader.read()) == list(range(64, 256))

    def test_what_a_dead_writer_had_begun_to_overwrite_stays_fenced(self, tape: Tape) -> None:
        dead, reader = tape.writer(1), tape.reader()
        append(dead, 256)
        dead.publish()
        append(dead, 200)
        successor = tape.writer(2)
        successor.sequence = successor.resumed_at
        append(successor)
        successor.publish()
        for position in range(200):
            reader.resume(position)
            with pytest.raises(TapeOverrunError):
                reader.read()
        reader.resume(256)
        assert read_all(reader) == [256]


class TestSuccession:
    def test_a_resumed_writer_goes_on_at_the_head_and_drops_what_is_there(self, backend: str, tape: Tape) -> None:
        first, reader = tape.writer(1), tape.reader()
        append(first, 100)
        first.publish()
        append(first, 30)
        second = tape.writer(2)
        assert (second.sequence, second.resumed_at) == (0, 100)
        append(second, 99)
        second.publish()
        assert reader.head() == 100
        append(second, 51)
        second.publish()
        assert read_all(reader) == list(range(150))

    def test_blocks_wait_until_a_resumed_writer_has_caught_up(self, tape: Tape) -> None:
        first, reader = tape.writer(1), tape.reader()
        append(first, 100)
        first.publish()
        second = tape.writer(2)
        for _ in range(2):
            with pytest.raises(ValueError, match="until it has caught up"):
                second.append_block(block(second.sequence, 64))
            append(second, 50)
        second.append_block(block(100, 64))
        second.publish()
        assert read_all(reader) == list(range(164))

    def test_an_older_writer_is_refused(self, tape: Tape) -> None:
        tape.writer(2)
        with pytest.raises(LayoutMismatchError, match="writer 1 is fenced"):
            tape.writer(1)

    def test_a_writer_that_is_refused_does_not_own_the_tape(self, make_tape: Callable[..., Tape]) -> None:
        one, other = make_tape(), make_tape()
        with pytest.raises(LayoutMismatchError):
            TapeWriter(one.fd, one.fd, run_id=RUN_ID, incarnation=1, doorbells={})
        one.writer(1)
        other.writer(1)

    def test_another_runs_tape_is_refused(self, tape: Tape) -> None:
        with pytest.raises(LayoutMismatchError, match="run"):
            TapeReader(tape.eyes, tape.readers_fd, run_id=RUN_ID + 1, index=0)

    def test_a_successor_rings_everybody_once(self, tape: Tape) -> None:
        """The writer before may have died between clearing a request and ringing."""
        bell = os.eventfd(0, os.EFD_NONBLOCK)
        first = tape.writer(1, doorbells={0: bell})
        append(first)
        first.publish()
        with pytest.raises(BlockingIOError):
            os.eventfd_read(bell)
        tape.writer(2, doorbells={0: bell})
        assert os.eventfd_read(bell) == 1
        os.close(bell)


class TestReplay:
    def test_the_writer_waits_for_the_slowest_attached_reader(self, backend: str, tape: Tape) -> None:
        fast, slow = tape.reader(3), tape.reader(5)
        read: dict[int, list[int]] = {3: [], 5: []}
        seen: list[int] = []

        def let_readers_read() -> None:
            seen.append(fast.head())
            read[3] += sequences(fast.read(1000))
            fast.commit(fast.position)
            read[5] += sequences(slow.read(40))
            slow.commit(slow.position)

        attach_reader(tape.readers_fd, 3)
        attach_reader(tape.readers_fd, 5)
        writer = tape.writer(wait=True, while_waiting=let_readers_read)
        append(writer, 2000)
        writer.publish()
        read[3] += read_all(fast)
        read[5] += read_all(slow)
        assert read == {3: list(range(2000)), 5: list(range(2000))}
        assert writer.waits == len(seen) > 0
        assert seen[0] == 256, "all that was appended is published before the writer waits"

    def test_what_a_reader_holds_is_never_overwritten(self, tape: Tape) -> None:
        reader = tape.reader()
        attach_reader(tape.readers_fd, 0)

        def read_and_hold() -> None:
            reader.read(50)
            hold = max(0, reader.position - 100)
            at = reader.position
            reader.resume(hold)
            assert sequences(reader.read(1))[0] == hold
            reader.resume(at)
            reader.commit(hold)

        writer = tape.writer(wait=True, while_waiting=read_and_hold)
        append(writer, 3000)
        assert writer.waits > 10

    def test_a_reader_attached_later_is_waited_for_too(self, make_tape: Callable[..., Tape]) -> None:
        tape = make_tape(512)
        first, late = tape.reader(0), tape.reader(1)

        class HeldError(Exception):
            pass

        def hold() -> None:
            raise HeldError

        attach_reader(tape.readers_fd, 0)
        writer = tape.writer(wait=True, while_waiting=hold)
        append(writer, 300)
        writer.publish()
        first.resume(300)
        first.commit(300)
        append(writer, 200)
        attach_reader(tape.readers_fd, 1)
        with pytest.raises(HeldError):
            append(writer, 300)
        assert writer.sequence == 512
        assert read_all(late) == list(range(512))

    def test_nobody_attached_is_nobody_to_wait_for(self, tape: Tape) -> None:
        writer = tape.writer(wait=True)
        append(writer, 5000)
        assert writer.waits == 0

    def test_a_wait_that_is_given_up_loses_nothing(self, tape: Tape) -> None:
        class StoppedError(Exception):
            pass

        def stop() -> None:
            raise StoppedError

        attach_reader(tape.readers_fd, 0)
        writer, reader = tape.writer(wait=True, while_waiting=stop), tape.reader(0)
        with pytest.raises(StoppedError):
            append(writer, 300)
        assert writer.sequence == 256
        assert read_all(reader) == list(range(256))
        reader.commit(256)
        append(writer, 10)
        writer.publish()
        assert read_all(reader) == list(range(256, 266))

    def test_live_the_writer_never_waits(self, tape: Tape) -> None:
        attach_reader(tape.readers_fd, 0)
        writer = tape.writer()
        append(writer, 5000)
        assert writer.waits == 0


def test_a_reader_commits_its_cursor_and_its_hold(backend: str, tape: Tape) -> None:
    writer, reader = tape.writer(), tape.reader(2)
    append(writer, 9)
    writer.publish()
    reader.read()
    reader.commit(4)
    at = reader_offset(2)
    assert int.from_bytes(os.pread(tape.readers_fd, 8, at + CURSOR), "little") == 9
    assert int.from_bytes(os.pread(tape.readers_fd, 8, at + HOLD), "little") == 4


@pytest.mark.parametrize("index", [-1, MAX_READERS])
def test_a_reader_without_a_line_is_refused(tape: Tape, index: int) -> None:
    with pytest.raises(ValueError, match="readers 0 to 63"):
        TapeReader(tape.eyes, tape.readers_fd, run_id=RUN_ID, index=index)
    with pytest.raises(ValueError, match="readers 0 to 63"):
        tape.writer(doorbells={index: 0})


class TestPublicationStamps:
    def test_a_group_has_the_time_of_its_last_publication(self, tape: Tape) -> None:
        writer, reader = tape.writer(), tape.reader()
        append(writer, 10)
        writer.publish()
        first = reader.published_at(9)
        append(writer, 10)
        writer.publish()
        assert reader.published_at(0) == reader.published_at(19) > first > 0

    def test_a_publication_over_several_groups_stamps_them_all(self, tape: Tape) -> None:
        writer, reader = tape.writer(), tape.reader()
        append(writer, 70)
        writer.publish()
        before = reader.published_at(0)
        append(writer, 150)
        writer.publish()
        stamps = [reader.published_at(sequence) for sequence in (64, 128, 192)]
        assert min(stamps) > before
        assert reader.published_at(0) == before

    def test_stamps_go_round_with_the_ring_and_over_successions(self, tape: Tape) -> None:
        reader = tape.reader()
        before = 0
        for incarnation in (1, 2, 3):
            writer = tape.writer(incarnation)
            writer.sequence = writer.resumed_at
            for _ in range(9):
                append(writer, 37)
                writer.publish()
                stamp = reader.published_at(writer.sequence - 1)
                assert stamp > before
                before = stamp
