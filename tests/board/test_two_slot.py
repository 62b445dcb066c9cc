import mmap
import struct
from collections.abc import Iterator

import pytest

from tickfloor.board import fences
from tickfloor.board.two_slot import TwoSlotReader, TwoSlotWriter, size_of

SLOT = struct.Struct("<Q20d")


@pytest.fixture
def mapping() -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, 4096) as mapping:
        yield mapping


def halves(mapping: mmap.mmap, offset: int) -> tuple[TwoSlotWriter, TwoSlotReader, fences.SharedWords, memoryview]:
    words, view = fences.Words(mapping), memoryview(mapping).cast("Q")
    return TwoSlotWriter(words, mapping, offset, SLOT), TwoSlotReader(view, mapping, offset, SLOT), words, view


def test_nothing_is_read_before_the_first_publication(backend: str, mapping: mmap.mmap) -> None:
    writer, reader, words, view = halves(mapping, 64)
    assert reader.read() is None
    assert reader.version() == 0
    assert writer.current() is None
    words.close()
    view.release()


def test_the_newest_publication_is_read_with_its_version(backend: str, mapping: mmap.mmap) -> None:
    writer, reader, words, view = halves(mapping, 64)
    for number in range(1, 6):
        values = (number, *[float(number)] * 20)
        writer.write(*values)
        assert reader.read() == (number, values)
        assert reader.version() == number
        assert writer.current() == values
    assert reader.retries == 0
    words.close()
    view.release()


def test_a_copy_is_thrown_away_when_the_writer_published_meanwhile(mapping: mmap.mmap) -> None:
    writer, _, words, view = halves(mapping, 64)
    writer.write(1, *[1.0] * 20)

    class Interrupting:
        """Words during whose first reading the writer publishes twice, so that the slot being copied changes."""

        looks = 0

        def __getitem__(self, index: int) -> int:
            self.looks += 1
            if self.looks == 2:
                writer.write(2, *[2.0] * 20)
                writer.write(3, *[3.0] * 20)
            return view[index]

    reader = TwoSlotReader(Interrupting(), mapping, 64, SLOT)
    assert reader.read() == (3, (3, *[3.0] * 20))
    assert reader.retries == 1
    words.close()
    view.release()


def test_records_side_by_side_do_not_touch(mapping: mmap.mmap) -> None:
    first, reader, words, view = halves(mapping, 64)
    second = TwoSlotWriter(words, mapping, 64 + size_of(SLOT), SLOT)
    for number in range(4):
        first.write(1, *[1.0] * 20)
        second.write(number, *[9.0] * 20)
        assert reader.read() == (number + 1, (1, *[1.0] * 20))
    words.close()
    view.release()
