import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.contracts.messages import (
    Applied,
    Command,
    FeedFinished,
    Inspect,
    LogLine,
    QuerySignals,
    Ready,
    SignalsAccepted,
    SignalsStored,
)
from tickfloor.worker import channel
from tickfloor.worker.channel import ProtocolError, supervisor_end, worker_end


@contextmanager
def pair():
    one, other = socket.socketpair()
    ends = supervisor_end(one), worker_end(other)
    try:
        yield ends
    finally:
        for end in ends:
            end.close()


@contextmanager
def raw_pair():
    """The supervisor's end, and a bare socket at the other."""
    one, other = socket.socketpair()
    end = supervisor_end(one)
    try:
        yield end, other
    finally:
        end.close()
        other.close()


def framed(message) -> bytes:
    body = msgspec.msgpack.encode(message)
    return len(body).to_bytes(4, "little") + body


def receive_all(end, count):
    found = []
    while len(found) < count:
        found += end.receive()
        assert not end.closed
    return found


messages = st.one_of(
    st.builds(Ready, pid=st.integers(1, 1 << 22)),
    st.builds(Applied, sequence=st.integers(1, 1 << 40), error=st.text(max_size=300)),
    st.builds(SignalsStored, ids=st.lists(st.text(max_size=40), max_size=30).map(tuple)),
)


@given(st.lists(messages, max_size=30), st.data())
def test_messages_arrive_whole_and_in_order_however_their_bytes_are_cut(sent, data):
    stream = b"".join(map(framed, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    found = []
    with raw_pair() as (end, other):
        for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            other.sendall(stream[start:stop])
            found += end.receive()
        assert found == sent
        assert not end.closed


def test_a_message_that_is_not_whole_yet_is_kept():
    whole = framed(Ready(pid=7))
    with raw_pair() as (end, other):
        for byte in whole[:-1]:
            other.sendall(bytes([byte]))
            assert end.receive() == []
        other.sendall(whole[-1:])
        assert end.receive() == [Ready(pid=7)]


def test_a_full_socket_keeps_what_it_does_not_take_in_order():
    with pair() as (ours, its):
        sent = [SignalsAccepted(ids=(f"{number}" * 100,)) for number in range(5_000)]
        for message in sent:
            ours.send(message)
        assert ours.backlog > 0
        found = []
        while not ours.flush() or len(found) < len(sent):
            found += its.receive()
        assert found == sent
        assert ours.backlog == 0


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
        assert found == [last_word]


def test_a_message_beyond_the_bound_is_refused_by_the_sender(monkeypatch):
    monkeypatch.setattr(channel, "MAX_MESSAGE_BYTES", 1_000)
    with pair() as (ours, its):
        with pytest.raises(ProtocolError, match="SignalsAccepted of 3,"):
            ours.send(SignalsAccepted(ids=("x" * 3_000,)))
        ours.send(SignalsAccepted(ids=("fits",)))
        assert its.receive() == [SignalsAccepted(ids=("fits",))]


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\xff\xff\xff\xff" + b"a length of four gibibytes",
        (5).to_bytes(4, "little") + b"hello",
        framed(Inspect()),
        framed({"type": "Ready", "pid": "no number"}),
        (3).to_bytes(4, "little") + b"\xa2\xff\xff",
        (0).to_bytes(4, "little"),
    ],
    ids=["length", "no msgpack", "another's message", "wrong type", "not UTF-8", "empty"],
)
def test_bytes_that_are_no_message_are_a_typed_error_and_close_the_channel(rubbish):
    with raw_pair() as (end, other):
        other.sendall(rubbish)
        with pytest.raises(ProtocolError, match="no message"):
            end.receive()
        assert end.closed
        assert end.receive() == []


@given(st.binary(max_size=200))
def test_no_bytes_whatever_raise_anything_but_a_protocol_error(rubbish):
    with raw_pair() as (end, other):
        other.sendall(rubbish)
        try:
            end.receive()
        except ProtocolError:
            assert end.closed


def test_what_came_before_the_peer_s_death_counts_and_half_a_message_does_not():
    one, other = socket.socketpair()
    said = framed(Ready(pid=1)) + framed(Ready(pid=2)) + framed(Ready(pid=3))[:-1]
    program = f"import os, signal; os.write({other.fileno()}, {said!r}); os.kill(os.getpid(), signal.SIGKILL)"
    child = subprocess.run([sys.executable, "-c", program], pass_fds=[other.fileno()], check=False)
    assert child.returncode == -signal.SIGKILL
    other.close()
    end = supervisor_end(one)
    assert end.receive() == [Ready(pid=1), Ready(pid=2)]
    assert end.closed
    end.close()


def test_what_the_peer_said_is_heard_even_if_it_left_without_reading():
    with raw_pair() as (end, other):
        end.send(Command(sequence=1, correlation_id="", body=Inspect()))
        other.sendall(framed(Ready(pid=1)))
        other.close()
        assert end.receive() == [Ready(pid=1)]
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
            ours.send(QuerySignalsCommand)
        assert ours.flush_within(0.05) is False


QuerySignalsCommand = Command(sequence=1, correlation_id="x" * 10_000, body=QuerySignals(after=0, limit=1))
