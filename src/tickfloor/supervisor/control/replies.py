"""What a running floor replies to a command: the effect that is there, or why there is none."""

from enum import StrEnum

import msgspec

from tickfloor.contracts.commands import RuleProblem, TraderReport, TradersRun
from tickfloor.contracts.events import LogLine
from tickfloor.contracts.feeds import VenueReport
from tickfloor.contracts.states import Health, SlotState, WorkerState
from tickfloor.contracts.traders import TraderSpec


class Reply(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of all replies."""


class WorkerDetails(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's place and who fills it, as the supervisor sees them.

    Attributes:
        pid, worker_state: 0 and None while nobody fills the place.
        uptime: of this incarnation, seconds.
        memory: bytes, shared pages by its share; private: bytes that are its own.
        private_trend: bytes an hour by which ``private`` grows; None while that is not known.
        traders: that it runs.
        restarts: after deaths; replacements: planned ones.
        last_pong: seconds since it last answered a ping; None before the first.
        oldest_unacknowledged: seconds since the oldest command was sent that it has not answered; None without one.
        commands: applied by this incarnation.
        busy: share of its time spent working, 0 to 1; None while that is not known.
        quarantine: why the place is not filled again; empty unless it is quarantined.
        figures: of the worker's kind, by name, as it gives them itself; empty while it does not answer.
    """

    slot: str
    kind: str
    pid: int
    incarnation: int
    slot_state: SlotState
    worker_state: WorkerState | None
    health: Health
    uptime: float
    memory: int
    private: int
    private_trend: float | None
    traders: int
    restarts: int
    replacements: int
    last_pong: float | None
    oldest_unacknowledged: float | None
    commands: int
    busy: float | None
    quarantine: str
    figures: dict[str, float] = {}


class WorkersListed(Reply, frozen=True, kw_only=True):
    """Every worker's place, in order of start; and whether effects on the world outside are allowed."""

    workers: tuple[WorkerDetails, ...]
    effects_allowed: bool = True


class WorkerShown(Reply, frozen=True, kw_only=True):
    """One worker's place."""

    worker: WorkerDetails


class WorkerReplaced(Reply, frozen=True, kw_only=True):
    """The successor works; it took so many seconds."""

    worker: str
    pid: int
    incarnation: int
    seconds: float


class WorkerDrained(Reply, frozen=True, kw_only=True):
    """The worker has finished what waited for it; ``through`` is its place on the tape, None if it reads none."""

    worker: str
    through: int | None
    seconds: float


class WorkerCleanedUp(Reply, frozen=True, kw_only=True):
    """The worker has let go of everything but ``leaked``, and its successor works.

    Attributes:
        forced: it did not answer in time and was killed.
    """

    worker: str
    leaked: tuple[str, ...]
    forced: bool
    seconds: float
    incarnation: int


class WorkerStopped(Reply, frozen=True, kw_only=True):
    """As WorkerCleanedUp; its place is empty."""

    worker: str
    leaked: tuple[str, ...]
    forced: bool
    seconds: float


class TradersScaled(Reply, frozen=True, kw_only=True):
    """The traders run in ``after`` workers; ``moved`` of them have another one than before."""

    before: int
    after: int
    moved: int
    seconds: float


class LogsShown(Reply, frozen=True, kw_only=True):
    """Log lines, the oldest first; ``dropped`` were left out before them, because the asker reads too slowly."""

    lines: tuple[LogLine, ...]
    dropped: int = 0


class TraceStep(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way.

    Attributes:
        ts: when it passed the supervisor, ns UTC.
        direction: ``in`` from the worker, ``out`` to it.
        message: its type; text: what it says, for a person.
    """

    ts: int
    slot: str
    incarnation: int
    direction: str
    message: str
    correlation_id: str
    text: str


class Traced(Reply, frozen=True, kw_only=True):
    """Everything with that id that the floor remembers, the oldest first; ``remembered`` messages were searched."""

    steps: tuple[TraceStep, ...]
    remembered: int


class TraderDetails(msgspec.Struct, frozen=True, kw_only=True):
    """A trader that shall run; ``worker`` is empty while none runs it, ``quarantine`` says why if it is locked up."""

    spec: TraderSpec
    worker: str
    quarantine: str


class TradersListed(Reply, frozen=True, kw_only=True):
    """All traders, in the order in which they came."""

    traders: tuple[TraderDetails, ...]


class TraderShown(Reply, frozen=True, kw_only=True):
    """One trader.

    Attributes:
        columns: the bars and indicators that it needs, as the floor shares them.
        report: what it has done; None while it does not run, or its worker does not answer.
    """

    trader: TraderDetails
    columns: tuple[str, ...]
    report: TraderReport | None


class RankedTrader(msgspec.Struct, frozen=True, kw_only=True):
    """A trader and what it has done."""

    trader: TraderDetails
    report: TraderReport


class TradersRanked(Reply, frozen=True, kw_only=True):
    """The first traders by a measure; ``silent`` are the workers that have not answered, so theirs are left out."""

    traders: tuple[RankedTrader, ...]
    silent: tuple[str, ...]


class TraderPlaced(Reply, frozen=True, kw_only=True):
    """The trader runs, as it is described by this revision."""

    trader: str
    worker: str
    revision: int


class TraderRemoved(Reply, frozen=True, kw_only=True):
    """The trader runs no more."""

    trader: str


class StatisticsShown(Reply, frozen=True, kw_only=True):
    """Figures by part of the floor and name."""

    parts: dict[str, dict[str, float | str]]


class EffectsSwitched(Reply, frozen=True, kw_only=True):
    """Whether effects on the world outside are allowed now, and whether that was otherwise before."""

    allowed: bool
    changed: bool


class FeedsListed(Reply, frozen=True, kw_only=True):
    """How the live feed stands, venue by venue; none while it replays."""

    venues: tuple[VenueReport, ...]


class FeedReconnecting(Reply, frozen=True, kw_only=True):
    """The connections that are being replaced."""

    venue: str
    connections: tuple[str, ...]


class EmergencyRecovered(Reply, frozen=True, kw_only=True):
    """What an emergency recovery brought back; ``failed`` says why, by worker, where it could not."""

    workers: tuple[str, ...]
    failed: dict[str, str]
    traders: int
    displays: int
    seconds: float


class RefusalKind(StrEnum):
    """Why there is no effect."""

    NOT_FOUND = "not-found"
    INVALID = "invalid"
    """a rule or a setting in the request is wrong"""
    REFUSED = "refused"
    BUSY = "busy"
    """something else is under way; the same request may be granted later"""
    FAILED = "failed"
    TIMEOUT = "timeout"


class Refused(Reply, frozen=True, kw_only=True):
    """There is no effect, or not all of it; ``problems`` are the rules that cannot run."""

    reason: str
    kind: RefusalKind
    problems: tuple[RuleProblem, ...] = ()


ControlReply = (
    WorkersListed | WorkerShown | WorkerReplaced | WorkerDrained | WorkerCleanedUp | WorkerStopped | TradersScaled
    | LogsShown | Traced | StatisticsShown
    | TradersListed | TraderShown | TradersRanked | TraderPlaced | TraderRemoved | TradersRun
    | FeedsListed | FeedReconnecting
    | EffectsSwitched | EmergencyRecovered | Refused
)  # fmt: skip


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A reply on its way, with the id by which ``tickfloor debug trace`` finds what the request led to."""

    correlation_id: str
    reply: ControlReply
