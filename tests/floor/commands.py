"""The command line as a user runs it, and what it leaves behind."""

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from tests.waiting import PATIENCE, until

_MARK = "FLOOR_TEST_MARK"


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.out, f"it ended with {self.code} and said nothing but: {self.err}"
        return json.loads(self.out)


class Command:
    """A command under way. Every process of it carries a mark in its environment, by which it is found."""

    def __init__(self, folder: Path, *words: str | Path, **settings: object) -> None:
        self._mark = uuid4().hex
        # What it leaves behind it would leave here.
        self.temporary = folder / f"tmp-{self._mark[:8]}"
        self.temporary.mkdir()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TICKFLOOR_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tickfloor", *map(str, words)],
            cwd=folder,
            env=clean
            | {_MARK: self._mark, "TMPDIR": str(self.temporary), "COLUMNS": "160"}
            | {f"TICKFLOOR_{name.upper()}": str(value) for name, value in settings.items()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        self._process.communicate()

    def processes(self) -> dict[int, str]:
        """Return every living process of this command, by pid, with its name; workers bear their slot's."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if f"{_MARK}={self._mark}".encode() in (entry / "environ").read_bytes():
                        found[int(entry.name)] = (entry / "comm").read_text().strip()
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
        return found

    def worker(self, slot: str) -> int:
        """Return the pid of a slot's worker once it is there."""
        until(lambda: slot in self.processes().values(), f"{slot} is there")
        return next(pid for pid, name in self.processes().items() if name == slot)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def finish(self, within: float = PATIENCE) -> Finished:
        out, err = self._process.communicate(timeout=within)
        return Finished(self._process.returncode, out, err)

    @property
    def running(self) -> bool:
        pidfd = os.pidfd_open(self.pid)
        try:
            return not select.select([pidfd], [], [], 0)[0]
        finally:
            os.close(pidfd)

    def until_nothing_is_left(self) -> None:
        """Return when no process of it lives: then no memory of it does, which only their descriptors held."""
        until(lambda: not self.processes(), f"left alive: {self.processes()}", within=5.0)
        assert list(self.temporary.iterdir()) == []


def tickfloor(folder: Path, *words: str | Path, **settings: object) -> Finished:
    """Run a command to its end and make sure that nothing of it is left."""
    with Command(folder, *words, **settings) as command:
        finished = command.finish(120.0)
        command.until_nothing_is_left()
    return finished


def stored(database: Path) -> int:
    """Return how many signals a database holds, also while it is written."""
    if not database.exists():
        return 0
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10.0)
    try:
        return int(connection.execute("SELECT count(*) FROM signals").fetchone()[0])
    except sqlite3.OperationalError:
        # It is there, and has no tables yet.
        return 0
    finally:
        connection.close()
