"""One recorder a folder."""

import fcntl
import os
from pathlib import Path

from tickfloor.contracts.errors import TickfloorError


class RecordingError(TickfloorError):
    """Nothing can be recorded there."""


def locked(folder: Path) -> int:
    """Make a folder and keep others from recording in it until the descriptor is closed.

    Raises:
        RecordingError: it cannot be made or written, or somebody else records in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise RecordingError(f"{folder} cannot be recorded into: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise RecordingError(f"something is recorded into {folder} already; choose another folder") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        os.close(descriptor)
        raise RecordingError(f"{folder} cannot be recorded into: permission denied")
    return descriptor
