"""A writer may die between any two steps, even half-way through one: a reader always gets a whole state.

The writer under test is the real one. Its structs, its mapping and its words burn a fuse: when it is out, the step
at hand is done half and the writer is dead.
"""

import gc
import mmap
import os
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.board.conftest import RUN_ID
from tickfloor.board import board_reader, board_writer, fences
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.row import ROW_WORDS
from tickfloor.board.segment import read_only
from tickfloor.contracts.bars import BAR_WORDS, Bar
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval

DEPTH = 8
LAYOUT = BoardLayout(1, DEPTH)
BTC = Instrument(0, "binance", "BTCUSDT")


class DiedError(Exception):
    """The writer's process is gone."""


class Fuse:
    def __init__(self) -> None:
        self.steps: int | None = None
        self.share = 0.5

    def burnt(self) -> bool:
        if self.steps is None:
            return False
        self.steps -= 1
        return self.steps < 0


class FusedStruct(struct.Struct):
    fuse: Fuse

    def pack_into(self, buffer: Any, offset: int, *values: Any) -> None:
        packed = self.pack(*values)
        done = len(packed)
        dead = self.fuse.burnt()
        if dead:
            done = int(done * self.fuse.share)
        with memoryview(buffer) as view:
            view[offset : offset + done] = packed[:done]
        if dead:
            raise DiedError


class FusedMmap(mmap.mmap):
    fuse: Fuse

    def __setitem__(self, where: Any, value: Any) -> None:
        if self.fuse.burnt():
            half = int(len(value) * self.fuse.share)
            super().__setitem__(slice(where.start, where.start + half), value[:half])
            raise DiedError
        super().__setitem__(where, value)


class FusedWords:
    def __init__(self, words: fences.SharedWords, fuse: Fuse) -> None:
        self._words, self._fuse = words, fuse

    def word(self, offset: int) -> Any:
        real, fuse = self._words.word(offset), self._fuse

        class FusedWord:
            load = staticmethod(real.load)

            @staticmethod
            def store(value: int) -> None:
                if fuse.burnt():
                    raise DiedError
                real.store(value)

        return FusedWord()

    def close(self) -> None:
        self._words.close()


def fused_writer(fd: int, incarnation: int, fuse: Fuse) -> BoardWriter:
    """Return a writer all of whose writing burns the fuse."""
    plain_words, plain_map = fences.Words, board_writer.segment.map_writable
    structs = {name: getattr(board_writer, name) for name in ("BAR", "BOOK", "ROW", "SERIES")}

    def fused_map(fd: int) -> FusedMmap:
        mapping = FusedMmap(fd, os.fstat(fd).st_size)
        mapping.fuse = fuse
        return mapping

    try:
        for name, plain in structs.items():
            fused = FusedStruct(plain.format)
            fused.fuse = fuse
            setattr(board_writer, name, fused)
        fences.Words = lambda mapping: FusedWords(plain_words(mapping), fuse)
        board_writer.segment.map_writable = fused_map
        writer = BoardWriter(fd, run_id=RUN_ID, incarnation=incarnation)
        writer.add_instrument(BTC)
        return writer
    finally:
        fences.Words, board_writer.segment.map_writable = plain_words, plain_map
        for name, plain in structs.items():
            setattr(board_writer, name, plain)


class Series(NamedTuple):
    """What the bars are: all that closed, how far the ring was ever filled, what is forming, whose they are."""

    closed: tuple[float, ...]
    filled: int
    forming: float | None
    first: int = 0

    def seen(self, count: int) -> tuple[list[Bar], Bar | None, int]:
        end = len(self.closed)
        first = min(end, max(end - min(count, DEPTH), self.filled - LAYOUT.ring, self.first))
        forming = None if self.forming is None else bar(self.forming)
        return [bar(number) for number in self.closed[first:end]], forming, end


def bar(number: float) -> Bar:
    return [number] * BAR_WORDS


FUSES = st.one_of(st.none(), st.none(), st.integers(0, 8), st.integers(0, 40))
SHARES = st.floats(0, 1)


class DyingWriter(RuleBasedStateMachine):
    """States that a reader may find: ``rows``, ``books`` and ``series`` each hold every one that is allowed now.

    ``mine`` is what the living writer's bars are; a successor's begin anew when it first has something to say.
    """

    @initialize()
    def start(self) -> None:
        self.fd = create_board("test", LAYOUT, RUN_ID)
        self.eyes = read_only(self.fd)
        self.reader = BoardReader(self.eyes, run_id=RUN_ID)
        self.fuse = Fuse()
        self.incarnation = 1
        self.number = 0.0
        self.rows: list[float | None] = [None]
        self.books: list[float | None] = [None]
        self.mine = Series((), 0, None)
        self.series = [self.mine]
        self.alive: BoardWriter | None = fused_writer(self.fd, 1, self.fuse)

    def attempt(self, work: Callable[[], Any], fuse: int | None, share: float) -> bool:
        """Do something that the writer may not survive; say whether it did."""
        self.fuse.steps, self.fuse.share = fuse, share
        try:
            work()
        except DiedError:
            self.alive = None
            return False
        finally:
            self.fuse.steps = None
        return True

    def next_number(self) -> float:
        self.number += 1
        return self.number

    @precondition(lambda self: self.alive)
    @rule(fuse=FUSES, share=SHARES)
    def write_row(self, fuse: int | None, share: float) -> None:
        n = self.next_number()
        survived = self.attempt(lambda: self.alive.write_row(0, [int(n)] * ROW_WORDS), fuse, share)
        self.rows = [n] if survived else [*self.rows, n]

    @precondition(lambda self: self.alive)
    @rule(fuse=FUSES, share=SHARES)
    def write_book(self, fuse: int | None, share: float) -> None:
        n = self.next_number()
        levels = [(n, n)] * (int(n) % 21)
        survived = self.attempt(lambda: self.alive.write_book(0, int(n), levels, levels), fuse, share)
        self.books = [n] if survived else [*self.books, n]

    @precondition(lambda self: self.alive)
    @rule(fuse=FUSES, share=SHARES, nothing=st.booleans())
    def write_forming(self, fuse: int | None, share: float, nothing: bool) -> None:
        (now,) = self.series
        n = None if nothing else self.next_number()
        self.mine = later = self.mine._replace(forming=n)
        forming = None if n is None else bar(n)
        survived = self.attempt(lambda: self.alive.write_forming(0, Interval.M1, forming), fuse, share)
        self.series = [later] if survived else [now, later]

    @precondition(lambda self: self.alive)
    @rule(fuse=FUSES, share=SHARES, count=st.integers(1, 15))
    def append_bars(self, fuse: int | None, share: float, count: int) -> None:
        steps = fuse
        for _ in range(count):
            now, before = self.series[0], self.mine
            n = self.next_number()
            closed = (*before.closed, n)
            self.mine = later = Series(closed, max(before.filled, len(closed)), None, before.first)
            survived = self.attempt(lambda n=n: self.alive.append_bar(0, Interval.M1, bar(n)), steps, share)
            self.series = [later] if survived else [now, before, later]
            if not survived:
                return
            steps = None if steps is None else steps - 3

    @precondition(lambda self: self.alive)
    @rule(fuse=FUSES, share=SHARES, back=st.integers(1, 20), count=st.integers(0, 22))
    def rewrite_bars(self, fuse: int | None, share: float, back: int, count: int) -> None:
        (seen,), now = self.series, self.mine
        first = max(0, len(now.closed) - back)
        fresh = tuple(self.next_number() for _ in range(count))
        cut = now._replace(closed=now.closed[:first], filled=max(now.filled, first + count))
        self.mine = later = cut._replace(closed=cut.closed + fresh)
        bars = [bar(n) for n in fresh]
        survived = self.attempt(lambda: self.alive.rewrite_bars(0, Interval.M1, first, bars), fuse, share)
        self.series = [later] if survived else [seen, cut, later]

    @precondition(lambda self: not self.alive)
    @rule(fuse=FUSES, share=SHARES)
    def succeed(self, fuse: int | None, share: float) -> None:
        self.incarnation += 1
        began: list[BoardWriter] = []
        survived = self.attempt(lambda: began.append(fused_writer(self.fd, self.incarnation, self.fuse)), fuse, share)
        if survived:
            self.mine, self.alive = Series((), 0, None), began[0]

    @invariant()
    def a_reader_finds_a_whole_state(self) -> None:
        row = self.reader.row(0)
        found = None if row is None else row[0]
        assert row is None or len(set(row)) == 1
        assert found in self.rows
        self.rows = [found]

        book = self.reader.book(0)
        assert book is None or book.bids == book.asks == [(book.update_id, book.update_id)] * (book.update_id % 21)
        update = None if book is None else float(book.update_id)
        assert update in self.books
        self.books = [update]

        for count in (3, 100):
            bars = tuple(self.reader.bars(0, Interval.M1, count))
            self.series = [series for series in self.series if series.seen(count) == bars]
            assert self.series, bars
        del self.series[1:]

    def teardown(self) -> None:
        self.reader.close()
        self.alive = None
        # The dead do not close what they had open; their processes' end would.
        gc.collect()
        os.close(self.fd)
        os.close(self.eyes)


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_reader, "_REWRITE_PATIENCE", 1)


@pytest.mark.usefixtures("short_patience")
class TestDyingWriter(DyingWriter.TestCase):
    settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
