"""Log lines on their way to the logger worker."""

from collections import deque
from collections.abc import Callable

from tickfloor.contracts.messages import LogLine
from tickfloor.supervisor.process import WorkerProcess

_BOUND = 1000


class LogService:
    """Passes log lines on; holds up to 1,000 while there is no logger, and counts what that lost.

    Attributes:
        dropped: lines given up because the bound was reached, the oldest first.
    """

    def __init__(self, logger: Callable[[], WorkerProcess | None]) -> None:
        self._logger = logger
        self._waiting: deque[LogLine] = deque()
        self.dropped = 0

    def on_line(self, process: WorkerProcess, line: LogLine) -> None:
        """Take a worker's line."""
        del process
        self.emit(line)

    def emit(self, line: LogLine) -> None:
        """Take a line of any process."""
        logger = self._logger()
        if logger is not None and logger.backlog < _BOUND:
            logger.send(line)
            return
        if len(self._waiting) >= _BOUND:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(line)

    def logger_ready(self, logger: WorkerProcess) -> None:
        """Say what has waited to a logger that has just started."""
        while self._waiting:
            logger.send(self._waiting.popleft())
