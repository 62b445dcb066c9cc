"""Records leave the feed as messages, for those who ask, and nobody else notices."""

import os
import socket

import msgspec
import pytest

from tests.feeds.fakes import FakeTape
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.record_messages import MAX_BATCH, MAX_MESSAGE_BYTES, RecordBatch, takes_messages
from tickfloor.feeds.publishing.record_sender import RecordSender

decode = msgspec.msgpack.Decoder(RecordBatch).decode


class ResumedTape(FakeTape):
    def __init__(self, resumed_at: int = 0) -> None:
        super().__init__()
        self.resumed_at = resumed_at


class Reader:
    """The other end of a connection; small, so that it is soon full."""

    def __init__(self) -> None:
        self.feed, self.own = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.feed.setblocking(False)
        self.own.setblocking(False)
        self.feed.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)

    def ask(self) -> None:
        self.own.send(b"wish")

    def take_back(self) -> None:
        self.feed.recv(16)

    def messages(self) -> list[list[tuple]]:
        found = []
        while True:
            try:
                message = self.own.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return found
            found.append([msgspec.structs.astuple(record) for record in decode(message).records])

    def close(self) -> None:
        self.feed.close()
        self.own.close()


@pytest.fixture
def readers():
    readers = [Reader(), Reader()]
    yield readers
    for reader in readers:
        reader.close()


def nobody_waits():
    raise AssertionError("a live feed waits for nobody")


def sender_of(tape, readers, *, patient=False, while_waiting=nobody_waits):
    return RecordSender(
        tape, [reader.feed.fileno() for reader in readers], patient=patient, while_waiting=while_waiting
    )


def append(sender, count, price=1.5):
    for _ in range(count):
        sender.append(10, 20, 3, 1, 2, 4, price, 0.1, float(sender.sequence), -0.0)


def test_who_asks_is_sent_every_record_as_it_is_on_the_tape(readers):
    readers[0].ask()
    tape = ResumedTape()
    sender = sender_of(tape, readers)
    append(sender, 3)
    assert (tape.published, readers[0].messages()) == (0, [])
    sender.publish()
    append(sender, 2)
    sender.publish()
    assert (tape.published, sender.sequence) == (5, 5)
    first, second = readers[0].messages()
    assert [*first, *second] == [tuple(record) for record in tape.records]
    assert (len(first), sender.messages, sender.left_out) == (3, 2, 0)
    assert sender.serialising_ns > 0
    assert readers[1].messages() == []


def test_without_anybody_who_asks_nothing_is_serialised(readers):
    sender = sender_of(ResumedTape(), readers)
    append(sender, 3)
    sender.publish()
    assert sender.figures() == dict.fromkeys(sender.figures(), 0)


def test_who_asks_later_is_sent_what_comes_later(readers):
    sender = sender_of(ResumedTape(), readers)
    append(sender, 3)
    sender.publish()
    readers[1].ask()
    sender.publish()
    append(sender, 1)
    sender.publish()
    assert [[record[0] for record in message] for message in readers[1].messages()] == [[3]]


def test_a_wish_is_seen_by_the_feed_s_successor_too(readers):
    readers[0].ask()
    for incarnation in range(3):
        sender = sender_of(ResumedTape(), readers)
        append(sender, 1)
        sender.publish()
        assert len(readers[0].messages()) == 1, incarnation


def test_a_successor_sends_nothing_that_its_predecessor_has_published(readers):
    readers[0].ask()
    sender = sender_of(ResumedTape(resumed_at=4), readers)
    append(sender, 6)
    sender.publish()
    assert [[record[0] for record in message] for message in readers[0].messages()] == [[4, 5]]


def test_many_records_are_several_messages_and_the_largest_record_fits(readers):
    readers[0].ask()
    tape = ResumedTape()
    readers[0].feed.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MAX_MESSAGE_BYTES)
    taken = []
    sender = sender_of(tape, readers, patient=True, while_waiting=lambda: taken.extend(readers[0].messages()))
    tape.sequence = sender.sequence = (1 << 64) - 1 - 3 * MAX_BATCH
    for _ in range(2 * MAX_BATCH + 1):
        sender.append(-(1 << 63), (1 << 63) - 1, (1 << 32) - 1, 255, 255, 65535, 1e300, -1e-300, 0.1, float("inf"))
    sender.publish()
    taken += readers[0].messages()
    assert [len(message) for message in taken] == [MAX_BATCH, MAX_BATCH, 1]
    assert [record for message in taken for record in message] == [tuple(record) for record in tape.records]
    assert sender.message_bytes < 2 * MAX_MESSAGE_BYTES + 100


def test_a_full_socket_does_not_hold_a_live_feed_up(readers):
    for reader in readers:
        reader.ask()
    tape = ResumedTape()
    sender = sender_of(tape, readers)
    for _ in range(100):
        append(sender, 16)
        sender.publish()
        readers[1].messages()
    assert tape.published == 1600
    kept = readers[0].messages()
    assert 0 < len(kept) < 100
    assert sender.left_out == 100 - len(kept)
    # What was sent is sent in order, and what was left out is a hole.
    assert [message[0][0] for message in kept] == [16 * number for number in range(len(kept))]


def test_a_patient_feed_waits_until_the_reader_has_read(readers):
    readers[0].ask()
    taken, waits = [], []

    def read_at_last():
        waits.append(sender.sequence)
        if len(waits) % 3 == 0:
            taken.extend(readers[0].messages())

    sender = sender_of(ResumedTape(), readers, patient=True, while_waiting=read_at_last)
    for _ in range(100):
        append(sender, 16)
        sender.publish()
    taken += readers[0].messages()
    assert [record[0] for message in taken for record in message] == list(range(1600))
    assert (sender.left_out, len(waits) > 0) == (0, True)


def test_a_patient_feed_does_not_wait_for_a_reader_that_is_gone(readers):
    readers[0].ask()
    waits = []

    def leave():
        waits.append(sender.sequence)
        readers[0].take_back()

    sender = sender_of(ResumedTape(), readers, patient=True, while_waiting=leave)
    for _ in range(100):
        append(sender, 16)
        sender.publish()
    assert (len(waits), sender.left_out) == (1, 1)


def test_a_wait_that_is_cut_short_leaves_nothing_to_be_sent_again(readers):
    readers[0].ask()

    def stop():
        raise TickfloorError("the floor is stopping")

    sender = sender_of(ResumedTape(), readers, patient=True, while_waiting=stop)

    def feed_on():
        while True:
            append(sender, 16)
            sender.publish()

    with pytest.raises(TickfloorError, match="stopping"):
        feed_on()
    sent = sender.messages
    sender.patient = False
    sender.publish()
    assert (sender.messages, sender.left_out) == (sent, 0)


def test_what_is_published_while_the_tape_waits_is_sent_without_the_record_under_way(readers):
    readers[0].ask()

    class FullTape(ResumedTape):
        def append(self, *record) -> None:
            if self.sequence == 2:
                self.publish()
                sender.send_published()
            super().append(*record)

    sender = sender_of(FullTape(), readers)
    append(sender, 3)
    assert [[record[0] for record in message] for message in readers[0].messages()] == [[0, 1]]
    sender.publish()
    assert [[record[0] for record in message] for message in readers[0].messages()] == [[2]]


def test_a_closed_connection_is_an_error(readers):
    readers[0].ask()
    sender = sender_of(ResumedTape(), readers[:1])
    append(sender, 1)
    readers[0].own.close()
    with pytest.raises(OSError, match=os.strerror(32)):
        sender.publish()


@pytest.mark.parametrize(
    ("share", "workers"),
    [
        (0, ()),
        (1, (100,)),
        (25, (4, 8, 12, 16)),
        (50, (2, 4, 6, 8, 10, 12, 14, 16)),
        (75, (2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16)),
        (100, tuple(range(1, 17))),
    ],
)
def test_a_share_of_the_workers_takes_messages_and_always_the_same(share, workers):
    last = max(workers, default=16)
    assert tuple(n for n in range(1, last + 1) if takes_messages(f"trader-{n}", share)) == workers


@pytest.mark.parametrize("share", range(101))
def test_a_share_is_that_of_the_first_workers_rounded_down(share):
    taking = 0
    for number in range(1, 17):
        taking += takes_messages(f"trader-{number}", share)
        assert taking == number * share // 100
