"""A command's end of a floor's control socket."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from tickfloor.cli.exit_codes import ExitCode
from tickfloor.cli.output import fail, say
from tickfloor.supervisor.control import address
from tickfloor.supervisor.control.address import ControlSocketError
from tickfloor.supervisor.control.framing import HEADER, LARGEST_ANSWER, LARGEST_REQUEST, framed
from tickfloor.supervisor.control.replies import Answer, RefusalKind, Refused
from tickfloor.supervisor.control.requests import ControlRequest, question

R = TypeVar("R")

_CODES = {
    RefusalKind.NOT_FOUND: ExitCode.NOT_FOUND,
    RefusalKind.INVALID: ExitCode.INVALID,
    RefusalKind.REFUSED: ExitCode.REFUSED,
    RefusalKind.BUSY: ExitCode.BUSY,
    RefusalKind.FAILED: ExitCode.FAILURE,
    RefusalKind.TIMEOUT: ExitCode.TIMEOUT,
}


class RefusedByFloorError(Exception):
    """The floor did not do what it was asked."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused
        self.code = _CODES[refused.kind]


class FloorConnection:
    """A connection to a running floor; what goes wrong with it ends the command.

    Attributes:
        correlation_id: that the floor gave to the last request; empty before the first.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        """Connect; an answer is waited for so many seconds."""
        self.correlation_id = ""
        self._path = path
        self._seconds = seconds
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(seconds)
        try:
            address.require_short(path)
            self._socket.connect(str(path))
        except ControlSocketError as error:
            fail(str(error), ExitCode.NOT_FOUND)
        except (FileNotFoundError, ConnectionRefusedError):
            fail(f"no floor listens at {path}", ExitCode.NOT_FOUND)
        except TimeoutError:
            self._late()
        except OSError as error:
            fail(f"{path}: cannot be connected to: {error.strerror}")

    def ask(self, request: ControlRequest, kind: type[R]) -> R:
        """Return the floor's reply to a request.

        Raises:
            RefusedByFloorError: it is a refusal.
        """
        self._say(request)
        reply = self._hear()
        if not isinstance(reply, kind):
            fail(f"the floor replied with {type(reply).__name__}; use the tickfloor that it was started with")
        return reply

    def follow(self, request: ControlRequest, kind: type[R]) -> Iterator[R]:
        """Yield the floor's replies to a request until the floor ends.

        Raises:
            RefusedByFloorError: one is a refusal.
        """
        yield self.ask(request, kind)
        self._socket.settimeout(None)
        while True:
            reply = self._hear()
            assert isinstance(reply, kind)
            yield reply

    def effect(self, reply: msgspec.Struct) -> dict[str, Any]:
        """Return an action's reply for a program, with the id by which ``debug trace`` finds what it led to."""
        return {**msgspec.structs.asdict(reply), "correlation_id": self.correlation_id}

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _say(self, request: ControlRequest) -> None:
        payload = msgspec.json.encode(question(request))
        if len(payload) > LARGEST_REQUEST:
            fail(f"that is too much for one request: it may have {LARGEST_REQUEST:,} bytes", ExitCode.INVALID)
        try:
            self._socket.sendall(framed(payload))
        except TimeoutError:
            self._late()
        except OSError:
            # It has said why it hung up, and that is still to be read.
            return

    def _hear(self) -> object:
        try:
            (size,) = HEADER.unpack(self._read(HEADER.size))
            if size > LARGEST_ANSWER:
                fail(f"{self._path}: what answers there is no floor")
            answer = msgspec.json.decode(self._read(size), type=Answer)
        except TimeoutError:
            self._late()
        except OSError as error:
            fail(f"the floor at {self._path} has gone: {error.strerror}; what was asked may have been done")
        except msgspec.MsgspecError as error:
            fail(f"the floor's answer cannot be understood ({error}); use the tickfloor that it was started with")
        self.correlation_id = answer.correlation_id
        if isinstance(answer.reply, Refused):
            raise RefusedByFloorError(answer.reply)
        return answer.reply

    def _late(self) -> NoReturn:
        fail(
            f"the floor at {self._path} has not answered within {self._seconds:g} s; "
            "what was asked may still be done (--timeout waits longer)",
            ExitCode.TIMEOUT,
        )

    def _read(self, size: int) -> bytes:
        taken = bytearray()
        while len(taken) < size:
            chunk = self._socket.recv(min(size - len(taken), 1 << 20))
            if not chunk:
                raise ConnectionResetError(0, "it hung up")
            taken += chunk
        return bytes(taken)


@contextmanager
def connected(choice: str | None, seconds: float) -> Iterator[FloorConnection]:
    """Connect to the floor of a socket's path or a pid, or to the only one; a refusal ends the command."""
    connection = FloorConnection(_choose(choice), seconds)
    try:
        yield connection
    except RefusedByFloorError as error:
        if error.refused.problems:
            _say_problems(error.refused)
        traceable = error.refused.kind in (RefusalKind.FAILED, RefusalKind.TIMEOUT) and connection.correlation_id
        fail(f"{error} [{connection.correlation_id}]" if traceable else str(error), error.code)
    finally:
        connection.close()


def running_floors() -> list[tuple[int, Path]]:
    """Return pid and socket of every floor of this user that listens in the user's folder."""
    floors = []
    for path in address.sockets(os.environ):
        try:
            pid = address.listener(path)
        except ControlSocketError:
            # Not one that this user may speak to.
            continue
        if pid is not None:
            floors.append((pid, path))
    return floors


def _choose(choice: str | None) -> Path:
    if choice is not None and not choice.isdecimal():
        return Path(choice)
    try:
        floors = running_floors()
    except ControlSocketError as error:
        fail(str(error))
    listed = "".join(f"\n  {pid}  {path}" for pid, path in floors)
    if choice is not None:
        found = [path for pid, path in floors if pid == int(choice)]
        if not found:
            fail(f"no floor runs as process {choice}; there are:{listed or ' none'}", ExitCode.NOT_FOUND)
        return found[0]
    if not floors:
        fail("no floor is running; start one with tickfloor demo, or tickfloor run", ExitCode.NOT_FOUND)
    if len(floors) > 1:
        fail(f"several floors are running; choose one with --floor and its pid or socket:{listed}", ExitCode.USAGE)
    return floors[0][1]


def _say_problems(refused: Refused) -> None:
    from tickfloor.traders.language.errors import excerpt

    for problem in refused.problems:
        say(f"trader {problem.trader!r}: {problem.message}")
        line, caret = excerpt(problem.text, problem.column)
        say(f"    {line}\n    {caret}")
        if problem.hint:
            say(f"    {problem.hint}")
