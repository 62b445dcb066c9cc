"""``tickfloor doctor``: can this machine run a floor?"""

import os
import platform
import sys
from collections.abc import Callable

import msgspec

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import data, fail
from tickfloor.contracts.errors import TickfloorError


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at."""

    what: str
    healthy: bool
    found: str


def examine(as_json: bool) -> None:
    """Print what was found; end with exit code 6 if something is missing."""
    findings = [_look(what, look) for what, look in _LOOKS.items()]
    if as_json:
        data(msgspec.json.encode(findings).decode())
    else:
        for finding in findings:
            data(f"{'ok     ' if finding.healthy else 'MISSING'}  {finding.what:<16} {finding.found}")
    missing = [finding.what for finding in findings if not finding.healthy]
    if missing:
        fail(f"this machine cannot run a floor: {', '.join(missing)}", ExitCode.UNHEALTHY)


def _look(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except (OSError, AttributeError, ImportError, TickfloorError) as error:
        return Finding(what, False, str(error))


def _python() -> str:
    if sys.platform != "linux":
        raise OSError(f"{sys.platform}: workers are supervised with Linux's pidfd and subreaper")
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _shared_memory() -> str:
    from tickfloor.board import segment
    from tickfloor.board.host_memory import available_memory

    fd = segment.create_page("doctor")
    segment.map_writable(fd).close()
    os.close(segment.read_only(fd))
    os.close(fd)
    return f"{available_memory() / (1 << 30):.1f} GiB available"


def _fences() -> str:
    from tickfloor.board import fences

    fences.full()
    return f"through {fences.BACKEND}"


def _doorbells() -> str:
    fd = os.eventfd(0)
    os.eventfd_write(fd, 1)
    os.eventfd_read(fd)
    os.close(fd)
    return "eventfd"


def _supervision() -> str:
    os.close(os.pidfd_open(os.getpid()))
    return "pidfd"


def _descriptors() -> str:
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit < 256:
        raise OSError(f"only {limit} files may be open; raise it with ulimit -n 1024")
    return f"{limit} files may be open"


_LOOKS: dict[str, Callable[[], str]] = {
    "python": _python,
    "shared memory": _shared_memory,
    "memory fences": _fences,
    "doorbells": _doorbells,
    "supervision": _supervision,
    "descriptors": _descriptors,
}
