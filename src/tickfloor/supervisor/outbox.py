"""Commands on their way to one worker: numbered, held in a window, said again until they are answered."""

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from tickfloor.contracts.commands import CommandBody, Result
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.messages import Applied, Command, Fenced, Lane, Missing, Received
from tickfloor.worker.channel import MAX_MESSAGE_BYTES

WINDOW = 64
SPAN = 16
"""Windows that may be begun while the oldest command is unanswered: the worker keeps every answer since."""

_FIRST_DELAY = 0.05
_LONGEST_DELAY = 2.0
_LEAST_DELAY = 0.01
_RECEIVED_DELAY = 1.0
"""Least waits before a command is said again: of any, and of one that the worker has confirmed to have."""

_LARGEST = MAX_MESSAGE_BYTES - 1024
"""Bytes of a command and its correlation id; the rest is for its envelope."""

_encode = msgspec.msgpack.Encoder().encode


class BackpressureError(WorkerError):
    """So many commands of a worker are unanswered that no other is taken; try again when some are answered."""


class CommandError(WorkerError):
    """A worker refused a command, or it cannot be sent to one."""


class CommandTimeoutError(WorkerError):
    """A worker did not answer a command by its deadline; whether its effect is there is not known."""


@dataclass(slots=True)
class _Pending:
    sequence: int
    body: msgspec.Raw
    name: str
    correlation_id: str
    submitted: float
    deadline: float
    done: Callable[[Result | None, WorkerError | None], None]
    tries: int = 0
    said_at: float = -math.inf
    again_at: float = math.inf
    received: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatistics:
    """One lane to one worker; ages in seconds, 0 when nothing waits."""

    unanswered: int
    oldest_age: float
    submitted: int
    answered: int
    said_again: int
    expired: int


class Outbox:
    """One lane to one incarnation.

    A command is said when the worker is ready. When the first unanswered one has waited for a full jitter of
    min(2 s, 50 ms · 2^n), it is said again with all that follow it, until it is answered; one that the worker has
    confirmed to have is asked after by itself, and seldom. Who waits for a command is told when its deadline is over;
    it keeps its place, and is said again all the same, because a lane has no holes.

    Args:
        epoch: of the supervisor now.
        send: puts a command on its way; it may be lost.
        clock: monotonic seconds.
        jitter: gives a delay of at most so many seconds.
    """

    def __init__(
        self,
        lane: Lane,
        *,
        epoch: Callable[[], int],
        incarnation: int,
        send: Callable[[Command, str], object],
        clock: Callable[[], float],
        jitter: Callable[[float], float],
        window: int = WINDOW,
    ) -> None:
        self._lane = lane
        self._epoch = epoch
        self._incarnation = incarnation
        self._send = send
        self._clock = clock
        self._jitter = jitter
        self._window = window
        self._next = 1
        self._pending: OrderedDict[int, _Pending] = OrderedDict()
        self._held: deque[int] = deque()
        self._open = False
        self._alarm = math.inf
        self._asked_for = 0
        self._submitted = 0
        self._answered = 0
        self._said_again = 0
        self._expired = 0

    def submit(
        self,
        body: CommandBody,
        correlation_id: str,
        done: Callable[[Result | None, WorkerError | None], None],
        *,
        deadline: float = math.inf,
        at_once: bool = False,
    ) -> None:
        """Number a command and say it; ``done`` is called once, with its result or with what became of it.

        Args:
            deadline: monotonic seconds.
            at_once: say it before :meth:`open`, too: the command that makes a worker ready.

        Raises:
            BackpressureError: the window is full, or many were answered while the oldest was not.
            CommandError: it cannot be sent at all.
        """
        if len(self._pending) >= self._window or self._next > self._settled() + SPAN * self._window:
            raise BackpressureError(
                f"{len(self._pending)} commands are unanswered, the oldest for {self.oldest_age():.1f} s: "
                "wait until some are answered"
            )
        name = type(body).__name__
        # Before it is numbered: one that never leaves would be a hole, which nothing passes.
        encoded = _encoded(body, name, correlation_id)
        sequence = self._next
        self._next += 1
        self._submitted += 1
        now = self._clock()
        pending = _Pending(sequence, encoded, name, correlation_id, now, deadline, done)
        self._pending[sequence] = pending
        self._alarm = min(self._alarm, deadline)
        if self._open or at_once:
            self._say(pending, now)
        else:
            self._held.append(sequence)

    def open(self) -> None:
        """Say what has waited for the worker to be ready."""
        self._open = True
        now = self._clock()
        while self._held:
            pending = self._pending.get(self._held.popleft())
            if pending is not None:
                self._say(pending, now)

    # What the worker says

    def on_received(self, message: Received) -> None:
        """Take the news that commands have come: they are asked after less often."""
        now = self._clock()
        for sequence, pending in self._pending.items():
            if sequence <= message.through and not pending.received:
                pending.received = True
                pending.again_at = now + _RECEIVED_DELAY + self._jitter(_LONGEST_DELAY)
                self._alarm = min(self._alarm, pending.again_at)

    def on_applied(self, message: Applied) -> None:
        """Take an answer; one that is known already changes nothing."""
        pending = self._pending.pop(message.sequence, None)
        if pending is None:
            return
        self._answered += 1
        if message.error:
            pending.done(None, CommandError(message.error))
        else:
            pending.done(message.result, None)

    def on_missing(self, message: Missing) -> None:
        """Say everything from the first missing command on, in order."""
        now = self._clock()
        first = self._pending.get(message.due)
        # Each command behind a hole asks for it; one answer to all of them is enough.
        if first is None or (message.due == self._asked_for and first.said_at > now - _LEAST_DELAY):
            return
        self._asked_for = message.due
        for sequence, pending in self._pending.items():
            if sequence >= message.due and pending.tries:
                self._said_again += 1
                self._say(pending, now)

    def on_fenced(self, message: Fenced) -> None:
        """Take the news that a command was refused because it was for, or from, somebody else."""
        if message.incarnation == self._incarnation and message.epoch <= self._epoch():
            # A copy from before the epoch grew, or a command that was never ours: what is due is said again in time.
            return
        pending = self._pending.pop(message.sequence, None)
        if pending is not None:
            error = f"{pending.name} was fenced: the worker is incarnation {message.incarnation}, epoch {message.epoch}"
            pending.done(None, CommandError(error))

    # Time

    def next_look(self) -> float:
        """Return when :meth:`tick` may have something to do, monotonic seconds; infinite when nothing waits."""
        first = self._first_unconfirmed()
        return self._alarm if first is None else min(self._alarm, first.again_at)

    def tick(self) -> None:
        """Say again what is due, and tell those whose time is over."""
        now = self._clock()
        for pending in [each for each in self._pending.values() if each.deadline <= now]:
            self._expired += 1
            done, pending.done, pending.deadline = pending.done, nobody_waits, math.inf
            done(None, CommandTimeoutError(f"{pending.name} was not answered within {now - pending.submitted:.1f} s"))
        first = self._first_unconfirmed()
        # From the first unanswered one: a worker takes nothing before what is missing.
        all_again = first is not None and first.again_at <= now
        alarm = math.inf
        for pending in self._pending.values():
            if pending.tries and (pending.again_at <= now if pending.received else all_again):
                self._said_again += 1
                self._say(pending, now)
            alarm = min(alarm, pending.deadline, pending.again_at if pending.received else math.inf)
        self._alarm = alarm

    def _first_unconfirmed(self) -> _Pending | None:
        """Return the first command that was said, and of which nothing has been heard."""
        return next((each for each in self._pending.values() if each.tries and not each.received), None)

    def fail(self, error: WorkerError) -> None:
        """Give up everything that is unanswered: the worker is dead."""
        pending = list(self._pending.values())
        self._pending.clear()
        for each in pending:
            each.done(None, error)

    def oldest_age(self) -> float:
        """Return how long the oldest unanswered command has waited, s; 0 when there is none."""
        first = next(iter(self._pending.values()), None)
        return 0.0 if first is None else self._clock() - first.submitted

    def statistics(self) -> OutboxStatistics:
        """Return what has been said and answered."""
        return OutboxStatistics(
            unanswered=len(self._pending),
            oldest_age=self.oldest_age(),
            submitted=self._submitted,
            answered=self._answered,
            said_again=self._said_again,
            expired=self._expired,
        )

    def _settled(self) -> int:
        """Return the last command of those that are answered, and before which all are."""
        return next(iter(self._pending), self._next) - 1

    def _say(self, pending: _Pending, now: float) -> None:
        delay = self._jitter(min(_LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(pending.tries, 8)))
        pending.tries += 1
        pending.said_at = now
        pending.again_at = now + delay + (_RECEIVED_DELAY if pending.received else _LEAST_DELAY)
        # Made anew each time: a copy with an epoch that is over would be refused.
        command = Command(
            epoch=self._epoch(),
            incarnation=self._incarnation,
            lane=self._lane,
            sequence=pending.sequence,
            settled=self._settled(),
            body=pending.body,
        )
        self._send(command, pending.correlation_id)


def _encoded(body: CommandBody, name: str, correlation_id: str) -> msgspec.Raw:
    try:
        encoded = _encode(body)
        size = len(encoded) + len(correlation_id.encode())
    except (msgspec.EncodeError, UnicodeEncodeError, OverflowError) as error:
        raise CommandError(f"{name} cannot be sent: {error}") from error
    if size > _LARGEST:
        raise CommandError(f"{name} of {size:,} bytes is too large to send: send it in parts")
    return msgspec.Raw(encoded)


def nobody_waits(result: Result | None, error: WorkerError | None) -> None:
    """Let an answer be: nobody waits for it, or does so no more."""
    del result, error
