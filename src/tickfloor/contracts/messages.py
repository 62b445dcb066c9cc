"""Every message between the supervisor and a worker. Market data is never among them.

A command is numbered and is answered by exactly one :class:`Applied` with the same number. Everything else is
an event: said once, answered only where its docstring says so.
"""

from typing import Literal

import msgspec

from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.settings import WorkerSettings
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TraderSpec


class _Message(msgspec.Struct, frozen=True, tag=True):
    pass


# --- commands, supervisor to worker


class Init(_Message, frozen=True, kw_only=True):
    """Become the worker you are to be; answered by Ready, too."""

    settings: WorkerSettings


class CheckTraders(_Message, frozen=True, kw_only=True):
    """Say whether these traders can run; result: :class:`TradersChecked`."""

    specs: tuple[TraderSpec, ...]


class AddTrader(_Message, frozen=True, kw_only=True):
    """Run a trader from now on."""

    spec: TraderSpec


class RemoveTrader(_Message, frozen=True, kw_only=True):
    """Stop a trader."""

    name: str


class Begin(_Message, frozen=True, kw_only=True):
    """Start working: a feed reads its source, a trader its tape, from its checkpoint if there is one."""


class Drain(_Message, frozen=True, kw_only=True):
    """Applied when the tape is read up to ``through`` and every signal of it is stored."""

    through: int


class StopFeed(_Message, frozen=True, kw_only=True):
    """Write nothing more to the tape and say FeedFinished."""


class QuerySignals(_Message, frozen=True, kw_only=True):
    """Result: :class:`SignalsFound`, the signals of this run in order of tape sequence, trader, instrument."""

    after: int
    limit: int


class Inspect(_Message, frozen=True, kw_only=True):
    """Result: :class:`Inspected`. Any worker answers it."""


class Cleanup(_Message, frozen=True, kw_only=True):
    """Let go of everything and exit; answered by CleanupComplete instead of Applied."""


CommandBody = (
    Init | CheckTraders | AddTrader | RemoveTrader | Begin | Drain | StopFeed | QuerySignals | Inspect | Cleanup
)


class Command(_Message, frozen=True, kw_only=True):
    """A numbered command; numbers start at 1 for each incarnation and have no holes."""

    sequence: int
    correlation_id: str
    body: CommandBody


# --- answers, worker to supervisor


class RuleProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that cannot run."""

    trader: str
    text: str
    column: int
    message: str
    hint: str


class TradersChecked(_Message, frozen=True, kw_only=True):
    """``columns``: per trader, the distinct columns its rule needs; ``problems``: the rules that cannot run."""

    columns: dict[str, tuple[str, ...]]
    problems: tuple[RuleProblem, ...]


class SignalsFound(_Message, frozen=True, kw_only=True):
    """``after`` continues the query; -1 when that was all."""

    signals: tuple[Signal, ...]
    after: int


class Inspected(_Message, frozen=True, kw_only=True):
    """What the worker's process has loaded."""

    modules: tuple[str, ...]


Result = TradersChecked | SignalsFound | Inspected


class Applied(_Message, frozen=True, kw_only=True):
    """The one answer to a command; ``error`` is empty when its effect is there."""

    sequence: int
    error: str = ""
    result: Result | None = None


# --- events, worker to supervisor


class Ready(_Message, frozen=True, kw_only=True):
    """Initialised; commands will be applied."""

    pid: int


class SignalsRaised(_Message, frozen=True, kw_only=True):
    """New signals; each is answered by SignalsAccepted when it is stored, and said again until then."""

    signals: tuple[Signal, ...]


class SignalsStored(_Message, frozen=True, kw_only=True):
    """These signals are in the database."""

    ids: tuple[str, ...]


class AssignInstrument(_Message, frozen=True, kw_only=True):
    """Asks for an instrument's id; answered by InstrumentAssigned."""

    venue: str
    symbol: str


class LogLine(_Message, frozen=True, kw_only=True):
    """One log record of any process."""

    ts: int
    level: Literal["debug", "info", "warning", "error"]
    slot: str
    pid: int
    event: str
    fields: dict[str, str | int | float | bool | None]
    correlation_id: str = ""


class FeedStatus(_Message, frozen=True, kw_only=True):
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


class FeedFinished(_Message, frozen=True, kw_only=True):
    """The source has ended, or StopFeed was obeyed.

    Attributes:
        head: records on the tape, all published.
        complete: whether the source was read to its end.
        left_out: what was received whole and not used, by reason, for example duplicates.
        figures: JSON of the report's ``instruments``; empty without audit.
    """

    head: int
    frames: int
    malformed: int
    complete: bool
    problems: tuple[FeedProblem, ...]
    problem_count: int
    left_out: dict[str, int]
    figures: bytes


class TraderStatus(_Message, frozen=True, kw_only=True):
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


class WorkerFailed(_Message, frozen=True, kw_only=True):
    """The worker's last words: it exits after this."""

    error: str
    message: str
    traceback: str


class CleanupComplete(_Message, frozen=True, kw_only=True):
    """Everything was let go of, except what is named here."""

    leaked_threads: tuple[str, ...]
    leaked_descriptors: int


# --- events, supervisor to worker


class SignalsAccepted(_Message, frozen=True, kw_only=True):
    """These signals are stored and need not be said again."""

    ids: tuple[str, ...]


class StoreSignals(_Message, frozen=True, kw_only=True):
    """Store these; answered by SignalsStored."""

    signals: tuple[Signal, ...]


class InstrumentAssigned(_Message, frozen=True, kw_only=True):
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


class FloorStatus(_Message, frozen=True, kw_only=True):
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


ToWorker = Command | SignalsAccepted | StoreSignals | InstrumentAssigned | LogLine | FloorStatus
FromWorker = (
    Applied
    | Ready
    | SignalsRaised
    | SignalsStored
    | AssignInstrument
    | LogLine
    | FeedStatus
    | FeedFinished
    | TraderStatus
    | WorkerFailed
    | CleanupComplete
)
Message = ToWorker | FromWorker
