import mmap
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tickfloor.board import segment
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import create_board
from tickfloor.board.tape_layout import TapeLayout, capacity_of
from tickfloor.board.tape_writer import create_tape
from tickfloor.contracts.errors import LayoutMismatchError, OutOfMemoryError, SegmentError

MAGIC, VERSION, RUN_ID = 0xABC, 3, 42


@pytest.fixture
def fd() -> Iterator[int]:
    fd = segment.create("test", 8192)
    with segment.map_writable(fd) as mapping:
        segment.write_header(mapping, MAGIC, VERSION, RUN_ID)
    yield fd
    os.close(fd)


@pytest.fixture
def mapping(fd: int) -> Iterator[mmap.mmap]:
    with segment.map_writable(fd) as mapping:
        yield mapping


def test_a_segment_has_no_name_that_could_be_left_behind(fd: int) -> None:
    assert "(deleted)" in str(Path(f"/proc/self/fd/{fd}").readlink())


def test_a_segment_is_not_inherited_by_programs(fd: int) -> None:
    assert not os.get_inheritable(fd)
    eyes = segment.read_only(fd)
    assert not os.get_inheritable(eyes)
    os.close(eyes)


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        ((MAGIC + 1, VERSION, RUN_ID), "kind"),
        ((MAGIC, VERSION + 1, RUN_ID), "layout version"),
        ((MAGIC, VERSION, RUN_ID + 1), "run"),
    ],
)
def test_a_segment_of_another_kind_layout_or_run_is_refused(mapping: mmap.mmap, wanted, what: str) -> None:
    with pytest.raises(LayoutMismatchError, match=f"the segment's {what} is"):
        segment.check_header(mapping, *wanted)


def test_the_right_segment_is_accepted(mapping: mmap.mmap) -> None:
    segment.check_header(mapping, MAGIC, VERSION, RUN_ID)


def test_a_segment_without_room_for_a_header_is_refused() -> None:
    fd = segment.create("test", 16)
    with segment.map_read_only(fd) as mapping, pytest.raises(SegmentError, match="too small"):
        segment.check_header(mapping, MAGIC, VERSION, RUN_ID)
    os.close(fd)


def test_an_empty_segment_cannot_be_mapped() -> None:
    fd = segment.create("test", 0)
    with pytest.raises(SegmentError, match="empty"):
        segment.map_read_only(fd)
    os.close(fd)


def test_readers_descriptor_can_be_read_and_not_written(fd: int) -> None:
    eyes = segment.read_only(fd)
    with segment.map_read_only(eyes) as mapping:
        segment.check_header(mapping, MAGIC, VERSION, RUN_ID)
        with pytest.raises(TypeError):
            mapping[0] = 1
    with pytest.raises(PermissionError):
        segment.map_writable(eyes)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(eyes, b"x")
    os.close(eyes)


def test_a_later_writer_fences_an_earlier_one(mapping: mmap.mmap) -> None:
    segment.claim_writer(mapping, 2)
    with pytest.raises(LayoutMismatchError, match="writer 1 is fenced: writer 2 owns the segment"):
        segment.claim_writer(mapping, 1)
    with pytest.raises(LayoutMismatchError, match="writer 2 is fenced"):
        segment.claim_writer(mapping, 2)
    segment.claim_writer(mapping, 3)


def test_a_reader_may_check_the_header_while_a_writer_claims(fd: int, mapping: mmap.mmap) -> None:
    child = os.fork()
    if child == 0:
        for incarnation in range(1, 20_000):
            segment.claim_writer(mapping, incarnation)
        os._exit(0)
    with segment.map_read_only(fd) as seen:
        while not os.waitpid(child, os.WNOHANG)[0]:
            for _ in range(100):
                segment.check_header(seen, MAGIC, VERSION, RUN_ID)


@pytest.mark.parametrize("size", [1 << 63, 1 << 64, 1 << 80])
def test_an_impossible_size_is_out_of_memory(size: int) -> None:
    with pytest.raises(OutOfMemoryError, match="cannot make the huge segment"):
        segment.create("huge", size)


def test_more_than_the_host_has_is_refused_before_it_is_taken(fd: int) -> None:
    with pytest.raises(OutOfMemoryError, match=r"the test segment needs .* MiB .* make it smaller"):
        segment.reserve(fd, 0, 1 << 50, "test")
    assert os.fstat(fd).st_blocks * 512 <= 8192


def test_a_tape_that_does_not_fit_leaves_nothing() -> None:
    with pytest.raises(OutOfMemoryError, match="tape"):
        create_tape("huge", 1 << 40, 1)


def test_a_board_that_does_not_fit_leaves_nothing() -> None:
    with pytest.raises(OutOfMemoryError, match="board"):
        create_board("huge", BoardLayout(1 << 33, 500), 1)


def test_bars_take_no_memory_before_their_instrument_is_there() -> None:
    fd = create_board("test", BoardLayout(10_000, 500), 1)
    assert os.fstat(fd).st_size > 1 << 30
    assert os.fstat(fd).st_blocks * 512 < 64 << 20
    os.close(fd)


def _limited(limit: str, size: int) -> str:
    """Return what making a tape says in a process with a limit; the limit cannot be taken back."""
    code = (
        "import os, resource\n"
        "from tickfloor.board.tape_writer import create_tape\n"
        "from tickfloor.contracts.errors import OutOfMemoryError\n"
        "before = len(os.listdir('/proc/self/fd'))\n"
        f"resource.setrlimit(resource.{limit}, ({size}, {size}))\n"
        "try:\n    create_tape('limited', 1 << 21, 1)\n"
        "except OutOfMemoryError as error:\n    print(error)\n"
        "print(len(os.listdir('/proc/self/fd')) - before, 'left open')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_limit_on_file_sizes_is_out_of_memory() -> None:
    assert hasattr(resource, "RLIMIT_FSIZE")
    said = _limited("RLIMIT_FSIZE", 1 << 20)
    assert "cannot make the limited-tape segment" in said
    assert "0 left open" in said


def test_a_limit_on_address_space_is_out_of_memory() -> None:
    said = _limited("RLIMIT_AS", 128 << 20)
    assert "no address space left" in said
    assert "0 left open" in said


@pytest.mark.parametrize("capacity", [0, 100, 128, 300, 1000])
def test_a_tape_is_a_power_of_two_of_at_least_256_records(capacity: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        TapeLayout(capacity)


def test_a_tapes_capacity_follows_from_its_size() -> None:
    for capacity in (256, 512, 4096, 1 << 20):
        assert capacity_of(TapeLayout(capacity).size) == capacity
    with pytest.raises(SegmentError, match="no tape has"):
        capacity_of(TapeLayout(512).size - 64)
