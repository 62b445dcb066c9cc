"""What the tests of shared memory start from."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tickfloor.board import fences
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.segment import read_only
from tickfloor.board.tape_reader import TapeReader
from tickfloor.board.tape_writer import TapeWriter, create_tape
from tickfloor.contracts.records import RECORD

RUN_ID = 7


@pytest.fixture(params=["atomicshm", "libatomic"])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """Both ways to the CPU's fences.

    That the fences fence cannot be seen on x86, whose own order hides all mistakes but those of a sleep and wake
    handshake; what is tested is that both backends do the same work.
    """
    before = fences.BACKEND
    fences.use(request.param)
    yield request.param
    fences.use(before)


def _open_descriptors() -> set[tuple[int, str]]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        # The descriptor that lists the directory is gone by now.
        with contextlib.suppress(FileNotFoundError):
            found.add((int(entry.name), str(entry.readlink())))
    return found


@pytest.fixture(autouse=True)
def no_descriptor_leaks() -> Iterator[None]:
    """A test closes what it opens; what tickfloor opens, tickfloor closes."""
    before = _open_descriptors()
    yield
    after = _open_descriptors()
    assert after <= before


class Tape:
    """A tape with its descriptors, which closes what was opened on it."""

    def __init__(self, capacity: int) -> None:
        self.fd, self.readers_fd = create_tape("test", capacity, RUN_ID)
        self.eyes = read_only(self.fd)
        self._opened: list[TapeWriter | TapeReader] = []

    def writer(
        self,
        incarnation: int = 1,
        *,
        doorbells: dict[int, int] | None = None,
        wait: bool = False,
        while_waiting: Callable[[], None] | None = None,
    ) -> TapeWriter:
        writer = TapeWriter(
            self.fd,
            self.readers_fd,
            run_id=RUN_ID,
            incarnation=incarnation,
            doorbells=doorbells or {},
            wait_for_readers=wait,
            while_waiting=while_waiting,
        )
        self._opened.append(writer)
        return writer

    def reader(self, index: int = 0) -> TapeReader:
        reader = TapeReader(self.eyes, self.readers_fd, run_id=RUN_ID, index=index)
        self._opened.append(reader)
        return reader

    def close(self) -> None:
        for half in self._opened:
            half.close()
        for fd in (self.fd, self.readers_fd, self.eyes):
            os.close(fd)


@pytest.fixture
def make_tape() -> Iterator[Callable[..., Tape]]:
    tapes: list[Tape] = []

    def make(capacity: int = 256) -> Tape:
        tapes.append(Tape(capacity))
        return tapes[-1]

    yield make
    for tape in tapes:
        tape.close()


@pytest.fixture
def tape(make_tape: Callable[..., Tape]) -> Tape:
    return make_tape()


def append(writer: TapeWriter, count: int = 1) -> None:
    """Append records whose price is their sequence."""
    for _ in range(count):
        writer.append(1, 2, 3, 1, 0, 0, float(writer.sequence), 0.0, 0.0, 0.0)


def block(first: int, count: int) -> bytes:
    """Return what :func:`append` would append, as a block."""
    return b"".join(RECORD.pack(n, 1, 2, 3, 1, 0, 0, float(n), 0.0, 0.0, 0.0) for n in range(first, first + count))


def sequences(copy: bytes) -> list[int]:
    """Return the sequences of a batch, once it is sure that every record is the one it says."""
    records = list(RECORD.iter_unpack(copy))
    assert all(record[7] == record[0] for record in records)
    return [record[0] for record in records]


class Board:
    """A board with its descriptors."""

    def __init__(self, capacity: int, depth: int) -> None:
        self.layout = BoardLayout(capacity, depth)
        self.fd = create_board("test", self.layout, RUN_ID)
        self.eyes = read_only(self.fd)

    def writer(self, incarnation: int = 1) -> BoardWriter:
        return BoardWriter(self.fd, run_id=RUN_ID, incarnation=incarnation)

    def close(self) -> None:
        os.close(self.fd)
        os.close(self.eyes)


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board(2, 8)
    yield board
    board.close()
