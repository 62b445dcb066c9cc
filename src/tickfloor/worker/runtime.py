"""What every worker stands on: its channel, its descriptors, its log, and the loop that drives it."""

import os
import select
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.messages import (
    Applied,
    Cleanup,
    CleanupComplete,
    Command,
    CommandBody,
    Init,
    Inspect,
    Inspected,
    Ready,
    Result,
    ToWorker,
    WorkerFailed,
)
from tickfloor.contracts.settings import WorkerSettings
from tickfloor.worker.channel import Channel, worker_end
from tickfloor.worker.log import Log

_LAST_WORDS = 5.0
"""Seconds that a leaving worker gives its messages to be taken."""


class Later(Exception):  # noqa: N818 - not an error: the command is applied, and answered, by a later step
    """Raised by a command handler whose effect takes time; it answers with Runtime.applied itself."""


class Worker(Protocol):
    """The domain half of a worker process."""

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Apply a command other than Init and Cleanup.

        Raises:
            Later: it will be answered with :meth:`Runtime.applied` when it is done.
            TickfloorError: it cannot be applied; the supervisor is told why.
        """

    def receive(self, message: ToWorker) -> None:
        """Take an event."""

    def step(self) -> bool:
        """Do a bounded piece of work; say whether there may be more right now."""

    def wait(self, seconds: float) -> None:
        """Sleep until there may be work or a message, at most so long."""

    def close(self) -> None:
        """Let go of everything."""


WorkerFactory = Callable[["Runtime", WorkerSettings], Worker]


class Runtime:
    """One worker process.

    Attributes:
        slot, incarnation: who this is.
        run_id: of every segment of this floor.
        descriptors: what the supervisor handed over, by name.
    """

    def __init__(
        self, *, slot: str, incarnation: int, run_id: int, connection: socket.socket, descriptors: Mapping[str, int]
    ) -> None:
        self.slot = slot
        self.incarnation = incarnation
        self.run_id = run_id
        self.descriptors = dict(descriptors)
        self.channel: Channel[ToWorker, object] = worker_end(connection)  # type: ignore[assignment]
        self.log = Log(slot, self.channel.send)
        self._next_command = 1
        self._factory: WorkerFactory | None = None
        self._worker: Worker | None = None
        self._leaving = False
        self._poll = select.poll()
        self._poll.register(self.channel, select.POLLIN)

    def run(self, load: Callable[[], WorkerFactory]) -> int:
        """Serve until told to clean up, or until the supervisor is gone; return the exit code."""
        try:
            self._factory = load()
            while not self._leaving:
                self.poll_messages()
                if self.stopping:
                    break
                busy = self._worker is not None and self._worker.step()
                self.channel.flush()
                # A long step hears the supervisor, and may have been told to leave.
                if not busy and not self._leaving:
                    self._wait(1.0)
        except Exception as error:  # noqa: BLE001 - the last place that can say why the worker ends
            self._say_why(error)
            return 1
        return 0

    def poll_messages(self) -> None:
        """Take the messages that have come; for use within a long step, too."""
        for message in self.channel.receive():
            if isinstance(message, Command):
                self._command(message)
            elif self._worker is not None:
                self._worker.receive(message)

    @property
    def stopping(self) -> bool:
        """Whether the supervisor has asked for the end, or is gone."""
        return self._leaving or self.channel.closed

    def applied(self, sequence: int, result: Result | None = None, error: str = "") -> None:
        """Answer a command that was put off with :class:`Later`."""
        self.channel.send(Applied(sequence=sequence, error=error, result=result))

    def wait_for_message(self, seconds: float) -> None:
        """Sleep until a message comes, at most so long."""
        self._poll.poll(seconds * 1000)

    def _wait(self, seconds: float) -> None:
        if self.channel.backlog:
            seconds = min(seconds, 0.01)
        if self._worker is None:
            self.wait_for_message(seconds)
        else:
            self._worker.wait(seconds)

    def _command(self, command: Command) -> None:
        if command.sequence != self._next_command:
            raise TickfloorError(f"command {command.sequence} came where {self._next_command} was due")
        self._next_command += 1
        body = command.body
        try:
            if isinstance(body, Cleanup):
                self._clean_up()
                return
            if isinstance(body, Init):
                assert self._factory is not None
                self._worker = self._factory(self, body.settings)
                self.channel.send(Ready(pid=os.getpid()))
                result: Result | None = None
            elif isinstance(body, Inspect):
                result = Inspected(modules=tuple(sorted(sys.modules)))
            else:
                assert self._worker is not None
                result = self._worker.apply(command.sequence, body)
        except Later:
            return
        except TickfloorError as error:
            if isinstance(body, Init):
                raise
            self.applied(command.sequence, error=str(error))
        else:
            self.applied(command.sequence, result)

    def _clean_up(self) -> None:
        self._leaving = True
        if self._worker is not None:
            self._worker.close()
        expected = {self.channel.fileno(), 0, 1, 2}
        for fd in self.descriptors.values():
            os.close(fd)
        threads = tuple(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
        self.channel.send(CleanupComplete(leaked_threads=threads, leaked_descriptors=_open_descriptors(expected)))
        self.channel.flush_within(_LAST_WORDS)

    def _say_why(self, error: Exception) -> None:
        self.channel.send(
            WorkerFailed(
                error=type(error).__name__,
                message=str(error),
                traceback="" if isinstance(error, TickfloorError) else traceback.format_exc(),
            )
        )
        self.channel.flush_within(_LAST_WORDS)


def _open_descriptors(expected: set[int]) -> int:
    listed = {int(path.name) for path in Path("/proc/self/fd").iterdir()}
    return sum(_is_open(fd) for fd in listed - expected)


def _is_open(fd: int) -> bool:
    """Say whether a descriptor is open still; the one that the listing itself used is not."""
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True
