"""A successor that repeats its predecessor's work keeps the market's past from readers."""

import os
from collections.abc import Iterator

import pytest

from tests.board.conftest import RUN_ID, Board
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.catch_up import CatchUpBoard
from tickfloor.board.row import ROW_WORDS
from tickfloor.contracts.bars import BAR_WORDS, Bar
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval

BTC = Instrument(0, "binance", "BTCUSDT")


def bar(number: float) -> Bar:
    return [float(number)] * BAR_WORDS


@pytest.fixture
def reader(board: Board) -> Iterator[BoardReader]:
    reader = BoardReader(board.eyes, run_id=RUN_ID)
    yield reader
    reader.close()


def fill(board, first: int, end: int) -> None:
    """Write what the same source gives every time it is read."""
    for number in range(first, end):
        board.write_row(0, [number] * ROW_WORDS)
        board.write_book(0, number, [(float(number), 1.0)], [])
        board.append_bar(0, Interval.M1, bar(number))
        board.write_forming(0, Interval.M1, bar(number + 0.5))


def seen(reader: BoardReader) -> tuple[object, ...]:
    row, book = reader.row(0), reader.book(0)
    assert row is not None
    assert book is not None
    return row[0], book, reader.bars(0, Interval.M1, 8)


@pytest.mark.parametrize("published", [1, 5, 30, 100])
@pytest.mark.parametrize("more", [0, 1, 7])
def test_the_past_is_not_seen_again(board: Board, reader: BoardReader, published: int, more: int) -> None:
    first = board.writer(1)
    first.add_instrument(BTC)
    fill(first, 0, published)
    first.close()
    before = seen(reader)

    successor = CatchUpBoard(board.fd, run_id=RUN_ID, incarnation=2)
    successor.add_instrument(BTC)
    fill(successor, 0, published)
    assert successor.catching_up
    assert seen(reader) == before
    successor.show()
    assert not successor.catching_up
    assert seen(reader) == before
    fill(successor, published, published + more)
    at = published + more - 1
    closed = [bar(number) for number in range(max(0, at - 7), at + 1)]
    assert seen(reader) == (at, (at, [(float(at), 1.0)], []), (closed, bar(at + 0.5), at + 1))
    successor.close()


def test_giving_up_before_it_has_caught_up_leaves_nothing(board: Board, reader: BoardReader) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    successor = CatchUpBoard(board.fd, run_id=RUN_ID, incarnation=1)
    successor.add_instrument(BTC)
    fill(successor, 0, 5)
    successor.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert reader.count() == 0
