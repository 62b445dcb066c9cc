"""What the supervisor and a worker tell each other unasked: said once, answered only where a docstring says so."""

from typing import Literal

import msgspec

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.message import Message
from tickfloor.contracts.signals import Signal


class Ready(Message, frozen=True, kw_only=True):
    """Initialised; commands will be applied. ``protocol`` must be the supervisor's own version."""

    pid: int
    incarnation: int
    protocol: int


class SignalsRaised(Message, frozen=True, kw_only=True):
    """New signals; each is answered by SignalsAccepted when it is stored, and said again until then."""

    signals: tuple[Signal, ...]


class SignalsStored(Message, frozen=True, kw_only=True):
    """These signals are in the database."""

    ids: tuple[str, ...]


class AssignInstrument(Message, frozen=True, kw_only=True):
    """Asks for an instrument's id; answered by InstrumentAssigned."""

    venue: str
    symbol: str


class LogLine(Message, frozen=True, kw_only=True):
    """One log record of any process."""

    ts: int
    level: Literal["debug", "info", "warning", "error"]
    slot: str
    pid: int
    event: str
    fields: dict[str, str | int | float | bool | None]
    correlation_id: str = ""


class FeedStatus(Message, frozen=True, kw_only=True):
    """How far a feed is."""

    frames: int
    records: int
    malformed: int
    progress: float
    instruments: int


class FeedProblem(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a capture that could not be used."""

    file: str
    line: int
    reason: str


class FeedFinished(Message, frozen=True, kw_only=True):
    """The source has ended, or StopFeed was obeyed.

    Attributes:
        head: records on the tape, all published.
        complete: whether the source was read to its end.
        left_out: what was received whole and not used, by reason, for example duplicates.
        figures: JSON of the report's ``instruments``; empty without audit.
        error: why the feed cannot go on, and no successor could: a setting is wrong.
    """

    head: int
    frames: int
    malformed: int
    complete: bool
    problems: tuple[FeedProblem, ...]
    problem_count: int
    left_out: dict[str, int]
    figures: bytes
    error: str = ""


class TraderStatus(Message, frozen=True, kw_only=True):
    """How a trader worker is doing; ``latency`` counts publication to signal in histogram buckets."""

    position: int
    traders: int
    columns: int
    signals: int
    unstored: int
    overruns: int
    lost: int
    checkpoints: int
    checkpoint_bytes: int
    latency: dict[int, int]


class WorkerFailed(Message, frozen=True, kw_only=True):
    """The worker's last words: it exits after this."""

    error: str
    message: str
    traceback: str


class CleanupComplete(Message, frozen=True, kw_only=True):
    """Everything was let go of, except what is named here.

    Attributes:
        threads, timers: by name.
        descriptors: number and what it is open on.
        views: shared memory that is still mapped.
    """

    threads: tuple[str, ...] = ()
    timers: tuple[str, ...] = ()
    descriptors: tuple[str, ...] = ()
    views: tuple[str, ...] = ()

    @property
    def leaked(self) -> tuple[str, ...]:
        """Return everything that was left, for a log line."""
        return (*self.threads, *self.timers, *self.descriptors, *self.views)


class SignalsAccepted(Message, frozen=True, kw_only=True):
    """These signals are stored and need not be said again."""

    ids: tuple[str, ...]


class StoreSignals(Message, frozen=True, kw_only=True):
    """Store these; answered by SignalsStored."""

    signals: tuple[Signal, ...]


class InstrumentAssigned(Message, frozen=True, kw_only=True):
    """The answer to AssignInstrument."""

    instrument: Instrument


class WorkerStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One worker as the supervisor sees it; memory in bytes, proportional share of shared pages."""

    slot: str
    kind: str
    pid: int
    incarnation: int
    state: str
    memory: int
    restarts: int


class FloorStatus(Message, frozen=True, kw_only=True):
    """The whole floor, for a console."""

    uptime: float
    workers: tuple[WorkerStatus, ...]
    feed: FeedStatus | None
    signals: int
    stored: int
    recent: tuple[Signal, ...]
    latency_p50_us: float | None
    latency_p99_us: float | None
    lost: int
    effects_allowed: bool = True
