import math

import msgspec
import pytest

from tickfloor.contracts.commands import AddTrader, Begin, Cleanup, Init, Ping, Pong, Progress, RemoveTrader
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.messages import Applied, Fenced, Lane, Missing, Received
from tickfloor.contracts.settings import LoggerSettings
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor import outbox
from tickfloor.supervisor.outbox import (
    SPAN,
    BackpressureError,
    CommandError,
    CommandTimeoutError,
    Outbox,
)

BEGIN = Begin()
PONG = Pong(progress=Progress(1, 2))


class Sender:
    """An outbox whose jitter is the longest, with what it said and what its callers were told."""

    def __init__(self, lane: Lane = Lane.WORK, **given) -> None:
        self.now = 1_000.0
        self.epoch = 5
        self.longest: list[float] = []
        self.said: list = []
        self.told: list[tuple[str, object]] = []
        self.outbox = Outbox(
            lane,
            epoch=lambda: self.epoch,
            incarnation=3,
            send=lambda command, correlation_id: self.said.append(command),
            clock=lambda: self.now,
            jitter=self.jitter,
            **given,
        )

    def jitter(self, longest: float) -> float:
        self.longest.append(longest)
        return longest

    def submit(self, name: str = "", body=BEGIN, **given) -> None:
        self.outbox.submit(
            body, name, lambda result, error: self.told.append((name, error if error is not None else result)), **given
        )

    def applied(self, sequence: int, **given) -> None:
        self.outbox.on_applied(Applied(lane=Lane.WORK, sequence=sequence, **given))

    def numbers(self) -> list[int]:
        """Return the numbers of what was said since the last look."""
        numbers = [command.sequence for command in self.said]
        self.said.clear()
        return numbers

    def pass_time(self, seconds: float) -> list[int]:
        """Let time pass as an event loop does, and return what is said meanwhile."""
        until = self.now + seconds
        while (look := self.outbox.next_look()) <= until:
            assert look > self.now or not self.said, "it asks to be looked at and does nothing"
            self.now = max(self.now, look)
            self.outbox.tick()
        self.now = until
        return self.numbers()


def opened(**given) -> Sender:
    sender = Sender(**given)
    sender.outbox.open()
    return sender


def test_commands_are_numbered_without_holes_and_carry_who_and_for_whom():
    sender = opened()
    for _ in range(3):
        sender.submit()
    assert [(each.sequence, each.epoch, each.incarnation, each.lane) for each in sender.said] == [
        (1, 5, 3, Lane.WORK),
        (2, 5, 3, Lane.WORK),
        (3, 5, 3, Lane.WORK),
    ]


def test_commands_are_held_until_the_worker_is_ready_and_then_said_in_order():
    sender = Sender()
    sender.submit(body=Init(settings=LoggerSettings(level="info", form="text", path="")), at_once=True)
    for _ in range(3):
        sender.submit()
    assert sender.numbers() == [1]
    sender.outbox.on_missing(Missing(lane=Lane.WORK, due=1))
    assert set(sender.pass_time(10.0)) == {1}
    sender.outbox.open()
    assert sender.numbers() == [2, 3, 4]


def test_the_result_and_the_refusal_are_told_once_each():
    sender = opened()
    sender.submit("good", Ping())
    sender.submit("bad")
    for _ in range(2):
        sender.applied(2, error="not here")
        sender.applied(1, result=PONG)
    [(first, error), second] = sender.told
    assert (first, str(error), second) == ("bad", "not here", ("good", PONG))
    assert isinstance(error, CommandError)
    assert sender.outbox.next_look() == math.inf


def test_a_full_window_refuses_with_what_to_do_and_takes_again_when_one_is_answered():
    sender = opened(window=3)
    for _ in range(3):
        sender.submit()
    sender.now += 1.5
    with pytest.raises(BackpressureError, match=r"3 commands are unanswered, the oldest for 1\.5 s: wait"):
        sender.submit()
    sender.applied(2)
    sender.submit()
    assert sender.numbers() == [1, 2, 3, 4]


def test_what_the_worker_keeps_is_bounded_though_the_oldest_command_takes_for_ever():
    sender = opened(window=4)
    sender.submit()
    for sequence in range(2, 4 * SPAN + 1):
        sender.submit()
        sender.applied(sequence)
    with pytest.raises(BackpressureError, match="1 commands are unanswered"):
        sender.submit()
    sender.applied(1)
    sender.submit()
    assert sender.said[-1].settled == 4 * SPAN


def test_each_command_says_what_need_not_be_kept_any_more():
    sender = opened()
    for _ in range(4):
        sender.submit()
    assert [each.settled for each in sender.said] == [0, 0, 0, 0]
    sender.applied(2)
    sender.submit()
    assert sender.said[-1].settled == 0
    sender.applied(1)
    sender.submit()
    assert sender.said[-1].settled == 2


def test_an_urgent_lane_is_not_held_up_by_a_full_work_lane():
    work, urgent = opened(window=2), opened(lane=Lane.URGENT, window=2)
    work.submit()
    work.submit()
    with pytest.raises(BackpressureError):
        work.submit()
    urgent.submit("end", Cleanup())
    assert urgent.said[-1].lane is Lane.URGENT
    assert urgent.numbers() == [1]


def test_what_is_unanswered_is_said_again_from_the_first_in_order():
    sender = opened()
    for _ in range(4):
        sender.submit()
    assert sender.numbers() == [1, 2, 3, 4]
    sender.applied(1)
    sender.applied(3)
    assert sender.pass_time(0.0601) == [2, 4]


def test_delays_double_up_to_two_seconds_with_full_jitter():
    sender = opened()
    sender.submit()
    sender.pass_time(30.0)
    doubling = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    assert sender.longest[: len(doubling)] == doubling
    assert set(sender.longest[len(doubling) :]) == {2.0}


def test_a_lane_is_said_again_as_often_as_its_first_command_is_due_and_not_as_any_is():
    sender = Sender()
    sender.jitter = lambda longest: longest * (len(sender.said) % 7 + 1) / 8
    sender.outbox._jitter = sender.jitter
    sender.outbox.open()
    for _ in range(64):
        sender.submit()
    sender.numbers()
    again = sender.pass_time(2.0)
    # Eight doublings fit, and no more than that many rounds of 64 commands.
    assert len(again) <= 9 * 64


def test_a_command_that_the_worker_has_is_asked_after_seldom_and_by_itself():
    sender = opened()
    for _ in range(3):
        sender.submit()
    sender.numbers()
    sender.outbox.on_received(Received(lane=Lane.WORK, through=2))
    sender.applied(3)
    assert sender.pass_time(2.9) == []
    assert sender.pass_time(0.2) == [1, 2]
    assert sender.outbox.statistics().said_again == 2


def test_a_hole_is_filled_at_once_with_all_that_follows_it_but_once_only():
    sender = opened()
    for _ in range(5):
        sender.submit()
    sender.numbers()
    for _ in range(3):
        sender.outbox.on_missing(Missing(lane=Lane.WORK, due=3))
    assert sender.numbers() == [3, 4, 5]
    sender.now += 0.011
    sender.outbox.on_missing(Missing(lane=Lane.WORK, due=3))
    assert sender.numbers() == [3, 4, 5]


def test_what_is_asked_for_though_it_is_answered_is_not_said_again():
    sender = opened()
    for _ in range(3):
        sender.submit()
    sender.applied(1)
    sender.numbers()
    sender.outbox.on_missing(Missing(lane=Lane.WORK, due=1))
    assert sender.numbers() == []


def test_a_deadline_is_told_once_and_the_lane_goes_on():
    sender = opened()
    sender.submit("late", deadline=sender.now + 2.0)
    sender.submit("patient")
    again = sender.pass_time(5.0)
    [(name, error)] = sender.told
    assert (name, str(error)) == ("late", "Begin was not answered within 2.0 s")
    assert isinstance(error, CommandTimeoutError)
    assert again[-2:] == [1, 2]
    assert sender.outbox.statistics().expired == 1
    sender.applied(1)
    sender.applied(2)
    assert [name for name, _ in sender.told] == ["late", "patient"]


def test_a_deadline_is_kept_before_the_worker_is_ready_too():
    sender = Sender()
    sender.submit("late", deadline=sender.now + 2.0)
    sender.pass_time(2.5)
    assert isinstance(sender.told[0][1], CommandTimeoutError)
    sender.outbox.open()
    assert sender.numbers() == [1]


def test_death_is_told_to_everyone_who_waits():
    sender = opened()
    for name in "abc":
        sender.submit(name)
    sender.applied(2)
    dead = WorkerError("it is dead")
    sender.outbox.fail(dead)
    assert sender.told == [("b", None), ("a", dead), ("c", dead)]
    assert sender.outbox.next_look() == math.inf


def test_the_age_of_the_oldest_is_seen_though_later_ones_are_answered():
    sender = opened()
    sender.submit()
    sender.now += 3.0
    sender.submit()
    sender.now += 4.0
    sender.applied(2)
    statistics = sender.outbox.statistics()
    assert (statistics.oldest_age, statistics.unanswered, statistics.answered) == (7.0, 1, 1)
    sender.applied(1)
    assert sender.outbox.oldest_age() == 0.0


# Fencing


@pytest.mark.parametrize(("epoch", "incarnation"), [(5, 4), (6, 3)])
def test_a_command_that_was_refused_for_its_origin_is_told_so(epoch, incarnation):
    sender = opened()
    sender.submit("refused")
    sender.outbox.on_fenced(Fenced(lane=Lane.WORK, sequence=1, epoch=epoch, incarnation=incarnation))
    [(_, error)] = sender.told
    assert str(error) == f"Begin was fenced: the worker is incarnation {incarnation}, epoch {epoch}"


def test_a_copy_from_before_the_epoch_grew_is_no_refusal_and_is_said_again_with_the_present_epoch():
    sender = opened()
    sender.epoch = 0
    sender.submit("early")
    sender.epoch = 6
    sender.submit("late")
    sender.numbers()
    sender.outbox.on_fenced(Fenced(lane=Lane.WORK, sequence=1, epoch=6, incarnation=3))
    assert sender.told == []
    sender.now = sender.outbox.next_look()
    sender.outbox.tick()
    assert [(each.sequence, each.epoch) for each in sender.said] == [(1, 6), (2, 6)]


# What cannot be sent


def test_what_cannot_be_encoded_is_refused_before_it_has_a_number():
    sender = opened()
    with pytest.raises(CommandError, match="RemoveTrader cannot be sent"):
        sender.submit(body=RemoveTrader(name="\ud800", revision=1))
    sender.submit()
    assert sender.numbers() == [1]


def test_what_is_too_large_is_refused_before_it_has_a_number(monkeypatch):
    monkeypatch.setattr(outbox, "_LARGEST", 1_000)
    sender = opened()
    with pytest.raises(CommandError, match=r"AddTrader of 1,\d\d\d bytes is too large to send: send it in parts"):
        sender.submit(body=AddTrader(spec=TraderSpec(name="x" * 1_000), revision=1))
    sender.submit()
    assert sender.numbers() == [1]


def test_the_same_body_is_said_again():
    sender = opened()
    body = RemoveTrader(name="x", revision=1)
    sender.submit(body=body)
    sender.now = sender.outbox.next_look()
    sender.outbox.tick()
    assert [msgspec.msgpack.decode(each.body, type=RemoveTrader) for each in sender.said] == [body, body]
