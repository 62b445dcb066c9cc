"""One worker process as its supervisor holds it: channel, commands under way, state, death."""

import asyncio
import contextvars
import math
import os
import random
import signal
import socket
import time
from collections.abc import Callable

from tickfloor.contracts.commands import URGENT, Cleanup, CommandBody, Result
from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.events import CleanupComplete, Ready, WorkerFailed
from tickfloor.contracts.messages import (
    PROTOCOL_VERSION,
    Applied,
    Fenced,
    FromWorker,
    Lane,
    Missing,
    Received,
    ToWorker,
)
from tickfloor.contracts.states import WorkerState, move
from tickfloor.supervisor.outbox import BackpressureError, Outbox, OutboxStatistics, nobody_waits
from tickfloor.worker.channel import Channel, ProtocolError, Unintelligible, supervisor_end
from tickfloor.worker.correlation import current
from tickfloor.worker.vitals import Vitals

_ESCALATION = ((signal.SIGTERM, 0.5), (signal.SIGABRT, 0.5), (signal.SIGKILL, 5.0))
"""Signals for a worker that does not clean up, and the seconds each is given."""
_URGENT_WINDOW = 8


class WorkerDiedError(WorkerError):
    """A worker died before it answered a command."""


class WorkerObserver:
    """Who hears what happens to workers; every method may be left as it is."""

    def heard(self, process: "WorkerProcess", correlation_id: str, message: FromWorker | Unintelligible) -> None:
        """Take what a worker said that is no answer to a command."""

    def passed(self, process: "WorkerProcess", outward: bool, correlation_id: str, message: object) -> None:
        """Take note of any message, on its way to the worker (``outward``) or from it."""

    def died(self, process: "WorkerProcess") -> None:
        """Take the news of a death."""


class WorkerProcess:
    """One incarnation.

    Attributes:
        state: where it is in its life; moves are enforced.
        failure: its last words, if it had any.
        vitals: its signs of life, until it is dead.
        blamed: number of the trader whose own code ran when it died; 0 if none did.
        condemned: why it was ended by force, if it hung.
        clean: what its cleanup found leaked, once it has cleaned up.
        ready_seconds: from its start to its Ready; NaN before.
        ended_seconds: from the order to clean up to its end; NaN before.
    """

    def __init__(
        self,
        *,
        slot: str,
        incarnation: int,
        epoch: Callable[[], int],
        pid: int,
        connection: socket.socket,
        vitals: Vitals,
        observer: WorkerObserver,
    ) -> None:
        self.slot = slot
        self.incarnation = incarnation
        self.pid = pid
        self.vitals = vitals
        self.started_at = time.monotonic()
        self.ready_seconds = math.nan
        self.ended_seconds = math.nan
        self.state = WorkerState.CREATED
        self.exit_status: int | None = None
        self.blamed = 0
        self.condemned = ""
        self.failure: WorkerFailed | None = None
        self.clean: CleanupComplete | None = None
        self.dead = asyncio.Event()
        self.ready = asyncio.Event()
        self._observer = observer
        self._channel: Channel[FromWorker, ToWorker] = supervisor_end(connection, f"to-{slot}.{incarnation}")
        self._outboxes = {
            lane: Outbox(
                lane,
                epoch=epoch,
                incarnation=incarnation,
                send=self.send,
                clock=time.monotonic,
                jitter=lambda longest: random.uniform(0, longest),  # noqa: S311 - spreads load, hides nothing
                **({"window": _URGENT_WINDOW} if lane is Lane.URGENT else {}),
            )
            for lane in Lane
        }
        self._cleaning_since = math.nan
        self._loop = asyncio.get_running_loop()
        self._tick: asyncio.TimerHandle | None = None
        self._pidfd = os.pidfd_open(pid)
        # Whatever this process is started for, what it says later belongs to other things.
        contextvars.Context().run(self._listen)
        self._writing = False

    def _listen(self) -> None:
        self._loop.add_reader(self._pidfd, self._died)
        self._loop.add_reader(self._channel.fileno(), self._readable)

    @property
    def backlog(self) -> int:
        """Messages that the worker's socket has not taken yet."""
        return self._channel.backlog

    @property
    def name(self) -> str:
        """Slot and incarnation, for people."""
        return f"{self.slot}.{self.incarnation}"

    def send(self, message: ToWorker, correlation_id: str = "") -> None:
        """Say something; to a dead worker nothing is said."""
        if self.dead.is_set():
            return
        correlation_id = self._channel.send(message, correlation_id)
        self._observer.passed(self, True, correlation_id, message)
        if self._channel.backlog and not self._writing:
            self._writing = True
            self._loop.add_writer(self._channel.fileno(), self._writable)

    def command(
        self, body: CommandBody, correlation_id: str = "", seconds: float = math.inf
    ) -> "asyncio.Future[Result | None]":
        """Send a command; the future has its result. It waits until the worker is ready, and is never lost.

        The future fails with :class:`CommandError` if the worker refuses it, :class:`WorkerDiedError` if it dies
        first, and :class:`CommandTimeoutError` after ``seconds``.

        Raises:
            BackpressureError: too many commands of this worker are unanswered.
            CommandError: it cannot be sent at all.
        """
        future: asyncio.Future[Result | None] = self._loop.create_future()
        # A caller that has gone away leaves its command to run; nobody need read how it ended.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self.dead.is_set():
            future.set_exception(WorkerDiedError(f"{self.slot} is dead"))
            return future

        def done(result: Result | None, error: WorkerError | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        urgent = isinstance(body, URGENT)
        self._outboxes[Lane.URGENT if urgent else Lane.WORK].submit(
            body,
            correlation_id or current.get() or _new_correlation_id(),
            done,
            deadline=time.monotonic() + seconds,
            at_once=urgent,
        )
        self._look_again_in_time()
        return future

    def begin(self, body: CommandBody) -> None:
        """Say the command that makes the worker ready, before all others."""
        self._outboxes[Lane.WORK].submit(body, current.get() or _new_correlation_id(), nobody_waits, at_once=True)
        self._look_again_in_time()

    def statistics(self) -> dict[Lane, OutboxStatistics]:
        """Return how the commands of each lane stand."""
        return {lane: outbox.statistics() for lane, outbox in self._outboxes.items()}

    def move(self, state: WorkerState) -> None:
        """Enter a state.

        Raises:
            IllegalTransitionError: it does not follow the present one.
        """
        self.state = move(self.state, state)

    async def terminate(self, grace: float) -> None:
        """Ask for cleanup and, after ``grace`` seconds, escalate until the process is gone.

        Raises:
            WorkerError: not even SIGKILL ends it.
        """
        if self.dead.is_set():
            return
        # Whoever asks again, because the first asking was given up, goes on with it.
        if self.state is not WorkerState.CLEANING:
            self._cleaning_since = time.monotonic()
            self.move(WorkerState.CLEANING)
            try:
                self.command(Cleanup())
            except BackpressureError:
                # One that leaves so many pings unanswered would not hear this either.
                grace = 0.0
        if await self._gone_within(grace):
            return
        await self.force()

    async def force(self, *, hung: bool = False) -> None:
        """End the process by signals, each stronger than the one before; SIGABRT leaves a stack dump on stderr.

        ``hung``: begin with that, because where it hangs is worth more than a polite end.

        Raises:
            WorkerError: not even SIGKILL ends it.
        """
        for number, seconds in _ESCALATION[1:] if hung else _ESCALATION:
            self.kill(number)
            # One that was stopped would not take it; it goes on no further than to its end.
            self.kill(signal.SIGCONT)
            if await self._gone_within(seconds):
                return
        raise WorkerError(f"{self.slot} (pid {self.pid}) survives SIGKILL: it is stuck in the kernel")

    async def destroy(self) -> None:
        """End the process without asking it.

        Raises:
            WorkerError: not even SIGKILL ends it.
        """
        self.kill(signal.SIGKILL)
        if not await self._gone_within(_ESCALATION[-1][1]):
            raise WorkerError(f"{self.slot} (pid {self.pid}) survives SIGKILL: it is stuck in the kernel")

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the worker's whole process group."""
        if self.dead.is_set():
            return
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            # Before its first instruction it has no group of its own yet.
            os.kill(self.pid, number)

    async def _gone_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.dead.wait()
        except TimeoutError:
            return False
        return True

    # What comes

    def _readable(self) -> None:
        try:
            messages = self._channel.receive()
        except ProtocolError as error:
            self.failure = self.failure or WorkerFailed(error=type(error).__name__, message=str(error), traceback="")
            messages = []
        for correlation_id, message in messages:
            self._observer.passed(self, False, correlation_id, message)
            self._take(correlation_id, message)
        self._look_again_in_time()
        if self._channel.closed:
            # Its death is told by the pidfd; here only the reading ends. One that cannot be spoken to is of no use.
            self._loop.remove_reader(self._channel.fileno())
            self.kill(signal.SIGKILL)

    def _writable(self) -> None:
        if self._channel.flush():
            self._writing = False
            self._loop.remove_writer(self._channel.fileno())

    def _take(self, correlation_id: str, message: FromWorker | Unintelligible) -> None:
        match message:
            case Applied():
                self._outboxes[message.lane].on_applied(message)
                return
            case Received():
                self._outboxes[message.lane].on_received(message)
                return
            case Missing():
                self._outboxes[message.lane].on_missing(message)
                return
            case Fenced():
                self._outboxes[message.lane].on_fenced(message)
                return
            case Ready():
                self._on_ready(message)
            case WorkerFailed():
                self.failure = message
            case CleanupComplete():
                self.clean = message
        self._observer.heard(self, correlation_id, message)

    def _on_ready(self, message: Ready) -> None:
        if (message.protocol, message.incarnation) != (PROTOCOL_VERSION, self.incarnation):
            reason = (
                f"incarnation {message.incarnation} speaks protocol {message.protocol}; expected incarnation "
                f"{self.incarnation} and protocol {PROTOCOL_VERSION}: restart the floor after an upgrade"
            )
            self.failure = WorkerFailed(error="ProtocolError", message=reason, traceback="")
            self.kill(signal.SIGKILL)
            return
        # One that was told to clean up before it was ready says so all the same, and goes on cleaning up.
        if self.state is WorkerState.CREATED:
            self.ready_seconds = time.monotonic() - self.started_at
            self.move(WorkerState.READY)
            self.ready.set()
            self._outboxes[Lane.WORK].open()
            self._look_again_in_time()

    # Time

    def _look_again_in_time(self) -> None:
        """See that what is unanswered is said again."""
        due = min(outbox.next_look() for outbox in self._outboxes.values())
        if due == math.inf or self.dead.is_set():
            return
        if self._tick is not None:
            if self._tick.when() <= due:
                return
            self._tick.cancel()
        self._tick = self._loop.call_at(due, self._on_tick)

    def _on_tick(self) -> None:
        self._tick = None
        for outbox in self._outboxes.values():
            outbox.tick()
        self._look_again_in_time()

    def _died(self) -> None:
        # What it said before it died is still in the socket, and counts.
        while not self._channel.closed:
            before = self._channel.received
            self._readable()
            if self._channel.received == before:
                break
        self._loop.remove_reader(self._pidfd)
        self._loop.remove_reader(self._channel.fileno())
        self._loop.remove_writer(self._channel.fileno())
        if self._tick is not None:
            self._tick.cancel()
        result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        os.close(self._pidfd)
        self._channel.close()
        assert result is not None
        killed = result.si_code != os.CLD_EXITED
        self.exit_status = -result.si_status if killed else result.si_status
        self.ended_seconds = time.monotonic() - self._cleaning_since
        self.blamed = self.vitals.blamed
        self.vitals.close()
        self.dead.set()
        if killed:
            self.move(WorkerState.KILLED)
        elif self.state is WorkerState.CLEANING and self.clean is not None:
            self.move(WorkerState.TERMINATED)
        else:
            self.move(WorkerState.FAILED)
        for outbox in self._outboxes.values():
            outbox.fail(WorkerDiedError(f"{self.slot} died ({self.how_it_ended()})"))
        self._observer.died(self)

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it, and not a failure of its own that it could name."""
        return self.state is WorkerState.KILLED and self.failure is None

    def how_it_ended(self) -> str:
        """Return, for a person, how the process ended."""
        if self.failure is not None:
            return f"{self.failure.error}: {self.failure.message}"
        if self.exit_status is None:
            return "still running"
        if self.exit_status < 0:
            return f"killed by {signal.Signals(-self.exit_status).name}"
        return f"exit code {self.exit_status}"


def _new_correlation_id() -> str:
    return os.urandom(8).hex()
