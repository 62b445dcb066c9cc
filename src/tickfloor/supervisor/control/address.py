"""Where a floor's control socket is, and which of those that are there have a floor behind them."""

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex

from tickfloor.contracts.errors import TickfloorError

_LONGEST = 107
"""Bytes of a unix socket's path: 108 with the zero after them."""
_PEER = struct.Struct("iII")


class ControlSocketError(TickfloorError):
    """A control socket cannot be where it shall be."""


def folder(environment: Mapping[str, str]) -> Path:
    """Return where the control sockets of a user's floors are.

    Raises:
        ControlSocketError: the environment names no folder of the user's.
    """
    return _folders(environment)[0]


def own_path(environment: Mapping[str, str]) -> Path:
    """Return a path in the user's folder that no other floor has or had.

    Because a name never comes again, one where nobody listens is dead for good.
    """
    return folder(environment) / f"{os.getpid()}-{token_hex(4)}.sock"


def sockets(environment: Mapping[str, str]) -> list[Path]:
    """Return what is in the user's folders, with or without a floor behind it.

    A floor that a service started may have another one than a command in a session, so both are looked into.
    """
    return [path for where in _folders(environment) for path in sorted(where.glob("*.sock"))]


def _folders(environment: Mapping[str, str]) -> list[Path]:
    runtime, home = Path(environment.get("XDG_RUNTIME_DIR", "")), Path(environment.get("HOME", ""))
    folders = []
    if runtime.is_absolute():
        folders.append(runtime / "tickfloor")
    if home.is_absolute():
        folders.append(home / ".tickfloor" / "run")
    if not folders:
        raise ControlSocketError("neither XDG_RUNTIME_DIR nor HOME names a folder; set control_socket to a path")
    return folders


def listener(path: Path) -> int | None:
    """Return the pid of the process that listens at a path; None if nobody does, or nothing is there.

    Raises:
        ControlSocketError: it is nobody's to say: no permission, or no socket.
    """
    require_short(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return None
        except BlockingIOError:
            # Somebody listens who is too busy to take another connection: then its pid cannot be known, either.
            return 0
        except OSError as error:
            raise ControlSocketError(f"{path}: cannot be connected to: {error.strerror}") from error
        return peer(probe)[0]


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return pid and user id of who is at the other end, as the kernel knows them."""
    pid, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return pid, uid


def require_short(path: Path) -> None:
    """Raise if a path is too long for a unix socket.

    Raises:
        ControlSocketError: it is.
    """
    size = len(os.fsencode(path))
    if size > _LONGEST:
        raise ControlSocketError(
            f"{path}: a control socket's path may have {_LONGEST} bytes and this has {size}; "
            "set control_socket to a shorter one"
        )
