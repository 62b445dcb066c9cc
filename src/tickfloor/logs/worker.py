"""The logger worker: the one process that writes logs."""

import sys
from datetime import UTC, datetime
from typing import IO, Any

import structlog

from tickfloor.contracts.commands import CommandBody, Progress, Result
from tickfloor.contracts.errors import ConfigError, TickfloorError
from tickfloor.contracts.events import LogLine
from tickfloor.contracts.messages import ToWorker
from tickfloor.contracts.settings import LoggerSettings, WorkerSettings
from tickfloor.contracts.traders import TradersHeld
from tickfloor.worker.runtime import Runtime

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LoggerWorker:
    """Renders log lines, as text for people or as JSON lines, into one sink."""

    def __init__(self, runtime: Runtime, settings: LoggerSettings) -> None:
        self._runtime = runtime
        self._least = _LEVELS[settings.level]
        self._sink: IO[str] = _open(settings.path)
        self._written = 0
        colours = settings.path == "" and sys.stderr.isatty()
        self._render: Any = (
            structlog.processors.JSONRenderer()
            if settings.form == "json"
            else structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=24)
        )

    def apply(self, sequence: int, body: CommandBody) -> Result | None:
        """Refuse: nothing but cleanup is for a logger."""
        del sequence
        raise TickfloorError(f"a logger worker does not know {type(body).__name__}")

    def receive(self, message: ToWorker) -> None:
        """Write a line."""
        if isinstance(message, LogLine) and _LEVELS[message.level] >= self._least:
            self._sink.write(self._render(None, message.level, _event_of(message)) + "\n")
            self._written += 1

    def step(self) -> bool:
        """Make what was written visible."""
        self._sink.flush()
        return False

    def wait(self, seconds: float) -> None:
        """Sleep until a message comes."""
        self._runtime.wait_for_message(seconds)

    def progress(self) -> Progress:
        """Return lines written; none ever waits."""
        return Progress(self._written, 0)

    def traders_held(self) -> TradersHeld | None:
        """No trader runs here."""
        return None

    def details(self) -> dict[str, float]:
        """Return the figures of this worker."""
        return {"lines": self._written}

    def close(self) -> None:
        """Close the sink."""
        self._sink.flush()
        if self._sink is not sys.stderr:
            self._sink.close()


def _event_of(line: LogLine) -> dict[str, Any]:
    seconds, ns = divmod(line.ts, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    event: dict[str, Any] = {
        "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}.{ns // 1_000_000:03d}Z",
        "level": line.level,
        "event": line.event,
        "slot": line.slot,
        "pid": line.pid,
    }
    if line.correlation_id:
        event["correlation_id"] = line.correlation_id
    return event | line.fields


def _open(path: str) -> IO[str]:
    if not path:
        return sys.stderr
    try:
        return open(path, "a", encoding="utf-8")  # noqa: PTH123 - closed with the worker
    except OSError as error:
        raise ConfigError(f"the log file {path} cannot be written: {error.strerror}") from error


def make(runtime: Runtime, settings: WorkerSettings) -> LoggerWorker:
    """Make the worker of a logger slot."""
    assert isinstance(settings, LoggerSettings)
    return LoggerWorker(runtime, settings)
