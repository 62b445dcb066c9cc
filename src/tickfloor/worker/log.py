"""The log as a worker sees it: every line becomes a message, and the logger worker owns the sinks."""

import os
import time
from collections.abc import Callable
from typing import Literal

from tickfloor.contracts.messages import LogLine

FieldValue = str | int | float | bool | None


class Log:
    """Says log lines in the name of one process."""

    def __init__(self, slot: str, emit: Callable[[LogLine], None]) -> None:
        self._slot = slot
        self._emit = emit
        self._pid = os.getpid()

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

    def _say(
        self,
        level: Literal["debug", "info", "warning", "error"],
        event: str,
        correlation_id: str,
        fields: dict[str, FieldValue],
    ) -> None:
        self._emit(
            LogLine(
                ts=time.time_ns(),
                level=level,
                slot=self._slot,
                pid=self._pid,
                event=event,
                fields=fields,
                correlation_id=correlation_id,
            )
        )
