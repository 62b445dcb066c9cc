"""Every error tickfloor raises on purpose; the message says what to do next."""


class TickfloorError(Exception):
    """Base of all."""


class SegmentError(TickfloorError):
    """A shared-memory segment cannot be made or mapped."""


class OutOfMemoryError(SegmentError):
    """The host lacks the memory for a segment."""


class LayoutMismatchError(SegmentError):
    """A segment was made by another layout version, run or writer."""


class TapeOverrunError(TickfloorError):
    """A reader fell more than a ring behind: the records in ``[first_lost, resume_at)`` are gone for it."""

    def __init__(self, first_lost: int, resume_at: int) -> None:
        super().__init__(
            f"reader overrun: records {first_lost} to {resume_at - 1} were overwritten before they were read; "
            "resynchronise from the board, or enlarge the tape (tape_records)"
        )
        self.first_lost = first_lost
        self.resume_at = resume_at


class BoardFullError(TickfloorError):
    """The board has no row left for another instrument."""


class CaptureError(TickfloorError):
    """A capture cannot be read at all."""


class ConfigError(TickfloorError):
    """A setting or a rules file is not valid."""


class RuleError(TickfloorError):
    """A rule is not valid.

    ``column`` counts from 1 within ``text``; ``hint`` says what to write instead, or is empty.
    """

    def __init__(self, message: str, *, text: str, column: int, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.text = text
        self.column = column
        self.hint = hint


class StorageError(TickfloorError):
    """The database cannot be opened or written."""


class WorkerError(TickfloorError):
    """A worker could not be started, or failed for good."""


class CheckpointError(TickfloorError):
    """A checkpoint cannot be written or restored."""
