import signal
import socket
import subprocess
import sys
import zlib
from contextlib import contextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.contracts.commands import Inspect, QuerySignals
from tickfloor.contracts.events import FeedFinished, LogLine, Ready, SignalsAccepted, SignalsStored
from tickfloor.contracts.messages import PROTOCOL_VERSION, Applied, Command, Lane
from tickfloor.worker import channel
from tickfloor.worker.channel import ProtocolError, Unintelligible, supervisor_end, worker_end
from tickfloor.worker.correlation import current


@contextmanager
def pair():
    one, other = socket.socketpair()
    ends = supervisor_end(one, "to-worker-1.1"), worker_end(other, "worker-1.1")
    try:
        yield ends
    finally:
        for end in ends:
            end.close()


@contextmanager
def raw_pair():
    """The supervisor's end, and a bare socket at the other."""
    one, other = socket.socketpair()
    end = supervisor_end(one, "to-worker-1.1")
    try:
        yield end, other
    finally:
        end.close()
        other.close()


def framed(message, correlation_id: str = "said") -> bytes:
    return framed_bytes(msgspec.msgpack.encode((correlation_id, message)))


def framed_bytes(body: bytes) -> bytes:
    return len(body).to_bytes(4, "little") + zlib.crc32(body).to_bytes(4, "little") + body


def ready(pid: int) -> Ready:
    return Ready(pid=pid, incarnation=1, protocol=PROTOCOL_VERSION)


def command(body) -> Command:
    raw = msgspec.Raw(msgspec.msgpack.encode(body))
    return Command(epoch=1, incarnation=1, lane=Lane.WORK, sequence=1, settled=0, body=raw)


def only(received):
    """Return the messages without their correlation ids."""
    return [message for _, message in received]


messages = st.one_of(
    st.builds(Ready, pid=st.integers(1, 1 << 22), incarnation=st.integers(1, 99), protocol=st.integers(1, 9)),
    st.builds(Applied, lane=st.sampled_from(Lane), sequence=st.integers(1, 1 << 40), error=st.text(max_size=300)),
    st.builds(SignalsStored, ids=st.lists(st.text(max_size=40), max_size=30).map(tuple)),
)


@given(st.lists(st.tuples(st.text(max_size=20), messages), max_size=30), st.data())
def test_messages_arrive_whole_and_in_order_however_their_bytes_are_cut(sent, data):
    stream = b"".join(framed(message, correlation_id) for correlation_id, message in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    found = []
    with raw_pair() as (end, other):
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            other.sendall(stream[start:stop])
            found += end.receive()
        assert found == sent
        assert not end.closed


def test_a_message_that_is_not_whole_yet_is_kept():
    whole = framed(ready(7))
    with raw_pair() as (end, other):
        for byte in whole[:-1]:
            other.sendall(bytes([byte]))
            assert end.receive() == []
        other.sendall(whole[-1:])
        assert end.receive() == [("said", ready(7))]


def test_a_full_socket_keeps_what_it_does_not_take_in_order():
    with pair() as (ours, its):
        sent = [SignalsAccepted(ids=(f"{number}" * 100,)) for number in range(5_000)]
        for message in sent:
            ours.send(message)
        assert ours.backlog > 0
        found = []
        while not ours.flush() or len(found) < len(sent):
            found += its.receive()
        assert only(found) == sent
        assert ours.backlog == 0
        assert (ours.sent, its.received) == (5_000, 5_000)


# Correlation


def test_a_message_carries_the_correlation_id_that_it_is_given():
    with pair() as (ours, its):
        assert ours.send(SignalsAccepted(ids=()), "asked-for") == "asked-for"
        assert its.receive() == [("asked-for", SignalsAccepted(ids=()))]


def test_what_is_said_while_a_message_is_worked_at_belongs_to_it():
    with pair() as (ours, its):
        current.set("the-cause")
        its.send(ready(1))
        its.send(ready(2), "its-own")
        current.set("")
        its.send(ready(3))
        its.send(ready(4))
        found = [correlation_id for correlation_id, _ in ours.receive()]
        assert found == ["the-cause", "its-own", "worker-1.1:3", "worker-1.1:4"]


# Size


def test_a_message_of_many_megabytes_passes():
    last_word = FeedFinished(
        head=1,
        frames=1,
        malformed=0,
        complete=True,
        problems=(),
        problem_count=0,
        left_out={},
        figures=b"x" * (20 << 20),
    )
    with pair() as (ours, its):
        its.send(last_word)
        found = []
        while not found:
            its.flush()
            found = ours.receive()
        assert only(found) == [last_word]


def test_a_message_beyond_the_bound_is_refused_by_the_sender(monkeypatch):
    monkeypatch.setattr(channel, "MAX_MESSAGE_BYTES", 1_000)
    with pair() as (ours, its):
        with pytest.raises(ProtocolError, match="SignalsAccepted of 3,"):
            ours.send(SignalsAccepted(ids=("x" * 3_000,)))
        ours.send(SignalsAccepted(ids=("fits",)))
        assert only(its.receive()) == [SignalsAccepted(ids=("fits",))]


# What is no message


@pytest.mark.parametrize(
    ("rubbish", "reason"),
    [
        (b"\xff\xff\xff\xff" + b"a length of four gibibytes", "4,294,967,295 bytes is announced"),
        (((1 << 28) + 1).to_bytes(4, "little") + bytes(4), "268,435,457 bytes is announced"),
        ((5).to_bytes(4, "little") + b"\0\0\0\0hello", "the checksum of 5 bytes is wrong"),
        (framed(ready(1))[:-1] + b"\xc3", "the checksum of"),
        (framed(ready(1))[:5] + b"\xc3" + framed(ready(1))[6:], "the checksum of"),
    ],
    ids=["huge length", "length beyond the bound", "no checksum", "flipped byte", "flipped checksum"],
)
def test_bytes_that_are_no_message_are_a_typed_error_and_close_the_channel(rubbish, reason):
    with raw_pair() as (end, other):
        other.sendall(rubbish)
        with pytest.raises(ProtocolError, match=f"no message: .*{reason}"):
            end.receive()
        assert end.closed
        assert end.receive() == []


@pytest.mark.parametrize(
    "body",
    [
        msgspec.msgpack.encode(("x", Inspect())),
        msgspec.msgpack.encode(("x", {"type": "FromTheFuture", "anything": 1})),
        msgspec.msgpack.encode(("x", {"type": "Ready", "pid": "no number"})),
        msgspec.msgpack.encode(("x", {"pid": 1})),
        msgspec.msgpack.encode(ready(1)),
        b"\x92\xa2\xff\xff\xc0",
        b"\xc1",
        b"",
        b"\x92\xa1x\x82\xa4type\xa5Ready\xa3zzz" + b"\x91" * 100_000,
    ],
    ids=[
        "another's message",
        "unknown type",
        "wrong field",
        "no type",
        "no correlation id",
        "not UTF-8",
        "no msgpack",
        "empty",
        "too deep",
    ],
)
def test_a_whole_message_that_means_nothing_is_told_and_the_next_one_is_fine(body):
    with raw_pair() as (end, other):
        other.sendall(framed(ready(1)) + framed_bytes(body) + framed(ready(2)))
        found = []
        while len(found) < 3:
            found += only(end.receive())
        assert (found[0], found[2]) == (ready(1), ready(2))
        assert isinstance(found[1], Unintelligible)
        assert found[1].reason
        assert not end.closed


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_a_protocol_error(rubbish):
    with raw_pair() as (end, other):
        other.sendall(rubbish)
        try:
            end.receive()
        except ProtocolError:
            assert end.closed


@given(st.binary(max_size=200))
def test_no_body_whatever_raises_anything(body):
    with raw_pair() as (end, other):
        other.sendall(framed_bytes(body) + framed(ready(1)))
        assert end.receive()[-1] == ("said", ready(1))


# A peer that goes away


def test_what_came_before_the_peer_s_death_counts_and_half_a_message_does_not():
    one, other = socket.socketpair()
    said = framed(ready(1)) + framed(ready(2)) + framed(ready(3))[:-1]
    program = f"import os, signal; os.write({other.fileno()}, {said!r}); os.kill(os.getpid(), signal.SIGKILL)"
    child = subprocess.run([sys.executable, "-c", program], pass_fds=[other.fileno()], check=False)
    assert child.returncode == -signal.SIGKILL
    other.close()
    end = supervisor_end(one, "to-worker-1.1")
    found = end.receive() + end.receive()
    assert only(found) == [ready(1), ready(2)]
    assert end.closed
    end.close()


def test_what_the_peer_said_is_heard_even_if_it_left_without_reading():
    with raw_pair() as (end, other):
        end.send(command(Inspect()))
        other.sendall(framed(ready(1)))
        other.close()
        assert only(end.receive() + end.receive()) == [ready(1)]
        assert end.closed


def test_sending_to_a_peer_that_is_gone_says_nothing_keeps_nothing_and_does_not_wait():
    with raw_pair() as (end, other):
        other.close()
        for number in range(100):
            end.send(LogLine(ts=number, level="info", slot="", pid=1, event="x" * 1_000, fields={}))
        assert end.backlog == 0
        assert end.flush_within(60.0) is False


def test_flushing_gives_up_at_its_deadline_when_the_peer_does_not_read():
    with pair() as (ours, _):
        while not ours.backlog:
            ours.send(command(QuerySignals(after=0, limit=1)), "x" * 10_000)
        assert ours.flush_within(0.05) is False
