"""A control socket from its first moment to its last: its owner's alone, and never there without a floor behind it."""

import fcntl
import os
import socket
import stat
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from typing import Self

from tickfloor.supervisor.control import address
from tickfloor.supervisor.control.address import ControlSocketError

_BACKLOG = 64


class ListeningSocket:
    """A unix socket that is listened at.

    Attributes:
        path: where it is; connection: its non-blocking socket.
    """

    def __init__(self, path: Path, connection: socket.socket, identity: tuple[int, int]) -> None:
        self.path = path
        self.connection = connection
        self._identity = identity

    @classmethod
    def of_user(cls, environment: Mapping[str, str]) -> Self:
        """Listen in the user's folder, and remove what floors that were killed have left there.

        Raises:
            ControlSocketError: the folder is not this user's alone, or the path is too long.
        """
        folder = address.folder(environment)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
            if found.st_uid != os.geteuid():
                raise ControlSocketError(
                    f"{folder}: belongs to user {found.st_uid}; set XDG_RUNTIME_DIR to a folder of yours, "
                    "or control_socket to a path"
                )
            if stat.S_IMODE(found.st_mode) != 0o700:
                folder.chmod(0o700)
        except OSError as error:
            raise ControlSocketError(
                f"{folder}: cannot be used: {error.strerror}; set control_socket to a path"
            ) from error
        for path in folder.glob("*.sock"):
            _remove_dead(path)
        return cls._listen(address.own_path(environment))

    @classmethod
    def at(cls, path: Path) -> Self:
        """Listen at a path that somebody has chosen.

        Raises:
            ControlSocketError: another floor listens there, something else is there, or the path is too long.
        """
        address.require_short(path)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise ControlSocketError(f"{path.parent}: cannot be used: {error.strerror}") from error
        try:
            # Two floors that start at once would both find the place free.
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _require_free(path)
            return cls._listen(path)
        except BlockingIOError as error:
            raise ControlSocketError(f"{path}: another floor is just starting here; choose another path") from error
        finally:
            os.close(held)

    @classmethod
    def _listen(cls, path: Path) -> Self:
        """Bind under another name, and show the socket under its own when it is listened at."""
        unseen = path.with_name(f".{token_hex(3)}")
        address.require_short(path)
        address.require_short(unseen)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            # Nothing else runs in this process between the two: the floor has one thread.
            before = os.umask(0o177)
            try:
                connection.bind(str(unseen))
            finally:
                os.umask(before)
            connection.listen(_BACKLOG)
            found = unseen.lstat()
            unseen.rename(path)
        except OSError as error:
            connection.close()
            unseen.unlink(missing_ok=True)
            raise ControlSocketError(f"{path}: cannot be listened at: {error.strerror}") from error
        return cls(path, connection, (found.st_dev, found.st_ino))

    def close(self) -> None:
        """Stop listening and remove the socket, unless another is at its place by now."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            found = None
        if found is not None and (found.st_dev, found.st_ino) == self._identity:
            self.path.unlink(missing_ok=True)
        self.connection.close()


def _remove_dead(path: Path) -> None:
    try:
        if stat.S_ISSOCK(path.lstat().st_mode) and address.listener(path) is None:
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        # Another floor was quicker.
        return


def _require_free(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ControlSocketError(f"{path}: is there and is no socket; set control_socket to another path")
    pid = address.listener(path)
    if pid is not None:
        raise ControlSocketError(
            f"{path}: a floor listens there already (pid {pid}); set control_socket to another path"
        )
