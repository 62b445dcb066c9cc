"""The process that workers are forked from: executed fresh, one thread, and only what every worker may load.

It forks twice, so that a worker is adopted by the supervisor (a child subreaper), which waits for it. The
zygote's own death kills nobody.

A kind of which there are many workers, or whose replacement must be quick, gets a template: a child of the
zygote that has loaded that kind's code, and nothing else, and forks its workers. Loading a kind takes tens of
milliseconds, forking it two.
"""

import contextlib
import gc
import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import msgspec

from tickfloor.worker.start import die_with_parent_now, run_worker

MAX_DESCRIPTORS = 200
_PRELOADED = ("ast", "bisect", "decimal", "difflib", "fnmatch", "gzip", "heapq", "json")
"""Parts of the standard library that some worker needs: loaded once here, shared by all."""


class SpawnRequest(msgspec.Struct, frozen=True):
    """What to fork; the descriptors come with the message, the channel first, then one per name.

    ``from_template``: fork a process that has loaded the entry's module already.
    """

    entry: str
    slot: str
    incarnation: int
    epoch: int
    run_id: int
    supervisor: int
    names: tuple[str, ...]
    from_template: bool


_decode = msgspec.msgpack.Decoder(SpawnRequest).decode


def serve(control: socket.socket, supervisor: int) -> None:
    """Fork a worker per request until the supervisor hangs up; answer each with the worker's pid.

    The answer 0 means that a process was killed while it forked. A worker may be there or not, so that nobody else
    may be given the same channel.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent_now(supervisor)
    for name in _PRELOADED:
        importlib.import_module(name)
    control.send(b"ready")
    templates: dict[str, Template] = {}

    def fork(body: bytes, descriptors: list[int]) -> int:
        request = _decode(body)
        if request.from_template:
            template = templates.get(request.entry)
            if template is None or not template.alive():
                others: list[socket.socket | Template] = [control, *templates.values()]
                template = templates[request.entry] = Template(request.entry, others, descriptors)
            if template.loaded:
                return template.fork(body, descriptors)
            # A worker that loads the kind itself will say why it cannot.
        return _fork_twice([control, *templates.values()], request, descriptors)

    _fork_on_request(control, fork)


class Template:
    """A child of the zygote that has loaded one kind of worker.

    Attributes:
        loaded: whether it could.
    """

    def __init__(self, entry: str, others: "Sequence[socket.socket | Template]", descriptors: list[int]) -> None:
        """Fork it; it closes what it inherits of others and of the request that is being answered."""
        self._control, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        zygote = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            for other in (self._control, *others):
                other.close()
            for fd in descriptors:
                os.close(fd)
            _leave(self._serve, entry, its, zygote)
        its.close()
        self.loaded = self._control.recv(8) == b"loaded"

    def alive(self) -> bool:
        """Say whether it can be asked still; what has died is waited for."""
        if self._pid and os.waitpid(self._pid, os.WNOHANG)[0]:
            self._pid = 0
            self.close()
        return self._pid != 0

    def fork(self, body: bytes, descriptors: list[int]) -> int:
        """Return the pid of a new worker, or 0 if the template was killed meanwhile."""
        try:
            socket.send_fds(self._control, [body], descriptors)
            answer = self._control.recv(8)
        except OSError:
            answer = b""
        if not answer:
            # Dying is not dead: waited for now, or the next request would be given to it, too.
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
            self.close()
        return int.from_bytes(answer, "little")

    def close(self) -> None:
        """Close the zygote's end."""
        self._control.close()

    @staticmethod
    def _serve(entry: str, its: socket.socket, zygote: int) -> int:
        die_with_parent_now(zygote)
        importlib.import_module(entry.partition(":")[0])
        its.send(b"loaded")
        _fork_on_request(its, lambda body, descriptors: _fork_twice([its], _decode(body), descriptors))
        return 0


def _fork_on_request(control: socket.socket, fork: Callable[[bytes, list[int]], int]) -> None:
    # What is loaded now is never collected, so that the collector does not touch, and copy, its pages in workers.
    gc.collect()
    gc.freeze()
    while True:
        body, descriptors, _, _ = socket.recv_fds(control, 1 << 16, MAX_DESCRIPTORS)
        if not body:
            return
        pid = fork(body, descriptors)
        for fd in descriptors:
            os.close(fd)
        control.send(pid.to_bytes(8, "little"))


def _leave(work: Callable[..., int], *arguments: object) -> NoReturn:
    """Run a child's whole life: the frames below belong to its parent and are never returned to."""
    code = 1
    try:
        code = work(*arguments)
    finally:
        # A reader that has gone away must not keep a child from ending here.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _fork_twice(not_its: "Sequence[socket.socket | Template]", request: SpawnRequest, descriptors: list[int]) -> int:
    """Return the pid of a worker whose parent is, or will be in a moment, the supervisor."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        forked_by = os.getpid()
        pid = os.fork()
        if pid:
            os.write(writing, pid.to_bytes(8, "little"))
            os._exit(0)
        os.close(reading)
        os.close(writing)
        for other in not_its:
            other.close()
        _leave(_become_worker, request, descriptors, forked_by)
    os.close(writing)
    os.waitpid(between, 0)
    with os.fdopen(reading, "rb") as pipe:
        return int.from_bytes(pipe.read(8), "little")


def _become_worker(request: SpawnRequest, descriptors: list[int], forked_by: int) -> int:
    return run_worker(
        entry=request.entry,
        slot=request.slot,
        incarnation=request.incarnation,
        epoch=request.epoch,
        run_id=request.run_id,
        supervisor=request.supervisor,
        forked_by=forked_by,
        connection=socket.socket(fileno=descriptors[0]),
        descriptors=dict(zip(request.names, descriptors[1:], strict=True)),
    )


if __name__ == "__main__":
    sys.path.extend(sys.argv[3:])
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
