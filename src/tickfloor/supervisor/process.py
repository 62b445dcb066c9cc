"""One worker process as its supervisor holds it: channel, commands under way, state, death."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable

from tickfloor.contracts.errors import WorkerError
from tickfloor.contracts.messages import (
    Applied,
    Cleanup,
    CleanupComplete,
    Command,
    CommandBody,
    FromWorker,
    Ready,
    Result,
    ToWorker,
    WorkerFailed,
)
from tickfloor.contracts.states import WorkerState, move
from tickfloor.worker.channel import Channel, ProtocolError, supervisor_end

_ESCALATION = ((signal.SIGTERM, 0.5), (signal.SIGABRT, 0.5), (signal.SIGKILL, 5.0))
"""Signals for a worker that does not clean up, and the seconds each is given."""


class CommandError(WorkerError):
    """A worker refused a command."""


class WorkerDiedError(WorkerError):
    """A worker died before it answered a command."""


class WorkerProcess:
    """One incarnation.

    Attributes:
        state: where it is in its life; moves are enforced.
        failure: its last words, if it had any.
        clean: what its cleanup found leaked, once it has cleaned up.
    """

    def __init__(
        self,
        *,
        slot: str,
        incarnation: int,
        pid: int,
        connection: socket.socket,
        on_message: Callable[["WorkerProcess", FromWorker], None],
        on_death: Callable[["WorkerProcess"], None],
    ) -> None:
        self.slot = slot
        self.incarnation = incarnation
        self.pid = pid
        self.started_at = time.monotonic()
        self.state = WorkerState.CREATED
        self.exit_status: int | None = None
        self.failure: WorkerFailed | None = None
        self.clean: CleanupComplete | None = None
        self.dead = asyncio.Event()
        self.ready = asyncio.Event()
        self._channel: Channel[FromWorker, ToWorker] = supervisor_end(connection)
        self._on_message = on_message
        self._on_death = on_death
        self._next_command = 1
        self._pending: dict[int, asyncio.Future[Result | None]] = {}
        self._loop = asyncio.get_running_loop()
        self._pidfd = os.pidfd_open(pid)
        self._loop.add_reader(self._pidfd, self._died)
        self._loop.add_reader(self._channel.fileno(), self._readable)
        self._writing = False

    @property
    def backlog(self) -> int:
        """Messages that the worker's socket has not taken yet."""
        return self._channel.backlog

    def send(self, message: ToWorker) -> None:
        """Say something; to a dead worker nothing is said."""
        if self.dead.is_set():
            return
        self._channel.send(message)
        if self._channel.backlog and not self._writing:
            self._writing = True
            self._loop.add_writer(self._channel.fileno(), self._writable)

    def command(self, body: CommandBody, correlation_id: str = "") -> "asyncio.Future[Result | None]":
        """Send a command; the future has its result.

        The future fails with :class:`CommandError` if the worker refuses it, and with :class:`WorkerDiedError` if
        it dies first.
        """
        future: asyncio.Future[Result | None] = self._loop.create_future()
        # A caller that has gone away leaves its command to run; nobody need read how it ended.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        if self.dead.is_set():
            future.set_exception(WorkerDiedError(f"{self.slot} is dead"))
            return future
        sequence = self._next_command
        self._next_command += 1
        self._pending[sequence] = future
        self.send(Command(sequence=sequence, correlation_id=correlation_id, body=body))
        return future

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
            self.move(WorkerState.CLEANING)
            self.command(Cleanup())
        if await self._gone_within(grace):
            return
        for number, seconds in _ESCALATION:
            self.kill(number)
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

    def _readable(self) -> None:
        try:
            messages = self._channel.receive()
        except ProtocolError as error:
            self.failure = self.failure or WorkerFailed(error=type(error).__name__, message=str(error), traceback="")
            messages = []
        for message in messages:
            self._take(message)
        if self._channel.closed:
            # Its death is told by the pidfd; here only the reading ends. One that cannot be spoken to is of no use.
            self._loop.remove_reader(self._channel.fileno())
            self.kill(signal.SIGKILL)

    def _writable(self) -> None:
        if self._channel.flush():
            self._writing = False
            self._loop.remove_writer(self._channel.fileno())

    def _take(self, message: FromWorker) -> None:
        if isinstance(message, Applied):
            future = self._pending.pop(message.sequence, None)
            if future is not None and not future.done():
                if message.error:
                    future.set_exception(CommandError(message.error))
                else:
                    future.set_result(message.result)
            return
        if isinstance(message, Ready):
            # One that was told to clean up before it was ready says so all the same, and goes on cleaning up.
            if self.state is WorkerState.CREATED:
                self.move(WorkerState.READY)
                self.ready.set()
        elif isinstance(message, WorkerFailed):
            self.failure = message
        elif isinstance(message, CleanupComplete):
            self.clean = message
        self._on_message(self, message)

    def _died(self) -> None:
        # What it said before it died is still in the socket, and counts.
        self._readable()
        self._loop.remove_reader(self._pidfd)
        self._loop.remove_reader(self._channel.fileno())
        self._loop.remove_writer(self._channel.fileno())
        result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        os.close(self._pidfd)
        self._channel.close()
        assert result is not None
        killed = result.si_code != os.CLD_EXITED
        self.exit_status = -result.si_status if killed else result.si_status
        if killed:
            self.move(WorkerState.KILLED)
        elif self.state is WorkerState.CLEANING and self.clean is not None:
            self.move(WorkerState.TERMINATED)
        else:
            self.move(WorkerState.FAILED)
        self.dead.set()
        for future in self._pending.values():
            if not future.done():
                future.set_exception(WorkerDiedError(f"{self.slot} died ({self.how_it_ended()})"))
        self._pending.clear()
        self._on_death(self)

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
