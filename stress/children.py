"""Child processes of a stress test, which a test kills as it likes and which never outlive it."""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Child:
    """A forked process that runs one function."""

    def __init__(self, body: Callable[[], None]) -> None:
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            code = 1
            try:
                body()
                code = 0
            except Exception:  # noqa: BLE001  (told by the exit code)
                traceback.print_exc()
            finally:
                os._exit(code)
        self._code: int | None = None

    def kill(self) -> None:
        """Kill without warning, and wait until it is dead."""
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.join()

    def join(self) -> int:
        """Wait for the end; return the exit code, negative for a signal."""
        if self._code is None:
            self._code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._code


@contextmanager
def all_killed(children: list[Child]) -> Iterator[list[Child]]:
    """Give the list back at the start, and leave none of it alive at the end."""
    try:
        yield children
    finally:
        for child in children:
            child.kill()
