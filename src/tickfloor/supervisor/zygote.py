"""The process that workers are forked from: executed fresh, one thread, and only what every worker may load.

It forks twice, so that a worker is adopted by the supervisor (a child subreaper), which waits for it. The
zygote's own death kills nobody.

A kind of which there are many workers, or whose replacement must be quick, gets a template: a child of the
zygote that has loaded that kind's code, and nothing else, and forks its workers. Loading a kind takes tens of
milliseconds, forking it two.
"""

import importlib
import signal
import socket
import sys

from tickfloor.supervisor.forking import Closable, fork_twice
from tickfloor.supervisor.requests import PrepareRequest, Request, SpawnRequest, answer_one, payload_of
from tickfloor.supervisor.template import Template, freeze, of_entry
from tickfloor.worker.start import die_with_parent_now

_PRELOADED = ("ast", "bisect", "decimal", "difflib", "fnmatch", "gzip", "heapq", "json")
"""Parts of the standard library that some worker needs: loaded once here, shared by all."""


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
    zygote = _Zygote(control)
    freeze()
    while answer_one(control, zygote.answer):
        pass
    zygote.end()


class _Zygote:
    """The templates, by entry, and what each was last asked to prepare."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._templates: dict[str, Template] = {}
        self._payloads: dict[str, bytes] = {}

    def answer(self, request: Request, body: bytes, descriptors: list[int]) -> int | None:
        """Do what is asked; return the pid of a worker that was forked."""
        match request:
            case PrepareRequest(entry=entry):
                self._prepare(entry, payload_of(descriptors))
                return None
            case SpawnRequest(from_template=True, entry=entry):
                template = self._template(entry, descriptors)
                if template is not None:
                    return template.fork(body, descriptors)
        return fork_twice(self._held(), request, descriptors)

    def end(self) -> None:
        """End the templates; workers go on."""
        for template in self._templates.values():
            template.hang_up()

    def _prepare(self, entry: str, payload: bytes) -> None:
        self._payloads[entry] = payload
        template = self._templates.get(entry)
        if template is not None and template.alive():
            template.prepare(entry, payload)

    def _template(self, entry: str, descriptors: list[int]) -> Template | None:
        """Return the template of an entry, or None if it cannot load: a worker that loads it itself will say why."""
        template = self._templates.get(entry)
        if template is not None and template.alive():
            return template
        template = Template(of_entry(entry), self._held(), descriptors)
        if not template.has_loaded():
            template.end()
            return None
        self._templates[entry] = template
        if entry in self._payloads:
            template.prepare(entry, self._payloads[entry])
        return template

    def _held(self) -> list[Closable]:
        return [self._control, *self._templates.values()]


if __name__ == "__main__":
    sys.path.extend(sys.argv[3:])
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
