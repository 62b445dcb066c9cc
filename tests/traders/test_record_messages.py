"""A reader that takes messages reads every record of the tape once, whatever becomes of the messages."""

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.board.conftest import RUN_ID, Tape, sequences
from tickfloor.contracts.errors import TapeOverrunError, TickfloorError
from tickfloor.contracts.record_messages import MAX_MESSAGE_BYTES
from tickfloor.contracts.records import RECORD
from tickfloor.feeds.publishing.record_sender import RecordSender
from tickfloor.supervisor import record_connection
from tickfloor.supervisor.seats import Seats
from tickfloor.traders.record_messages import MessageArrival, RecordMessages


class Floor:
    """A tape with a live feed, and connections for two readers."""

    def __init__(self, capacity: int = 1024) -> None:
        self.tape = Tape(capacity)
        self.connections = [record_connection.create() for _ in range(2)]
        self.incarnation = 0
        self.opened: list[RecordMessages] = []
        self.start_feed()

    def start_feed(self) -> None:
        self.incarnation += 1
        self.writer = self.tape.writer(self.incarnation)
        self.sender = RecordSender(
            self.writer, [each.feed for each in self.connections], patient=False, while_waiting=self.never
        )
        # It reads its source from the beginning.
        self.feed(self.writer.resumed_at)

    @staticmethod
    def never() -> None:
        raise AssertionError("a live feed waits for nobody")

    def reader(self, index: int = 0) -> RecordMessages:
        # A feed looks who asks at each publication.
        reader = RecordMessages(
            self.tape.eyes, self.tape.readers_fd, run_id=RUN_ID, index=index, connection=self.connections[index].reader
        )
        self.opened.append(reader)
        reader.ask()
        self.sender.publish()
        return reader

    def feed(self, count: int) -> None:
        for _ in range(count):
            self.sender.append(1, 2, 3, 1, 0, 0, float(self.sender.sequence), 0.0, 0.0, 0.0)
        self.sender.publish()

    def lose_a_message(self, index: int = 0) -> bool:
        try:
            os.read(self.connections[index].reader, MAX_MESSAGE_BYTES)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        for reader in self.opened:
            reader.close()
        self.tape.close()
        for connection in self.connections:
            for fd in connection:
                os.close(fd)


@pytest.fixture
def floor():
    floor = Floor()
    yield floor
    floor.close()


def read_all(reader, limit=4096):
    """Return the sequences that come, without looking at the tape for what no message brings."""
    found = []
    while records := reader.read(limit):
        found += sequences(records)
    return found


def test_records_come_out_of_messages_in_the_form_that_the_tape_has(floor):
    reader, beside = floor.reader(), floor.tape.reader(1)
    floor.feed(10)
    floor.sender.append(-5, 7, 9, 2, 1, 6, 0.1, -1e300, float("inf"), 4e-320)
    floor.sender.publish()
    assert reader.read(7) + reader.read() + reader.read() == beside.read()
    assert (reader.read(), reader.position, reader.from_messages, reader.from_tape) == (b"", 11, 11, 0)


def test_who_does_not_read_yet_is_sent_nothing(floor):
    reader = floor.reader()
    record_connection.clear(floor.connections[0])
    successor = RecordMessages(
        floor.tape.eyes, floor.tape.readers_fd, run_id=RUN_ID, index=0, connection=floor.connections[0].reader
    )
    floor.opened.append(successor)
    floor.sender.publish()
    floor.feed(5)
    assert (floor.sender.messages, reader.position) == (0, 0)
    assert successor.read() == b""
    floor.sender.publish()
    floor.feed(5)
    assert read_all(successor) == list(range(10))
    assert (successor.from_tape, successor.from_messages) == (5, 5)


def test_a_limit_is_kept_and_nothing_is_left_out(floor):
    reader = floor.reader()
    floor.feed(600)
    found = []
    while records := reader.read(100):
        assert len(sequences(records)) <= 100
        found += sequences(records)
    assert found == list(range(600))


def test_what_no_message_brings_is_not_looked_for_before_it_is_missed(floor):
    reader = floor.reader()
    floor.feed(3)
    floor.lose_a_message()
    assert reader.read() == b""
    reader.look_at_tape()
    assert sequences(reader.read()) == [0, 1, 2]
    assert reader.read() == b""
    floor.feed(2)
    assert sequences(reader.read()) == [3, 4]
    assert (reader.from_messages, reader.from_tape) == (2, 3)


def test_a_hole_before_a_message_is_read_from_the_tape(floor):
    reader = floor.reader()
    floor.feed(2)
    for _ in range(3):
        floor.feed(100)
    floor.feed(2)
    assert sequences(reader.read()) == [0, 1]
    for _ in range(3):
        floor.lose_a_message()
    assert [sequences(reader.read(200)) for _ in range(3)] == [
        list(range(2, 202)),
        list(range(202, 302)),
        [302, 303],
    ]
    assert (reader.from_tape, reader.overruns) == (300, 0)


def test_a_successor_goes_on_from_its_checkpoint_and_reads_nothing_twice(floor):
    floor.reader()
    for _ in range(10):
        floor.feed(10)
    for _ in range(4):
        floor.lose_a_message()  # its predecessor read it
    successor = floor.reader()
    successor.resume(25)
    assert read_all(successor) == list(range(25, 100))
    assert (successor.from_tape, successor.from_messages) == (15, 60)
    floor.feed(5)
    assert read_all(successor) == list(range(100, 105))


def test_messages_of_what_was_read_already_are_dropped_whole_or_in_part(floor):
    reader = floor.reader()
    for _ in range(3):
        floor.feed(10)
    reader.resume(15)
    assert read_all(reader) == list(range(15, 30))
    assert reader.from_tape == 0


def test_a_place_that_is_taken_again_begins_clean(floor):
    doorbells = (os.eventfd(0), os.eventfd(0))
    try:
        shared = {"readers": floor.tape.readers_fd, "tape": floor.tape.eyes}
        seats = Seats(doorbells, shared, tuple(floor.connections))
        seat = seats.take()
        assert seat.descriptors()["messages"] == floor.connections[0].reader
        floor.reader(seat.index)
        floor.feed(5)
        assert floor.lose_a_message()
        floor.feed(5)
        seats.leave(seat)
        # Its messages are gone, and so is the wish: nobody is sent more.
        assert not floor.lose_a_message()
        floor.sender.publish()
        sent = floor.sender.messages
        floor.feed(5)
        assert floor.sender.messages == sent
        again = seats.take(7)
        successor = floor.reader(again.index)
        successor.resume(7)
        floor.feed(5)
        assert read_all(successor) == list(range(7, 20))
        assert (successor.from_tape, successor.from_messages) == (8, 5)
        seats.leave(again)
        seats.close()
    finally:
        for fd in doorbells:
            os.close(fd)


@pytest.mark.parametrize("position", [0, 3, 7, 12, 15])
def test_a_message_that_was_sent_while_the_place_was_left_does_no_harm(floor, position):
    floor.reader()
    floor.feed(5)
    record_connection.clear(floor.connections[0])
    # The feed has not looked since: it sends once more, to nobody.
    floor.feed(5)
    floor.feed(5)
    successor = floor.reader()
    successor.resume(position)
    floor.feed(5)
    assert read_all(successor) == list(range(position, 20))


def test_an_overrun_is_said_and_read_past():
    floor = Floor(256)
    try:
        reader = floor.reader()
        floor.feed(10)
        floor.feed(10)
        assert sequences(reader.read(10)) == list(range(10))
        floor.lose_a_message()
        for _ in range(50):
            floor.feed(20)
        with pytest.raises(TapeOverrunError) as caught:
            read_all(reader)
        assert (caught.value.first_lost, caught.value.resume_at) == (10, 1020)
        assert (reader.position, reader.overruns, reader.lost) == (10, 1, 1010)
        reader.resume(caught.value.resume_at)
        floor.feed(3)
        assert read_all(reader) == [1020, 1021, 1022]
    finally:
        floor.close()


def test_messages_that_have_come_are_read_though_the_tape_is_far_ahead():
    floor = Floor(256)
    try:
        reader = floor.reader()
        for _ in range(100):
            floor.feed(20)
        assert read_all(reader) == list(range(2000))
        assert reader.overruns == 0
    finally:
        floor.close()


def test_a_floor_that_is_gone_is_said(floor):
    reader = floor.reader()
    gone, floor.connections[0] = floor.connections[0], record_connection.create()
    os.close(gone.feed)
    with pytest.raises(TickfloorError, match="the floor is gone"):
        reader.read()
    os.close(gone.reader)


def test_waiting_ends_with_a_message_or_with_another_descriptor(floor):
    reader = floor.reader()
    other = os.eventfd(0)
    try:
        waiting = MessageArrival(reader, floor.connections[0].reader, [other])
        waiting.wait(reader, 0.0)
        floor.feed(1)
        waiting.wait(reader, 1e6)
        assert sequences(reader.read()) == [0]
        os.eventfd_write(other, 1)
        waiting.wait(reader, 1e6)
        assert reader.read() == b""
    finally:
        os.close(other)


def test_waiting_gives_up_on_a_message_that_does_not_come(floor):
    reader = floor.reader()
    waiting = MessageArrival(reader, floor.connections[0].reader, [])
    floor.feed(5)
    floor.lose_a_message()
    # However long it may wait: what is on the tape is not waited for.
    while not (records := reader.read()):
        waiting.wait(reader, 1e6)
    assert sequences(records) == [0, 1, 2, 3, 4]
    assert reader.from_tape == 5


def test_somebody_who_keeps_disturbing_does_not_keep_a_record_away(floor):
    reader = floor.reader()
    other = os.eventfd(1)
    try:
        waiting = MessageArrival(reader, floor.connections[0].reader, [other])
        floor.feed(1)
        floor.lose_a_message()
        while not (records := reader.read()):
            waiting.wait(reader, 1e6)
        assert sequences(records) == [0]
    finally:
        os.close(other)


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_whatever_happens_every_record_is_read_once_and_in_order(seed):
    random = Random(seed)
    floor = Floor(1 << 14)
    try:
        reader = floor.reader()
        saved = 0
        read: list[int] = []

        def take(records):
            assert [record[0] for record in RECORD.iter_unpack(records)] == sequences(records)
            read.extend(sequences(records))

        for _ in range(60):
            match random.choice(("feed", "feed", "read", "read", "lose", "save", "restart", "new place", "new feed")):
                case "feed":
                    for _ in range(random.randrange(1, 4)):
                        floor.feed(random.choice((1, 2, 40, 300)))
                case "read":
                    if random.random() < 0.3:
                        reader.look_at_tape()
                    for _ in range(random.randrange(1, 5)):
                        take(reader.read(random.choice((1, 7, 100, 4096))))
                case "lose":
                    floor.lose_a_message()
                case "save":
                    saved = reader.position
                case "restart":
                    reader = floor.reader()
                    reader.resume(saved)
                    del read[saved:]
                case "new place":
                    record_connection.clear(floor.connections[0])
                    if random.random() < 0.5:
                        floor.feed(2)
                    reader = floor.reader()
                    reader.resume(saved)
                    del read[saved:]
                case "new feed":
                    floor.start_feed()
        reader.look_at_tape()
        while records := reader.read():
            take(records)
            reader.look_at_tape()
        assert read == list(range(floor.sender.sequence))
    finally:
        floor.close()
