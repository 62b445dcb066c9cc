"""What passed lately, and the path of one thing through it."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tickfloor.contracts.commands import Init, Inspected, Ping, SignalsFound
from tickfloor.contracts.events import (
    FeedStatus,
    LogLine,
    SignalsAccepted,
    SignalsRaised,
    SignalsStored,
    StoreSignals,
)
from tickfloor.contracts.messages import Applied, Command, Lane, Received
from tickfloor.contracts.settings import StorageSettings
from tickfloor.contracts.signals import Signal
from tickfloor.supervisor.control.trace import step_of
from tickfloor.supervisor.services.message_flow import Direction, MessageFlow


class Clock:
    def __init__(self):
        self.now = 0

    def __call__(self):
        self.now += 1
        return self.now


def signal(identity, sequence=7, trader="up"):
    return Signal(
        id=identity,
        source="s",
        trader=trader,
        revision=1,
        instrument="binance:BTCUSDT",
        tape="demo",
        tape_sequence=sequence,
        ts_event=1,
        values={},
    )


def log_line(identity):
    return LogLine(ts=1, level="info", slot="trader-1", pid=1, event="it", fields={"n": 1}, correlation_id=identity)


def command(body, sequence=1):
    return Command(
        epoch=1,
        incarnation=1,
        lane=Lane.WORK,
        sequence=sequence,
        settled=0,
        body=msgspec.Raw(msgspec.msgpack.encode(body)),
    )


def path_of_two_ticks():
    """Return a flow in which two ticks made three signals, and other things passed."""
    flow = MessageFlow(clock=Clock())
    one, two, three = signal("a"), signal("b", trader="down"), signal("c", sequence=8)
    line = log_line("demo:7")
    flow.note("trader-1", 1, False, "trader-1:1", SignalsRaised(signals=(one, three)))
    flow.note("trader-2", 1, False, "trader-2:1", SignalsRaised(signals=(two,)))
    flow.note("storage-1", 2, True, "trader-1:1", StoreSignals(signals=(one, three)))
    flow.note("storage-1", 2, True, "trader-2:1", StoreSignals(signals=(two,)))
    flow.note("trader-1", 1, True, "control-1", command(Ping()))
    flow.note("trader-1", 1, False, "trader-1:2", line)
    flow.note("logger-1", 1, True, "trader-1:2", line)
    flow.note("storage-1", 2, False, "storage-1:1", SignalsStored(ids=("b", "c")))
    flow.note("trader-1", 1, True, "storage-1:1", SignalsAccepted(ids=("c",)))
    flow.note("storage-1", 2, False, "storage-1:2", SignalsStored(ids=("a",)))
    flow.note("trader-1", 1, False, "control-1", Applied(lane=Lane.WORK, sequence=1))
    flow.note("trader-1", 1, True, "storage-1:2", SignalsAccepted(ids=("a",)))
    return flow


def steps(flow, identity):
    return [(entry.ts, entry.slot, type(entry.message).__name__) for entry in flow.trace(identity)]


def test_a_tick_is_followed_through_all_its_signals_and_its_log_lines():
    assert steps(path_of_two_ticks(), "demo:7") == [
        (1, "trader-1", "SignalsRaised"),
        (2, "trader-2", "SignalsRaised"),
        (3, "storage-1", "StoreSignals"),
        (4, "storage-1", "StoreSignals"),
        (6, "trader-1", "LogLine"),
        (8, "storage-1", "SignalsStored"),
        (10, "storage-1", "SignalsStored"),
        (12, "trader-1", "SignalsAccepted"),
    ]


def test_a_signal_is_followed_alone():
    assert [ts for ts, _, _ in steps(path_of_two_ticks(), "a")] == [1, 3, 10, 12]
    assert [ts for ts, _, _ in steps(path_of_two_ticks(), "b")] == [2, 4, 8]


def test_a_message_is_followed_through_what_it_carries():
    assert [ts for ts, _, _ in steps(path_of_two_ticks(), "trader-1:1")] == [1, 3, 8, 9, 10, 12]


def test_a_request_is_followed_to_its_commands_and_their_outcome():
    assert steps(path_of_two_ticks(), "control-1") == [(5, "trader-1", "Command"), (11, "trader-1", "Applied")]


def test_an_entry_says_when_where_and_which_way():
    outward, inward = path_of_two_ticks().trace("control-1")
    assert (outward.slot, outward.incarnation, outward.direction) == ("trader-1", 1, Direction.OUT)
    assert (inward.direction, inward.correlation_id) == (Direction.IN, "control-1")


def test_nothing_is_found_of_what_nobody_said():
    assert path_of_two_ticks().trace("demo:9") == []
    flow = MessageFlow()
    flow.note("trader-1", 1, False, "", log_line(""))
    assert flow.trace("") == []


def test_coverage_is_the_share_of_messages_with_an_id():
    flow = MessageFlow()
    assert flow.statistics().coverage is None
    status = FeedStatus(frames=1, records=1, malformed=0, progress=0.0, instruments=1)
    for identity in ("a", "", "b", "c"):
        flow.note("feed-1", 1, False, identity, status)
    assert (flow.statistics().identified, flow.statistics().anonymous) == (3, 1)
    assert flow.statistics().coverage == 0.75
    # Telemetry is counted, and not kept.
    assert flow.statistics().remembered == 0


@given(st.lists(st.integers(0, 60), max_size=60))
def test_memory_is_bounded_whatever_the_messages_hold(sizes):
    flow = MessageFlow(size=20, weight=100)
    for number, size in enumerate(sizes):
        flow.note("trader-1", 1, False, f"m{number}", SignalsRaised(signals=(signal("a"),) * size))
    kept = flow.trace("a") + [entry for number in range(len(sizes)) for entry in flow.trace(f"m{number}")]
    remembered = {entry.correlation_id: 1 + len(entry.message.signals) for entry in kept}
    assert len(remembered) <= flow.statistics().remembered <= 20
    assert sum(remembered.values()) <= 100
    # The newest is there, and so is all that there is room for.
    if sizes and sizes[-1] < 60:
        assert f"m{len(sizes) - 1}" in remembered


def test_large_answers_and_commands_count_for_more():
    flow = MessageFlow(size=1_000, weight=100)
    for number in range(50):
        flow.note("storage-1", 1, False, f"answer-{number}", Applied(
            lane=Lane.WORK, sequence=1, result=SignalsFound(signals=(signal("a"),) * 49, after=-1)
        ))  # fmt: skip
    assert flow.statistics().remembered == 2
    flow.note("trader-1", 1, True, "c", command(Inspected(modules=("x" * 1024,) * 60)))
    assert flow.statistics().remembered == 1


# In words


def words(flow, identity):
    return [step_of(entry, identity).text for entry in flow.trace(identity)]


def test_a_step_says_what_it_is_about():
    assert words(path_of_two_ticks(), "demo:7") == [
        "up binance:BTCUSDT (demo:7), among 2",
        "down binance:BTCUSDT (demo:7)",
        "up binance:BTCUSDT (demo:7), among 2",
        "down binance:BTCUSDT (demo:7)",
        "info: it n=1",
        "2 signals",
        "signal a",
        "signal a",
    ]
    assert words(path_of_two_ticks(), "control-1") == ["Ping work:1", "work:1"]
    first, *_ = path_of_two_ticks().trace("demo:7")
    assert step_of(first, "demo:7").message == "SignalsRaised"


def test_a_long_step_is_cut_and_a_failure_is_told():
    flow = MessageFlow()
    flow.note("trader-1", 1, False, "x", SignalsRaised(signals=tuple(signal(str(n)) for n in range(9))))
    flow.note("trader-1", 1, False, "x", Applied(lane=Lane.URGENT, sequence=4, error="no" * 1_000))
    flow.note("trader-1", 1, False, "x", Received(lane=Lane.WORK, through=4))
    raised, failed, received = words(flow, "x")
    assert raised.endswith("and 6 more")
    assert failed.startswith("urgent:4 failed: nono")
    assert len(failed) == 400
    assert received == "work:4"


def test_a_password_among_settings_is_not_shown():
    flow = MessageFlow()
    settings = StorageSettings(url="postgresql://me:secret@host/db", run="1")
    flow.note("storage-1", 1, True, "x", command(Init(settings=settings)))
    assert words(flow, "x") == ["Init work:1"]
