import msgspec
import pytest

from tickfloor.contracts.commands import AddTrader, Begin, Drain, Ping, Pong, Progress, RemoveTrader
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.messages import Applied, Command, Fenced, Lane, Missing, Received
from tickfloor.contracts.traders import TraderSpec
from tickfloor.worker.fence import Fence
from tickfloor.worker.inbox import Inbox, Later

BEGIN = Begin()
PONG = Pong(progress=Progress(1, 2))


class Receiver:
    """An inbox that notes what it applies and what it says; Drain takes time, RemoveTrader is refused."""

    def __init__(self, *, epoch: int = 5, fence: Fence | None = None) -> None:
        self.fence = fence or Fence(incarnation=3, epoch=epoch)
        self.applied: list[tuple[int, object]] = []
        self.said: list[tuple[object, str]] = []
        self.inbox = Inbox(
            Lane.WORK,
            fence=self.fence,
            apply=self.apply,
            reply=lambda message, correlation_id: self.said.append((message, correlation_id)),
        )

    def apply(self, sequence, body):
        self.applied.append((sequence, body))
        if isinstance(body, Drain):
            raise Later
        if isinstance(body, RemoveTrader):
            raise TickfloorError(f"no trader {body.name}")
        return PONG if isinstance(body, Ping) else None

    def hear(self, sequence, body=BEGIN, correlation_id="asked", **given):
        """Take a command and return what is said to it."""
        before = len(self.said)
        self.inbox.take(command(sequence, body, **given), correlation_id)
        return [message for message, _ in self.said[before:]]


def command(sequence, body=BEGIN, *, epoch=5, incarnation=3, settled=0):
    raw = body if isinstance(body, msgspec.Raw) else msgspec.Raw(msgspec.msgpack.encode(body))
    return Command(epoch=epoch, incarnation=incarnation, lane=Lane.WORK, sequence=sequence, settled=settled, body=raw)


def applied(sequence, **given):
    return Applied(lane=Lane.WORK, sequence=sequence, **given)


def test_a_command_is_applied_and_answered_with_its_result_and_correlation_id():
    receiver = Receiver()
    assert receiver.hear(1, Ping(), "why") == [applied(1, result=PONG)]
    assert receiver.said[-1][1] == "why"
    assert receiver.applied == [(1, Ping())]


def test_a_command_that_is_refused_is_answered_with_the_reason_and_is_not_tried_again():
    receiver = Receiver()
    refused = applied(1, error="no trader x")
    assert receiver.hear(1, RemoveTrader(name="x", revision=1)) == [refused]
    assert receiver.hear(1, RemoveTrader(name="x", revision=1)) == [refused]
    assert len(receiver.applied) == 1


def test_a_command_that_comes_again_is_not_applied_again_and_gets_the_stored_answer():
    receiver = Receiver()
    first = receiver.hear(1, Ping())
    receiver.hear(2)
    assert receiver.hear(1, Ping(), "later") == first
    assert receiver.said[-1][1] == "later"
    assert [sequence for sequence, _ in receiver.applied] == [1, 2]
    assert receiver.inbox.repeated == 1


def test_a_command_that_comes_again_while_it_runs_is_attached_to_the_one_that_runs():
    receiver = Receiver()
    received = Received(lane=Lane.WORK, through=1)
    assert receiver.hear(1, Drain(through=9), "first") == [received]
    assert receiver.hear(1, Drain(through=9), "again") == [received]
    assert len(receiver.applied) == 1
    receiver.inbox.answer(1)
    assert receiver.said[-1] == (applied(1), "first")
    assert receiver.hear(1, Drain(through=9)) == [applied(1)]


def test_a_command_that_takes_time_holds_nobody_up():
    receiver = Receiver()
    receiver.hear(1, Drain(through=9))
    assert receiver.hear(2) == [applied(2)]
    receiver.inbox.answer(1, error="the tape has ended")
    assert receiver.said[-1][0] == applied(1, error="the tape has ended")


def test_a_command_before_which_one_is_missing_is_not_applied_and_the_missing_one_is_asked_for():
    receiver = Receiver()
    receiver.hear(1)
    assert receiver.hear(4) == [Missing(lane=Lane.WORK, due=2)]
    assert receiver.hear(3) == [Missing(lane=Lane.WORK, due=2)]
    assert [receiver.hear(number) for number in (2, 3, 4)] == [[applied(2)], [applied(3)], [applied(4)]]
    assert [sequence for sequence, _ in receiver.applied] == [1, 2, 3, 4]


@pytest.mark.parametrize("incarnation", [2, 4])
def test_a_command_for_another_incarnation_is_fenced(incarnation):
    receiver = Receiver()
    assert receiver.hear(1, incarnation=incarnation) == [Fenced(lane=Lane.WORK, sequence=1, epoch=5, incarnation=3)]
    assert receiver.applied == []
    assert receiver.inbox.fenced == 1


def test_a_later_epoch_is_obeyed_and_an_earlier_one_never_again():
    receiver = Receiver(epoch=5)
    assert receiver.hear(1, epoch=5) == [applied(1)]
    assert receiver.hear(2, epoch=7) == [applied(2)]
    fenced = Fenced(lane=Lane.WORK, sequence=3, epoch=7, incarnation=3)
    assert receiver.hear(3, epoch=6) == [fenced]
    assert receiver.hear(3, epoch=7) == [applied(3)]
    assert len(receiver.applied) == 3


def test_an_epoch_that_is_over_in_one_lane_is_over_in_all():
    fence = Fence(incarnation=3, epoch=5)
    one, other = Receiver(fence=fence), Receiver(fence=fence)
    one.hear(1, epoch=6)
    assert isinstance(other.hear(1, epoch=5)[0], Fenced)
    assert other.hear(1, epoch=6) == [applied(1)]


def test_a_command_that_is_not_its_turn_yet_ends_no_epoch():
    receiver = Receiver(epoch=5)
    assert receiver.hear(2, epoch=9) == [Missing(lane=Lane.WORK, due=1)]
    assert receiver.hear(1, epoch=5) == [applied(1)]


@pytest.mark.parametrize(
    "raw",
    [
        msgspec.msgpack.encode({"type": "FromTheFuture"}),
        msgspec.msgpack.encode({"type": "AddTrader", "spec": 1}),
        msgspec.msgpack.encode(3),
        b"\xa1\xff",
    ],
    ids=["unknown", "wrong fields", "no command", "not UTF-8"],
)
def test_a_body_that_is_not_understood_is_answered_and_the_lane_goes_on(raw):
    receiver = Receiver()
    [answer] = receiver.hear(1, msgspec.Raw(raw))
    assert answer.error.startswith("unsupported: ")
    assert receiver.hear(1, msgspec.Raw(raw)) == [answer]
    assert receiver.hear(2) == [applied(2)]


def test_an_answer_is_kept_until_the_sender_has_it_however_many_follow():
    receiver = Receiver()
    first = receiver.hear(1, Ping())
    for number in range(2, 1_002):
        receiver.hear(number)
    assert receiver.hear(1, Ping()) == first
    assert receiver.inbox.kept == 1_001
    receiver.hear(1_002, settled=900)
    assert receiver.inbox.kept == 102
    assert receiver.hear(901) == [applied(901)]


def test_a_copy_of_a_command_whose_answer_has_come_is_neither_applied_nor_answered():
    receiver = Receiver()
    receiver.hear(1)
    receiver.hear(2, settled=1)
    assert receiver.hear(1) == []
    assert len(receiver.applied) == 2


def test_a_late_copy_does_not_bring_back_what_was_settled_and_none_settles_what_has_not_come():
    receiver = Receiver()
    receiver.hear(1)
    receiver.hear(2, settled=1)
    receiver.hear(2, settled=0)
    receiver.hear(2, settled=1 << 60)
    assert receiver.inbox.kept == 0
    assert receiver.hear(3) == [applied(3)]
    assert receiver.hear(3) == [applied(3)]


def test_commands_of_a_foreign_origin_settle_nothing():
    receiver = Receiver()
    receiver.hear(1)
    receiver.hear(9, incarnation=1, settled=1)
    receiver.hear(9, epoch=1, settled=1)
    assert receiver.hear(1) == [applied(1)]


def test_an_error_that_is_not_tickfloor_s_own_is_the_worker_s_end():
    def broken(sequence, body):
        raise LookupError("nobody thought of this")

    inbox = Inbox(Lane.WORK, fence=Fence(incarnation=3, epoch=5), apply=broken, reply=lambda *said: None)
    with pytest.raises(LookupError):
        inbox.take(command(1), "")


def test_a_command_is_decoded_whole():
    receiver = Receiver()
    spec = TraderSpec(name="x", rule="last > 1", symbols=("BTC*",))
    receiver.hear(1, AddTrader(spec=spec, revision=4))
    assert receiver.applied == [(1, AddTrader(spec=spec, revision=4))]
