"""Why a rule cannot be evaluated over a history."""

from pathlib import Path

from tickfloor.contracts.errors import TickfloorError


class HistoryError(TickfloorError):
    """The rule and the data do not fit together; the message says what would."""


class OtherInstrumentError(HistoryError):
    """The rule reads a column of another instrument, by its text."""

    def __init__(self, column: str) -> None:
        super().__init__(
            f"the rule reads {column}, and a history is of one instrument; leave that out of the rule, or replay a "
            "capture of both instruments"
        )


class DataFileError(HistoryError):
    """A file of candles or trades cannot be used; the message names it and, where it is one row's fault, its line."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}" if line else f"{path}: {reason}")
        self.path = path
        self.line = line
        self.reason = reason
