"""A process that has loaded one kind of worker and forks them: its parent's hold on it, and its own life.

What it forks may have more in common than the kind's code. If the entry's module has a function
``prepare(payload: bytes) -> None``, the template forks a child that calls it, beside the one that it has, and lets
the newest child that is done fork the workers; they share what it made. Meanwhile they are forked as before.
"""

import gc
import importlib
import os
import select
import signal
import socket
from collections.abc import Callable, Iterable
from types import ModuleType

from tickfloor.supervisor.forking import Closable, fork_twice, leave
from tickfloor.supervisor.requests import Request, SpawnRequest, answer_one, payload_of, send_payload
from tickfloor.worker.start import die_with_parent_now

_LOADED = b"loaded"

Life = Callable[[socket.socket], None]
"""What a template does with its end of the control socket: say that it has loaded, then answer requests."""


class Template:
    """A child that forks workers, as its parent holds it."""

    def __init__(self, life: Life, others: Iterable[Closable], descriptors: Iterable[int] = ()) -> None:
        """Fork it; it closes what it inherits of others and of the request that is being answered."""
        self._control, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            for other in (self._control, *others):
                other.close()
            for fd in descriptors:
                os.close(fd)
            leave(lambda: _live(life, its, parent))
        its.close()

    def fileno(self) -> int:
        """Return what can be polled for its news that it has loaded, or for its death."""
        return self._control.fileno()

    def has_loaded(self) -> bool:
        """Wait until it has loaded, and return whether it could."""
        return self._control.recv(8) == _LOADED

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
            self.end()
        return int.from_bytes(answer, "little")

    def prepare(self, entry: str, payload: bytes) -> None:
        """Have it prepare what it forks from now on; one that is dying is found dead at the next fork."""
        try:
            send_payload(self._control, entry, payload)
        except OSError:
            self.end()

    def hang_up(self) -> None:
        """Have it end by itself, with what it has forked that is no worker, and wait for that."""
        if self._pid:
            self.close()
            os.waitpid(self._pid, 0)
            self._pid = 0

    def end(self) -> None:
        """Kill it, and wait for its death."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0
            self.close()

    def close(self) -> None:
        """Close the parent's end."""
        self._control.close()


def _live(life: Life, its: socket.socket, parent: int) -> int:
    die_with_parent_now(parent)
    life(its)
    return 0


def of_entry(entry: str) -> Life:
    """Return the life of a template that has loaded an entry's module."""

    def life(control: socket.socket) -> None:
        try:
            module = importlib.import_module(entry.partition(":")[0])
        except Exception:  # noqa: BLE001 - whatever a module raises, a worker that loads it itself will say
            return
        control.send(_LOADED)
        _Loaded(control, module).serve()

    return life


def freeze() -> None:
    """See that what is there now is never collected: the collector would touch, and copy, its pages in workers."""
    gc.collect()
    gc.freeze()


class _Loaded:
    """A template's own side."""

    def __init__(self, control: socket.socket, module: ModuleType) -> None:
        self._control = control
        self._module = module
        self._payload: bytes | None = None
        self._due = False
        """whether the payload is not what the newest child was forked for"""
        self._prepared: Template | None = None
        self._coming: Template | None = None

    def serve(self) -> None:
        """Answer requests until the parent hangs up."""
        freeze()
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll()}
            coming = self._coming
            if coming is not None and coming.fileno() in ready:
                poll.unregister(coming)
                self._promote(coming)
            if self._control.fileno() in ready and not answer_one(self._control, self._answer):
                break
            if self._due and self._coming is None:
                poll.register(self._begin(), select.POLLIN)
        for child in (self._prepared, self._coming):
            if child is not None:
                child.end()

    def _answer(self, request: Request, body: bytes, descriptors: list[int]) -> int | None:
        if not isinstance(request, SpawnRequest):
            self._payload = payload_of(descriptors)
            self._due = hasattr(self._module, "prepare")
            return None
        if self._prepared is not None and not self._prepared.alive():
            self._prepared = None
        if self._prepared is not None:
            return self._prepared.fork(body, descriptors)
        # A child that was killed, or could not prepare, is made again: at most once for each worker.
        self._due = self._payload is not None and hasattr(self._module, "prepare") and self._coming is None
        return fork_twice(self._held(), request, descriptors)

    def _begin(self) -> Template:
        """Fork the next child, and let it take its time."""
        payload = self._payload
        self._due = False

        def life(control: socket.socket) -> None:
            self._module.prepare(payload)
            freeze()
            control.send(_LOADED)
            while answer_one(control, lambda request, _, fds: _fork(control, request, fds)):
                pass

        self._coming = Template(life, self._held())
        return self._coming

    def _promote(self, coming: Template) -> None:
        """Fork from the new child, if it could prepare; else as before."""
        self._coming = None
        if not coming.has_loaded():
            coming.end()
            return
        if self._prepared is not None:
            self._prepared.end()
        self._prepared = coming

    def _held(self) -> list[Closable]:
        children = (self._prepared, self._coming)
        return [self._control, *(child for child in children if child is not None)]


def _fork(control: socket.socket, request: Request, descriptors: list[int]) -> int | None:
    return fork_twice([control], request, descriptors) if isinstance(request, SpawnRequest) else None
