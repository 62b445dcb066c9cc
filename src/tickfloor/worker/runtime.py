"""What every worker stands on: its channel, its descriptors, its log, and the loop that drives it."""

import os
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from tickfloor.contracts.commands import (
    Cleanup,
    CommandBody,
    Configure,
    GetStatus,
    Init,
    Inspect,
    Inspected,
    Ping,
    Pong,
    Progress,
    Result,
    WorkerReport,
)
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.events import LogLine, Ready, WorkerFailed
from tickfloor.contracts.message import Message
from tickfloor.contracts.messages import PROTOCOL_VERSION, Command, Lane, ToWorker
from tickfloor.contracts.ports import MetricsPort
from tickfloor.contracts.settings import WorkerSettings
from tickfloor.contracts.traders import TradersHeld
from tickfloor.worker.breaker import Breaker
from tickfloor.worker.channel import Channel, Unintelligible, worker_end
from tickfloor.worker.correlation import current
from tickfloor.worker.effects import Effects
from tickfloor.worker.fence import Fence
from tickfloor.worker.inbox import Inbox, Later
from tickfloor.worker.leftovers import leftovers
from tickfloor.worker.limiter import Limiter
from tickfloor.worker.log import Log
from tickfloor.worker.metrics import Metrics
from tickfloor.worker.vitals import Vitals

FORKED = 70
"""Exit code of a child that a worker has forked: workers have none."""
_TELEMETRY_BACKLOG = 1000
_RETRY_SECONDS = 0.01
"""Between attempts to send what the socket has not taken."""
_LAST_WORDS = 5.0
"""Seconds that a leaving worker gives its messages to be taken."""


class Worker(Protocol):
    """The domain half of a worker process."""

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Apply a command that not every worker knows.

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

    def progress(self) -> Progress:
        """Return how far the work is; cheap."""

    def traders_held(self) -> TradersHeld | None:
        """Return what traders run here, of a worker that runs traders."""

    def details(self) -> dict[str, float]:
        """Return the figures of this worker's kind."""

    def close(self) -> None:
        """Let go of everything."""


WorkerFactory = Callable[["Runtime", WorkerSettings], Worker]


class Runtime:
    """One worker process.

    Attributes:
        slot, incarnation: who this is; epoch: of the supervisor that started it.
        run_id: of every segment of this floor.
        descriptors: what the supervisor handed over, by name.
        log: what the worker says about itself.
        effects: whether something may be done to the world outside.
        vitals: what the supervisor sees without asking.
    """

    def __init__(
        self,
        *,
        slot: str,
        incarnation: int,
        epoch: int,
        run_id: int,
        connection: socket.socket,
        descriptors: Mapping[str, int],
    ) -> None:
        self.slot = slot
        self.incarnation = incarnation
        self.epoch = epoch
        self.run_id = run_id
        self.descriptors = dict(descriptors)
        self.channel: Channel[ToWorker, object] = worker_end(connection, f"{slot}.{incarnation}")  # type: ignore[assignment]
        self.vitals = Vitals(self.descriptors["vitals"])
        self.effects = Effects(self.descriptors["effects"])
        self.log = Log(slot, self._say_line)
        self._metrics = Metrics(self.say_telemetry)
        fence = Fence(incarnation=incarnation, epoch=epoch)
        self._lanes = {lane: Inbox(lane, fence=fence, apply=self._apply, reply=self.channel.send) for lane in Lane}
        self._factory: WorkerFactory | None = None
        self._worker: Worker | None = None
        self._leaving = False
        self._limiters: dict[str, Limiter] = {}
        self._telemetry_dropped = 0
        self._started = time.monotonic()
        self._poll = select.poll()
        self._poll.register(self.channel, select.POLLIN)

    def run(self, load: Callable[[], WorkerFactory]) -> int:
        """Serve until told to clean up, or until the supervisor is gone; return the exit code."""
        # A strategy that forks would leave a second worker with the same channel, place at the tape and checkpoint.
        os.register_at_fork(after_in_child=lambda: os._exit(FORKED))
        try:
            self._factory = load()
            while self._turn():
                pass
        except Exception as error:  # noqa: BLE001 - the last place that can say why the worker ends
            self._say_why(error)
            return 1
        return 0

    def _turn(self) -> bool:  # hot path
        """Hear the supervisor, work, and sleep until there is something to do; say whether to go on."""
        vitals = self.vitals
        vitals.begin_step()
        self.poll_messages()
        # Within a long step it hears the supervisor, too, and may have been told to leave.
        busy = not self._is_over() and self._worker is not None and self._worker.step()
        if self._is_over():
            return False
        vitals.end_step()
        if self.channel.flush():
            # A delta that is dropped would be lost for good: it waits until there is room.
            self._metrics.flush_if_due()
            self.log.flush_if_due()
            for limiter in self._limiters.values():
                limiter.flush_if_due()
        if not busy:
            self._wait(1.0)
        return True

    def _is_over(self) -> bool:
        return self.stopping

    def poll_messages(self) -> None:
        """Take the messages that have come; for use within a long step, too."""
        for correlation_id, message in self.channel.receive():
            if self._leaving:
                break
            current.set(correlation_id)
            if isinstance(message, Command):
                self._lanes[message.lane].take(message, correlation_id)
            elif isinstance(message, Unintelligible):
                self._metrics.increment("messages_unintelligible")
                self.log.warning("a message was not understood", reason=message.reason)
            elif self._worker is not None:
                self._worker.receive(message)
        current.set("")

    @property
    def stopping(self) -> bool:
        """Whether the supervisor has asked for the end, or is gone."""
        return self._leaving or self.channel.closed

    def applied(self, sequence: int, result: Result | None = None, error: str = "") -> None:
        """Answer a command that was put off with :class:`~tickfloor.worker.inbox.Later`."""
        self._lanes[Lane.WORK].answer(sequence, result, error)

    @property
    def metrics(self) -> MetricsPort:
        """Return where this worker counts and measures what it does."""
        return self._metrics

    def breaker(self, name: str, *, open_seconds: float, longest_open_seconds: float) -> Breaker:
        """Return a breaker whose failures are reported; five in a row open it."""
        return Breaker(name, self.channel.send, open_seconds=open_seconds, longest_open_seconds=longest_open_seconds)

    def limiter(self, name: str, *, rate: float, burst: int) -> Limiter:
        """Return a limiter of ``rate`` a second whose refusals are reported; the one of that name, if there is one."""
        if name not in self._limiters:
            self._limiters[name] = Limiter(name, self.say_telemetry, rate=rate, burst=burst)
        return self._limiters[name]

    def say_telemetry(self, message: Message) -> None:
        """Say something about this worker, unless the supervisor is so far behind that it would only pile up."""
        if self.channel.backlog >= _TELEMETRY_BACKLOG:
            self._telemetry_dropped += 1
        else:
            self.channel.send(message)

    def _say_line(self, line: LogLine) -> None:
        if line.level == "error":
            self.channel.send(line)
        else:
            self.say_telemetry(line)

    def wait_for_message(self, seconds: float) -> None:
        """Sleep until a message comes, at most so long."""
        self._poll.poll(seconds * 1000)

    def _wait(self, seconds: float) -> None:
        if self.channel.backlog:
            due = _RETRY_SECONDS
        else:
            limiters = (limiter.due_in() for limiter in self._limiters.values())
            due = min(self._metrics.due_in(), self.log.due_in(), *limiters)
        seconds = min(seconds, due)
        if self._worker is None:
            self.wait_for_message(seconds)
        else:
            self._worker.wait(seconds)

    def _apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Apply what every worker can; the rest is its own."""
        match body:
            case Cleanup():
                self._leaving = True
                self._clean_up()
                raise Later
            case Init(settings=settings):
                self._become(settings)
                return None
            case Ping():
                return self._pong()
            case GetStatus():
                return self._report()
            case Inspect():
                return Inspected(modules=tuple(sorted(sys.modules)))
            case Configure(log_level=level):
                self.log.set_level(level)
                return None
        assert self._worker is not None
        return self._worker.apply(sequence, body)

    def _become(self, settings: WorkerSettings) -> None:
        assert self._factory is not None
        try:
            self._worker = self._factory(self, settings)
        except TickfloorError as error:
            raise _CannotStartError(error) from error
        self.channel.send(Ready(pid=os.getpid(), incarnation=self.incarnation, protocol=PROTOCOL_VERSION))

    def _pong(self) -> Pong:
        if self._worker is None:
            return Pong(progress=Progress(0, 0))
        return Pong(progress=self._worker.progress(), traders=self._worker.traders_held())

    def _report(self) -> WorkerReport:
        inboxes = self._lanes.values()
        details = {} if self._worker is None else self._worker.details()
        return WorkerReport(
            uptime=time.monotonic() - self._started,
            busy=self.vitals.busy_ns / 1e9,
            commands=sum(inbox.applied for inbox in inboxes),
            duplicates=sum(inbox.repeated for inbox in inboxes),
            threads=threading.active_count(),
            descriptors=sum(1 for _ in Path("/proc/self/fd").iterdir()),
            details={**details, "telemetry_dropped": self._telemetry_dropped},
        )

    def _clean_up(self) -> None:
        if self._worker is not None:
            self._worker.close()
        for limiter in self._limiters.values():
            limiter.flush()
        self.log.flush()
        self._metrics.destroy()
        for closing in (self.vitals, self.effects):
            closing.close()
        for fd in self.descriptors.values():
            os.close(fd)
        self.channel.send(leftovers({self.channel.fileno(), 0, 1, 2}))
        self.channel.flush_within(_LAST_WORDS)

    def _say_why(self, error: Exception) -> None:
        known = error.reason if isinstance(error, _CannotStartError) else error
        self.channel.send(
            WorkerFailed(
                error=type(known).__name__,
                message=str(known),
                traceback="" if isinstance(known, TickfloorError) else traceback.format_exc(),
            )
        )
        self.channel.flush_within(_LAST_WORDS)


class _CannotStartError(Exception):
    """A worker that cannot become what it is to be: not an answer, but its end."""

    def __init__(self, reason: TickfloorError) -> None:
        super().__init__(str(reason))
        self.reason = reason
