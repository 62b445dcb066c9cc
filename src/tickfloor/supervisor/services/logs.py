"""Log lines on their way to the logger worker."""

import os
import time
from collections import deque
from collections.abc import Callable

from tickfloor.contracts.events import LogLine
from tickfloor.supervisor.process import WorkerProcess

_BOUND = 1000


class LogService:
    """Passes log lines on in their order; holds up to 1,000 that no logger takes, and says what that lost.

    Attributes:
        dropped: lines given up because the bound was reached, the oldest first.
    """

    def __init__(self, logger: Callable[[], WorkerProcess | None], tail: Callable[[LogLine], None]) -> None:
        self._logger = logger
        self._tail = tail
        self._waiting: deque[LogLine] = deque()
        self.dropped = 0
        self._owned_up = 0

    def on_line(self, process: WorkerProcess, line: LogLine) -> None:
        """Take a worker's line."""
        del process
        self.emit(line)

    def emit(self, line: LogLine) -> None:
        """Take a line of any process."""
        self._tail(line)
        if len(self._waiting) >= _BOUND:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(line)
        logger = self._logger()
        if logger is not None:
            self._pass_on(logger)

    def logger_ready(self, logger: WorkerProcess) -> None:
        """Say what has waited to a logger that has just started."""
        self._pass_on(logger)

    def flush(self) -> None:
        """Say everything that waits, however far behind the logger is: nothing else will come."""
        logger = self._logger()
        if logger is not None:
            self._pass_on(logger, within=None)

    def _pass_on(self, logger: WorkerProcess, within: int | None = _BOUND) -> None:
        while self._waiting and (within is None or logger.backlog < within):
            if self.dropped > self._owned_up:
                logger.send(_confession(self.dropped - self._owned_up))
                self._owned_up = self.dropped
            logger.send(self._waiting.popleft())


def _confession(lines: int) -> LogLine:
    return LogLine(
        ts=time.time_ns(),
        level="warning",
        slot="supervisor",
        pid=os.getpid(),
        event="log lines dropped",
        fields={"lines": lines},
    )
