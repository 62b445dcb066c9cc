"""The log as a worker sees it: every line becomes a message, and the logger worker owns the sinks."""

import os
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from tickfloor.contracts.events import LogLine
from tickfloor.contracts.ports import FieldValue
from tickfloor.worker.correlation import current
from tickfloor.worker.deadline import Deadline
from tickfloor.worker.token_bucket import TokenBucket

Level = Literal["debug", "info", "warning", "error"]

_RANKS: dict[Level, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}
_LINES_PER_SECOND = 200
_BURST = 1000
_OWN_UP_SECONDS = 1.0


class Log:
    """Says log lines in the name of one process.

    A storm of lines is cut to 200 a second after a burst of 1,000, and what was cut is owned up to once a second in
    a line of its own. Warnings have an allowance to themselves, so that no storm of lesser lines hides them; errors
    are always said.

    Attributes:
        suppressed: lines that were cut, ever.
    """

    def __init__(
        self,
        slot: str,
        emit: Callable[[LogLine], object],
        *,
        least: Level = "debug",
        clock: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        """Make a log.

        Args:
            slot: whose lines these are.
            emit: takes them.
            least: level below which a line is not said.
            clock: monotonic ns.
            now: ns UTC, for the lines.
        """
        self.suppressed = 0
        self._slot = slot
        self._emit = emit
        self._now = now
        self._pid = os.getpid()
        self._said = 0
        self._least = least
        lesser = TokenBucket(_LINES_PER_SECOND, _BURST, clock=clock)
        self._allowances: dict[Level, TokenBucket] = {
            "debug": lesser,
            "info": lesser,
            "warning": TokenBucket(_LINES_PER_SECOND, _BURST, clock=clock),
        }
        self._cut: Counter[str] = Counter()
        self._deadline = Deadline(_OWN_UP_SECONDS, clock)

    @property
    def level(self) -> Level:
        """The least level that is said."""
        return self._least

    def set_level(self, least: Level) -> None:
        """Say lines of this level and above from now on."""
        self._least = least

    def debug(self, event: str, *, correlation_id: str = "", **fields: FieldValue) -> None:
        """Say what only a developer wants to know."""
        self._say("debug", event, correlation_id, fields)

    def info(self, event: str, *, correlation_id: str = "", **fields: FieldValue) -> None:
        """Say what happened as it should."""
        self._say("info", event, correlation_id, fields)

    def warning(self, event: str, *, correlation_id: str = "", **fields: FieldValue) -> None:
        """Say what somebody should look at."""
        self._say("warning", event, correlation_id, fields)

    def error(self, event: str, *, correlation_id: str = "", **fields: FieldValue) -> None:
        """Say what failed."""
        self._say("error", event, correlation_id, fields)

    def flush_if_due(self) -> None:
        """Own up to lines that were cut, if that has waited long enough."""
        if self._deadline.passed:
            self.flush()

    def due_in(self) -> float:
        """Return the seconds until there is something to own up to; infinity when nothing was cut."""
        return self._deadline.due_in()

    def flush(self) -> None:
        """Own up to lines that were cut, now; at the end, too, because no other line may come."""
        self._deadline.stop()
        if self._cut:
            cut, self._cut = self._cut, Counter()
            self._line("warning", "log lines suppressed", "", dict(cut))

    def _say(self, level: Level, event: str, correlation_id: str, fields: dict[str, FieldValue]) -> None:
        if _RANKS[level] < _RANKS[self._least]:
            return
        allowance = self._allowances.get(level)
        if allowance is not None and not allowance.take():
            self.suppressed += 1
            self._cut[level] += 1
            self._deadline.start()
            return
        # Before the line: what was cut came before it.
        self.flush_if_due()
        self._line(level, event, correlation_id, fields)

    def _line(self, level: Level, event: str, correlation_id: str, fields: dict[str, FieldValue]) -> None:
        self._said += 1
        self._emit(
            LogLine(
                ts=self._now(),
                level=level,
                slot=self._slot,
                pid=self._pid,
                event=event,
                fields=fields,
                correlation_id=correlation_id or current.get() or f"{self._slot}:log-{self._said}",
            )
        )
