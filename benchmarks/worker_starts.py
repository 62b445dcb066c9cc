"""Ways to start a real trader worker and to wait until it is ready."""

import contextlib
import multiprocessing
import os
import secrets
import select
import signal
import socket
import time
from multiprocessing.reduction import DupFd
from typing import Any

import msgspec

from tickfloor.board.board_layout import BoardLayout
from tickfloor.board.board_writer import create_board
from tickfloor.board.segment import read_only
from tickfloor.board.tape_reader import attach_reader
from tickfloor.board.tape_writer import create_tape
from tickfloor.contracts.commands import Cleanup, Init
from tickfloor.contracts.events import Ready
from tickfloor.contracts.messages import Command, Lane
from tickfloor.contracts.settings import TraderSettings
from tickfloor.supervisor.zygote_client import ZygoteClient, adopt_orphans
from tickfloor.worker import checkpoint, effects, vitals
from tickfloor.worker.channel import Channel, supervisor_end
from tickfloor.worker.runtime import Runtime

ENTRY = "tickfloor.traders.worker:make"
READY_SECONDS = 30.0


class Segments:
    """What a trader worker is handed."""

    def __init__(self) -> None:
        self.run_id = secrets.randbits(62)
        tape, readers = create_tape("benchmark", 1 << 16, self.run_id)
        board = create_board("benchmark", BoardLayout(256, 500), self.run_id)
        attach_reader(readers, 0)
        self.descriptors = {
            "tape": read_only(tape),
            "readers": readers,
            "board": read_only(board),
            "checkpoint": checkpoint.create("benchmark"),
            "doorbell": os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK),
            "vitals": vitals.create("benchmark"),
            "effects": effects.create(),
        }


class Started:
    """A worker that has said that it is ready."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self._channel: Channel[Any, Any] = supervisor_end(connection, "benchmark")
        self._sequence = 0
        self._say(Init(settings=TraderSettings(source="benchmark", tape="benchmark", reader=0)))
        self._wait_until_ready()

    def _say(self, body: Init | Cleanup) -> None:
        self._sequence += 1
        raw = msgspec.Raw(msgspec.msgpack.encode(body))
        self._channel.send(
            Command(epoch=1, incarnation=1, lane=Lane.WORK, sequence=self._sequence, settled=0, body=raw)
        )

    def _wait_until_ready(self) -> None:
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        until = time.monotonic() + READY_SECONDS
        while True:
            poll.poll(1000)
            if any(isinstance(message, Ready) for _, message in self._channel.receive()):
                return
            if self._channel.closed or time.monotonic() > until:
                raise RuntimeError(f"worker {self.pid} did not become ready")

    def end(self) -> None:
        """Clean the worker up and wait for it."""
        self._say(Cleanup())
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._channel.close()


class Templates:
    """tickfloor's own way."""

    def __init__(self, segments: Segments) -> None:
        adopt_orphans()
        self._segments = segments
        self._zygote = ZygoteClient()
        self.start().end()

    def start(self) -> Started:
        """Start one worker."""
        ours, its = socket.socketpair()
        pid = self._zygote.spawn(
            entry=ENTRY,
            slot="trader-1",
            incarnation=1,
            epoch=1,
            run_id=self._segments.run_id,
            connection=its,
            descriptors=self._segments.descriptors,
            from_template=True,
        )
        its.close()
        return Started(pid, ours)


class Multiprocessing:
    """The standard library's way."""

    def __init__(self, segments: Segments, method: str) -> None:
        self._segments = segments
        self._context: Any = multiprocessing.get_context(method)
        if method == "forkserver":
            self._context.set_forkserver_preload(["benchmarks.worker_starts", "tickfloor.traders.worker"])
        self._processes: dict[int, Any] = {}
        self.start().end()

    def start(self) -> Started:
        """Start one worker."""
        ours, its = socket.socketpair()
        process = self._context.Process(target=_serve, args=(its, self._segments))
        process.start()
        its.close()
        self._processes[process.pid] = process
        return Started(process.pid, ours)


def _serve(connection: socket.socket, segments: "_Sent") -> None:
    from tickfloor.traders.worker import make

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    descriptors = {name: fd.detach() for name, fd in segments.descriptors.items()}
    runtime = Runtime(
        slot="trader-1", incarnation=1, epoch=1, run_id=segments.run_id, connection=connection, descriptors=descriptors
    )
    os._exit(runtime.run(lambda: make))


class _Sent:
    """Segments on their way to another process."""

    def __init__(self, run_id: int, descriptors: dict[str, Any]) -> None:
        self.run_id = run_id
        self.descriptors = descriptors


def _reduce(segments: Segments) -> tuple[type[_Sent], tuple[int, dict[str, Any]]]:
    return _Sent, (segments.run_id, {name: DupFd(fd) for name, fd in segments.descriptors.items()})


multiprocessing.reduction.register(Segments, _reduce)
