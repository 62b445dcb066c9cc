"""A replay as a process of its own, with everything that belongs to it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

_MARK = "FLOOR_STRESS_MARK"


class FloorCommand:
    """A command under way; every process of it carries a mark in its environment.

    Attributes:
        pid: of the supervisor.
        temporary: where its temporary files would be.
    """

    def __init__(self, folder: Path, words: list[str], settings: dict[str, object]) -> None:
        self._mark = f"{_MARK}={uuid4().hex}".encode()
        self.temporary = folder / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self._errors = (folder / "stderr").open("w+b")
        name, _, mark = self._mark.decode().partition("=")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tickfloor", *words],
            cwd=folder,
            env={key: value for key, value in os.environ.items() if not key.startswith("TICKFLOOR_")}
            | {f"TICKFLOOR_{key.upper()}": str(value) for key, value in settings.items()}
            | {name: mark, "TMPDIR": str(self.temporary)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )
        self.pid = self._process.pid

    def processes(self) -> dict[int, str]:
        """Return its living processes; a worker's name is its slot, the zygote's and its templates' is not."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                    if self._mark in (entry / "environ").read_bytes().split(b"\0"):
                        found[int(entry.name)] = (entry / "comm").read_text().strip()
        return found

    def kill(self, pid: int) -> None:
        """Kill one of its processes without warning; one that is gone already is no matter."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    @property
    def running(self) -> bool:
        """Whether the supervisor lives."""
        return self._process.poll() is None

    def finish(self, seconds: float) -> int | None:
        """Return the exit code, or None if it does not end in time."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def errors(self) -> str:
        """Return what it has said on stderr."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def log(self) -> str:
        """Return what its workers have logged, if the log is ``floor.log``."""
        path = self.temporary.parent / "floor.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def left_alive(self, seconds: float) -> dict[int, str]:
        """Return what lives of it after at most so many seconds."""
        pause = select.poll()
        for _ in range(int(seconds * 100)):
            if not self.processes():
                break
            pause.poll(10)
        return self.processes()

    def close(self) -> None:
        """Leave nothing of it, whatever it did."""
        for pid in self.processes():
            self.kill(pid)
        self._process.wait()
        self._errors.close()
