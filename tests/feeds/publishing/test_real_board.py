"""The board in memory that these tests use says the same as the one in shared memory."""

import os
import random

import pytest

from tests.feeds import frames
from tests.feeds.fakes import FakeBoard, FakeTape, catalogue
from tests.feeds.frames import START_MS
from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.board_writer import BoardWriter, create_board
from tickfloor.contracts.intervals import Interval
from tickfloor.feeds.joining.trade_joins import TradeJoins
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venue import NoRepairs
from tickfloor.feeds.venues.binance.adapter import BinanceAdapter


@pytest.fixture
def shared():
    fd = create_board("board", BoardLayout(8, 20), run_id=1)
    writer, reader = BoardWriter(fd, run_id=1, incarnation=1), BoardReader(fd, run_id=1)
    yield writer, reader
    writer.close()
    reader.close()
    os.close(fd)


def feed_with(board):
    publisher = MarketPublisher(FakeTape(), board, catalogue(), "binance", bar_slots=32)
    joins = TradeJoins(NoRepairs(), hold_ns=0)
    adapter = BinanceAdapter("binance", publisher, joins=joins, repairs=NoRepairs())
    return publisher, adapter, adapter.reader("ws1")


def test_both_boards_show_the_same_rows_bars_and_books(shared):
    writer, reader = shared
    fake = FakeBoard(depth=20)
    feeds = [feed_with(board) for board in (writer, fake)]
    chance = random.Random(3)
    now_ms = START_MS
    for number in range(1, 800):
        now_ms += chance.choice([1, 500, 20_000])
        symbol = chance.choice(["BTCUSDT", "ETHUSDT"])
        late = chance.choice([0, 0, 0, 70_000, 400_000])
        payloads = [
            frames.trade(number, now_ms - late, chance.randint(1, 99), chance.randint(1, 9), symbol=symbol),
            frames.book_ticker(number, "10", "11", symbol=symbol),
        ]
        for publisher, adapter, read in feeds:
            if number % 100 == 1:
                body = frames.snapshot(number, [[f"{price}", "1"] for price in range(1, 40)], [["41", "2"]])
                adapter.on_http(now_ms * 1_000_000, f"REST-depth:{symbol}", body)
            for payload in payloads:
                publisher.tick(now_ms * 1_000_000)
                read(now_ms * 1_000_000, payload)
            publisher.flush()
    assert reader.count() == len(fake.instruments)
    for number, instrument in fake.instruments.items():
        assert reader.instrument(number) == instrument
        assert repr(list(reader.row(number))) == repr([
            float(value) if at > 2 else value for at, value in enumerate(fake.rows[number])
        ])  # fmt: skip
        update_id, bids, asks = fake.books[number]
        assert tuple(reader.book(number)) == (update_id, bids, asks)
        for interval in Interval:
            found = reader.bars(number, interval, 20)
            assert found.closed == fake.closed[number, interval][-20:]
            assert found.forming == fake.forming[number, interval]
            assert found.closed_count == len(fake.closed[number, interval])
