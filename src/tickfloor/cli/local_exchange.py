"""A simulated exchange in a process of its own, for as long as a command needs it."""

import ctypes
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from tickfloor.contracts.errors import TickfloorError

_PR_SET_PDEATHSIG: Final = 1
_START_SECONDS: Final = 20.0
_END_SECONDS: Final = 5.0
_libc = ctypes.CDLL(None)


class LocalExchange(msgspec.Struct, frozen=True):
    """Where it listens, on the loopback interface."""

    stream_url: str
    rest_url: str


@contextmanager
def local_exchange(arguments: Sequence[str]) -> Iterator[LocalExchange]:
    """Run ``tickfloor simulate`` with these arguments meanwhile; it ends with this process, however that ends.

    Raises:
        TickfloorError: it did not start, and why.
    """
    # A session of its own: Ctrl-C is for the floor, which must not lose its market before it has stopped.
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "tickfloor", "simulate", "--json", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )
    try:
        yield _address(process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _address(process: "subprocess.Popen[bytes]") -> LocalExchange:
    assert process.stdout is not None
    assert process.stderr is not None
    if select.select([process.stdout], [], [], _START_SECONDS)[0] and (line := process.stdout.readline()):
        return msgspec.json.decode(line, type=LocalExchange)
    process.kill()
    said = process.stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
    raise TickfloorError(f"the simulated exchange did not start: {said or f'no word in {_START_SECONDS:.0f} s'}")


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
