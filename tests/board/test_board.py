import os
import struct

import pytest

from tests.board.conftest import RUN_ID, Board
from tickfloor.board import segment
from tickfloor.board.board_layout import BOOK_LEVELS, SPARE_BARS, BoardLayout
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.board.row import ROW_WORDS, Field, empty_row
from tickfloor.contracts.bars import BAR_WORDS, Bar
from tickfloor.contracts.errors import BoardFullError, LayoutMismatchError, OutOfMemoryError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval

BTC = Instrument(0, "binance", "BTCUSDT")
ETH = Instrument(1, "binance-usdm", "ETHUSDT")


@pytest.fixture
def writer(board: Board):
    writer = board.writer()
    writer.add_instrument(BTC)
    yield writer
    writer.close()


@pytest.fixture
def reader(board: Board):
    reader = BoardReader(board.eyes, run_id=RUN_ID)
    yield reader
    reader.close()


def bar(number: float) -> Bar:
    return [float(number)] * BAR_WORDS


def numbers(bars: list[Bar]) -> list[float]:
    assert all(len(set(bar)) == 1 for bar in bars)
    return [bar[0] for bar in bars]


class TestInstruments:
    def test_they_are_seen_when_they_are_added(self, writer: BoardWriter, reader: BoardReader) -> None:
        assert reader.count() == 1
        with pytest.raises(LookupError):
            reader.instrument(1)
        writer.add_instrument(ETH)
        assert reader.count() == 2
        assert [reader.instrument(0), reader.instrument(1)] == [BTC, ETH]

    def test_names_may_be_as_long_as_the_board_has_room_for(self, writer: BoardWriter, reader: BoardReader) -> None:
        longest = Instrument(1, "v" * 32, "é" * 48)
        writer.add_instrument(longest)
        assert reader.instrument(1) == longest

    @pytest.mark.parametrize(("venue", "symbol"), [("v" * 33, "S"), ("v", "S" * 97), ("v", "é" * 49)])
    def test_a_longer_name_is_refused_and_takes_no_row(
        self, writer: BoardWriter, reader: BoardReader, venue: str, symbol: str
    ) -> None:
        with pytest.raises(BoardFullError, match="too long for the board"):
            writer.add_instrument(Instrument(1, venue, symbol))
        assert reader.count() == 1

    def test_a_full_board_says_which_setting_to_raise(self, writer: BoardWriter) -> None:
        with pytest.raises(BoardFullError, match=r"2 rows .* no room for binance:X; raise board_instruments"):
            writer.add_instrument(Instrument(2, "binance", "X"))

    def test_without_memory_for_its_bars_an_instrument_is_not_added(self) -> None:
        layout = BoardLayout(2, 1 << 30)
        fd = segment.create("test", layout.size)
        with segment.map_writable(fd) as mapping:
            from tickfloor.board import board_layout

            segment.write_header(mapping, board_layout.BOARD_MAGIC, board_layout.LAYOUT_VERSION, RUN_ID)
            mapping[board_layout.CAPACITY_OFFSET : board_layout.CAPACITY_OFFSET + 8] = (2).to_bytes(8, "little")
            mapping[board_layout.DEPTH_OFFSET : board_layout.DEPTH_OFFSET + 8] = (1 << 30).to_bytes(8, "little")
        writer, reader = BoardWriter(fd, run_id=RUN_ID, incarnation=1), BoardReader(fd, run_id=RUN_ID)
        with pytest.raises(OutOfMemoryError, match="the board segment needs"):
            writer.add_instrument(BTC)
        assert reader.count() == 0
        writer.close()
        reader.close()
        os.close(fd)

    @pytest.mark.parametrize("row", [-1, 2, 1000])
    def test_a_row_beyond_the_board_is_no_instrument(self, writer: BoardWriter, reader: BoardReader, row: int) -> None:
        for read in (reader.row, reader.row_version, reader.book, reader.instrument):
            with pytest.raises(LookupError):
                read(row)
        with pytest.raises(LookupError):
            reader.bars(row, Interval.M1, 1)

    def test_a_row_that_was_passed_over_is_no_instrument(self, writer: BoardWriter, reader: BoardReader) -> None:
        empty = create_board("test", BoardLayout(4, 8), RUN_ID)
        skipping, eyes = BoardWriter(empty, run_id=RUN_ID, incarnation=1), BoardReader(empty, run_id=RUN_ID)
        skipping.add_instrument(ETH)
        with pytest.raises(LookupError, match="no instrument 0"):
            eyes.instrument(0)
        skipping.close()
        eyes.close()
        os.close(empty)


class TestRows:
    def test_a_row_is_read_as_it_was_written(self, backend: str, board: Board) -> None:
        writer, reader = board.writer(), BoardReader(board.eyes, run_id=RUN_ID)
        writer.add_instrument(BTC)
        assert reader.row(0) is None
        row = empty_row()
        row[Field.SEQUENCE], row[Field.TS_EVENT], row[Field.LAST] = 2**63, -5, 0.1
        writer.write_row(0, row)
        read = reader.row(0)
        assert read is not None
        assert (read[Field.SEQUENCE], read[Field.TS_EVENT], read[Field.LAST]) == (2**63, -5, 0.1)
        assert len(read) == ROW_WORDS
        writer.close()
        reader.close()

    def test_updates_are_counted_for_each_row_and_for_all(self, writer: BoardWriter, reader: BoardReader) -> None:
        writer.add_instrument(ETH)
        for instrument in (0, 1, 1):
            writer.write_row(instrument, empty_row())
        assert (reader.row_version(0), reader.row_version(1), reader.updates()) == (1, 2, 3)

    def test_a_row_that_cannot_be_written_leaves_the_one_before(self, writer: BoardWriter, reader: BoardReader) -> None:
        good = [7] * ROW_WORDS
        writer.write_row(0, good)
        with pytest.raises(struct.error, match="not a float"):
            writer.write_row(0, [*[8] * (ROW_WORDS - 1), "nine"])  # type: ignore[list-item]
        assert reader.row(0) == tuple(good)
        writer.write_row(0, [9] * ROW_WORDS)
        assert reader.row(0) == tuple([9] * ROW_WORDS)


class TestBooks:
    def test_a_book_is_read_as_it_was_written(self, writer: BoardWriter, reader: BoardReader) -> None:
        assert reader.book(0) is None
        writer.write_book(0, 77, [(1.0, 2.0), (0.5, 3.0)], [(1.5, 4.0)])
        assert reader.book(0) == (77, [(1.0, 2.0), (0.5, 3.0)], [(1.5, 4.0)])
        writer.write_book(0, 78, [], [])
        assert reader.book(0) == (78, [], [])

    def test_levels_beyond_20_are_left_out(self, writer: BoardWriter, reader: BoardReader) -> None:
        bids = [(100.0 - level, 1.0) for level in range(30)]
        asks = [(101.0 + level, 2.0) for level in range(30)]
        writer.write_book(0, 1, bids, asks)
        assert reader.book(0) == (1, bids[:BOOK_LEVELS], asks[:BOOK_LEVELS])


class TestBars:
    def test_there_are_none_before_the_first(self, writer: BoardWriter, reader: BoardReader) -> None:
        assert reader.bars(0, Interval.M1, 10) == ([], None, 0)

    def test_the_newest_are_read_oldest_first(self, writer: BoardWriter, reader: BoardReader) -> None:
        assert [writer.append_bar(0, Interval.M5, bar(number)) for number in range(5)] == [0, 1, 2, 3, 4]
        closed, forming, count = reader.bars(0, Interval.M5, 3)
        assert (numbers(closed), forming, count) == ([2, 3, 4], None, 5)
        assert reader.bars(0, Interval.M5, 0) == ([], None, 5)
        assert reader.bars(0, Interval.M1, 3) == ([], None, 0)

    def test_no_more_than_the_depth_are_kept(self, writer: BoardWriter, reader: BoardReader) -> None:
        for number in range(100):
            slot = writer.append_bar(0, Interval.M1, bar(number))
            assert slot == number % (8 + SPARE_BARS)
            closed, _, count = reader.bars(0, Interval.M1, 1000)
            assert numbers(closed) == list(range(max(0, number - 7), number + 1))
            assert count == number + 1
            assert numbers(writer.read_tail(0, Interval.M1, 1000)) == numbers(closed)

    def test_a_closed_bar_leaves_nothing_forming(self, writer: BoardWriter, reader: BoardReader) -> None:
        writer.write_forming(0, Interval.M1, bar(5))
        assert reader.bars(0, Interval.M1, 1) == ([], bar(5), 0)
        writer.append_bar(0, Interval.M1, bar(6))
        assert reader.bars(0, Interval.M1, 1) == ([bar(6)], None, 1)
        writer.write_forming(0, Interval.M1, None)
        assert reader.bars(0, Interval.M1, 1) == ([bar(6)], None, 1)

    def test_intervals_and_instruments_do_not_touch(self, writer: BoardWriter, reader: BoardReader) -> None:
        writer.add_instrument(ETH)
        for instrument in (0, 1):
            for interval in Interval:
                for number in range(50):
                    writer.append_bar(instrument, interval, bar(1000 * instrument + 100 * interval + number))
        for instrument in (0, 1):
            for interval in Interval:
                base = 1000 * instrument + 100 * interval
                assert numbers(reader.bars(instrument, interval, 8).closed) == list(range(base + 42, base + 50))

    @pytest.mark.parametrize("back", [1, 5, 8, 15, 20])
    @pytest.mark.parametrize("more", [0, 1])
    def test_a_rewrite_replaces_the_newest(
        self, writer: BoardWriter, reader: BoardReader, back: int, more: int
    ) -> None:
        for number in range(100):
            writer.append_bar(0, Interval.M1, bar(number))
        writer.write_forming(0, Interval.M1, bar(0.5))
        first = 100 - back
        writer.rewrite_bars(0, Interval.M1, first, [bar(1000 + number) for number in range(first, 100 + more)])
        closed, forming, count = reader.bars(0, Interval.M1, 8)
        expected = [number + 1000 if number >= first else number for number in range(100 + more)][-8:]
        assert (numbers(closed), forming, count) == (expected, bar(0.5), 100 + more)
        assert writer.closed_bars(0, Interval.M1) == 100 + more

    def test_a_rewrite_that_cannot_be_written_changes_nothing(self, writer: BoardWriter, reader: BoardReader) -> None:
        for number in range(5):
            writer.append_bar(0, Interval.M1, bar(number))
        with pytest.raises(struct.error, match="not a float"):
            writer.rewrite_bars(0, Interval.M1, 3, [bar(8), ["x"] * BAR_WORDS])  # type: ignore[list-item]
        assert numbers(reader.bars(0, Interval.M1, 8).closed) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("closing", range(SPARE_BARS + 3))
    def test_bars_may_close_while_a_reader_copies(self, writer: BoardWriter, board: Board, closing: int) -> None:
        for number in range(100):
            writer.append_bar(0, Interval.M1, bar(number))

        class Interrupted(BoardReader):
            copies = 0

            def _copy_bars(self, instrument: int, interval: Interval, first: int, end: int) -> bytes:
                self.copies += 1
                if self.copies == 1:
                    for number in range(100, 100 + closing):
                        writer.append_bar(0, Interval.M1, bar(number))
                    # And the next is under way: the writer fills its slot before it says so.
                    series = writer._series[0, Interval.M1]
                    slot = series.closed % board.layout.ring * 88
                    at = board.layout.ring_offset(0, Interval.M1) + slot
                    writer._mapping[at : at + 44] = b"\xff" * 44
                return super()._copy_bars(instrument, interval, first, end)

        reader = Interrupted(board.eyes, run_id=RUN_ID)
        closed = numbers(reader.bars(0, Interval.M1, 8).closed)
        assert reader.copies == (1 if closing < SPARE_BARS else 2)
        newest = 99 if closing < SPARE_BARS else 99 + closing
        assert closed == list(range(newest - 7, newest + 1))
        reader.close()


class TestSuccession:
    def test_rows_and_counters_go_on(self, board: Board, reader: BoardReader) -> None:
        for incarnation in (1, 2):
            writer = board.writer(incarnation)
            writer.add_instrument(BTC)
            writer.write_row(0, [incarnation] * ROW_WORDS)
            writer.close()
        assert reader.row(0) == tuple([2] * ROW_WORDS)
        assert (reader.row_version(0), reader.updates(), reader.count()) == (2, 2, 1)

    def test_the_successor_of_a_writer_begins_its_bars_anew(self, board: Board, reader: BoardReader) -> None:
        first = board.writer(1)
        first.add_instrument(BTC)
        for number in range(30):
            first.append_bar(0, Interval.M1, bar(number))
        first.close()
        assert reader.bars(0, Interval.M1, 8).closed_count == 30
        second = board.writer(2)
        second.add_instrument(BTC)
        assert reader.bars(0, Interval.M1, 8).closed_count == 30, "readers keep the old until there is something new"
        second.append_bar(0, Interval.M1, bar(0))
        assert reader.bars(0, Interval.M1, 8) == ([bar(0)], None, 1)
        second.close()

    def test_a_successor_may_put_bars_where_its_predecessor_had_them(self, board: Board, reader: BoardReader) -> None:
        first = board.writer(1)
        first.add_instrument(BTC)
        for number in range(100):
            first.append_bar(0, Interval.M1, bar(number))
        first.close()
        second = board.writer(2)
        second.add_instrument(BTC)
        second.rewrite_bars(0, Interval.M1, 97, [bar(number) for number in (97, 98, 99, 100)])
        closed, _, count = reader.bars(0, Interval.M1, 8)
        assert (numbers(closed), count) == ([97, 98, 99, 100], 101), "only what this writer has written"
        for number in range(101, 120):
            second.append_bar(0, Interval.M1, bar(number))
        assert numbers(reader.bars(0, Interval.M1, 8).closed) == list(range(112, 120))
        second.close()

    def test_an_instrument_that_is_there_keeps_its_name(self, board: Board, reader: BoardReader) -> None:
        for incarnation in (1, 2):
            writer = board.writer(incarnation)
            writer.add_instrument(BTC)
            writer.close()
        assert reader.instrument(0) == BTC

    def test_a_row_is_not_given_to_another_instrument(self, writer: BoardWriter, reader: BoardReader) -> None:
        with pytest.raises(LayoutMismatchError, match=r"row 0 .* belongs to binance:BTCUSDT, not to binance:ETHUSDT"):
            writer.add_instrument(Instrument(0, "binance", "ETHUSDT"))
        assert reader.instrument(0) == BTC

    def test_an_older_writer_is_refused(self, board: Board, writer: BoardWriter) -> None:
        with pytest.raises(LayoutMismatchError, match="fenced"):
            board.writer(1)
