"""The process that workers are forked from: executed fresh, one thread, and only what every worker may load.

It forks twice, so that a worker is adopted by the supervisor (a child subreaper), which waits for it. The
zygote's own death kills nobody.
"""

import gc
import os
import signal
import socket
import sys

import msgspec

from tickfloor.worker.start import die_with_parent_now, run_worker

MAX_DESCRIPTORS = 200
_PRELOADED = ("ast", "bisect", "decimal", "difflib", "fnmatch", "gzip", "heapq", "json")
"""Parts of the standard library that some worker needs: loaded once here, shared by all."""


class SpawnRequest(msgspec.Struct, frozen=True):
    """What to fork; the descriptors come with the message, the channel first, then one per name."""

    entry: str
    slot: str
    incarnation: int
    run_id: int
    supervisor: int
    names: tuple[str, ...]


def serve(control: socket.socket, supervisor: int) -> None:
    """Fork a worker per request until the supervisor hangs up; answer each with the worker's pid."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent_now(supervisor)
    for name in _PRELOADED:
        __import__(name)
    decode = msgspec.msgpack.Decoder(SpawnRequest).decode
    # What is loaded now is never collected, so that the collector does not touch, and copy, its pages in workers.
    gc.collect()
    gc.freeze()
    control.send(b"ready")
    while True:
        body, descriptors, _, _ = socket.recv_fds(control, 1 << 16, MAX_DESCRIPTORS)
        if not body:
            return
        pid = _fork_twice(control, decode(body), descriptors)
        for fd in descriptors:
            os.close(fd)
        control.send(pid.to_bytes(8, "little"))


def _fork_twice(control: socket.socket, request: SpawnRequest, descriptors: list[int]) -> int:
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
        control.close()
        _become_worker(request, descriptors, forked_by)
    os.close(writing)
    os.waitpid(between, 0)
    with os.fdopen(reading, "rb") as pipe:
        return int.from_bytes(pipe.read(8), "little")


def _become_worker(request: SpawnRequest, descriptors: list[int], forked_by: int) -> None:
    code = 1
    try:
        code = run_worker(
            entry=request.entry,
            slot=request.slot,
            incarnation=request.incarnation,
            run_id=request.run_id,
            supervisor=request.supervisor,
            forked_by=forked_by,
            connection=socket.socket(fileno=descriptors[0]),
            descriptors=dict(zip(request.names, descriptors[1:], strict=True)),
        )
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not sys.exit: the frames below belong to the zygote.
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
