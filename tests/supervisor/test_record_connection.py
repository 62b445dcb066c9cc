"""Connections for records as messages: never blocking, and clean for the next who sits there."""

import os
import socket
from pathlib import Path

import pytest

from tickfloor.board.board_layout import BoardLayout
from tickfloor.supervisor import record_connection
from tickfloor.supervisor.floor_memory import FloorMemory


@pytest.fixture
def connection():
    connection = record_connection.create()
    yield connection
    for fd in connection:
        os.close(fd)


def fill(end):
    while True:
        os.write(end, bytes(10_000))


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_messages_keep_their_bounds(connection):
    for message in (b"one", b"three" * 1000):
        os.write(connection.feed, message)
    assert os.read(connection.reader, 1 << 16) == b"one"
    assert os.read(connection.reader, 1 << 16) == b"three" * 1000


def test_neither_end_ever_blocks(connection):
    for end in connection:
        with pytest.raises(BlockingIOError):
            os.read(end, 1)
    with pytest.raises(BlockingIOError):
        fill(connection.feed)


def test_what_nobody_will_read_is_taken_out_on_both_sides(connection):
    os.write(connection.reader, b"wish")
    os.write(connection.reader, b"wish")
    with pytest.raises(BlockingIOError):
        fill(connection.feed)
    record_connection.clear(connection)
    for end in connection:
        with pytest.raises(BlockingIOError):
            os.read(end, 1)
    os.write(connection.feed, b"fresh")
    assert os.read(connection.reader, 16) == b"fresh"


def test_an_end_that_is_closed_is_clear():
    connection = record_connection.create()
    os.close(connection.feed)
    feed, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    feed.setblocking(False)
    with feed, other:
        record_connection.clear(record_connection.RecordConnection(feed.fileno(), connection.reader))
    os.close(connection.reader)


@pytest.mark.parametrize("messages", [False, True])
def test_a_floor_has_connections_where_somebody_takes_messages_and_closes_them(messages):
    before = open_descriptors()
    memory = FloorMemory(tape="test", tape_records=256, board=BoardLayout(2, 8), seats=4, run_id=7, messages=messages)
    try:
        handed = [name for name in memory.of_feed() if name.startswith("messages-")]
        assert handed == ([f"messages-{index}" for index in range(4)] if messages else [])
        seat = memory.seats.take()
        assert ("messages" in seat.descriptors()) == messages
        memory.seats.leave(seat)
    finally:
        memory.close()
    assert open_descriptors() == before
