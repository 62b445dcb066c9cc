"""What a supervisor commands a worker to do, and what a worker answers.

A command's identity is its place in its lane (:class:`~tickfloor.contracts.messages.Command`). What it says is
declarative where it can be (``UpdateTrader`` names what shall be, not what to change), so that saying it again
changes nothing.
"""

from enum import StrEnum
from typing import Literal

import msgspec

from tickfloor.contracts.feeds import VenueReport
from tickfloor.contracts.message import Message
from tickfloor.contracts.settings import WorkerSettings
from tickfloor.contracts.signals import Signal
from tickfloor.contracts.traders import TradersHeld, TraderSpec


class Init(Message, frozen=True, kw_only=True):
    """Become the worker you are to be; answered by Ready, too."""

    settings: WorkerSettings


class Ping(Message, frozen=True, kw_only=True):
    """Say that you are alive and how far you are; result: :class:`Pong`. Any worker answers it."""


class GetStatus(Message, frozen=True, kw_only=True):
    """Result: :class:`WorkerReport`. Any worker answers it."""


class Inspect(Message, frozen=True, kw_only=True):
    """Result: :class:`Inspected`. Any worker answers it."""


class Configure(Message, frozen=True, kw_only=True):
    """Change what can be changed while a worker runs: the least level of its log lines."""

    log_level: Literal["debug", "info", "warning", "error"]


class Cleanup(Message, frozen=True, kw_only=True):
    """Let go of everything and exit; answered by CleanupComplete instead of Applied."""


class CheckTraders(Message, frozen=True, kw_only=True):
    """Say whether these traders can run; result: :class:`TradersChecked`."""

    specs: tuple[TraderSpec, ...]


class AddTrader(Message, frozen=True, kw_only=True):
    """Run a trader from now on; ``revision`` is that of the worker's traders afterwards."""

    spec: TraderSpec
    revision: int


class UpdateTrader(Message, frozen=True, kw_only=True):
    """Run a trader of this name as it is described here, from now on."""

    spec: TraderSpec
    revision: int


class RemoveTrader(Message, frozen=True, kw_only=True):
    """Stop a trader."""

    name: str
    revision: int


class SyncTraders(Message, frozen=True, kw_only=True):
    """Run exactly these traders; those that run already as described are not disturbed. Result: TradersSynced."""

    specs: tuple[TraderSpec, ...]
    revision: int


class RunTraders(Message, frozen=True, kw_only=True):
    """Evaluate traders now, all without ``names``; result: :class:`TradersRun`. It raises no signal."""

    names: tuple[str, ...] = ()


class Measure(StrEnum):
    """By what traders are ranked, the largest first."""

    TIME = "time"
    SIGNALS = "signals"
    MATCHES = "matches"


class ReportTrader(Message, frozen=True, kw_only=True):
    """Say what a trader has done; result: :class:`TradersReported`. The answer may come some records later."""

    name: str


class RankTraders(Message, frozen=True, kw_only=True):
    """Say what the first traders by a measure have done, at most so many; result and time as of ReportTrader."""

    by: Measure
    most: int


class Begin(Message, frozen=True, kw_only=True):
    """Start working: a feed reads its source, a trader its tape.

    Attributes:
        restore: names of descriptors of checkpoints to go on from, all taken at one position of the tape.
        muted: keep what is raised until :class:`TakeOver`: somebody else still raises it.
    """

    restore: tuple[str, ...] = ()
    muted: bool = False


class Yield(Message, frozen=True, kw_only=True):
    """Read up to exactly this position, or stop at once without one, and say all that was raised.

    Result: :class:`Yielded`, when it is so. :class:`FreezeCheckpoint` and :class:`Resume` let it read on.
    """

    at: int | None = None


class FreezeCheckpoint(Message, frozen=True, kw_only=True):
    """Read on, save exactly at this position and then no more; result: :class:`CheckpointTaken`."""

    at: int


class Resume(Message, frozen=True, kw_only=True):
    """Read on and save as ever: nobody takes over."""


class ReadThrough(Message, frozen=True, kw_only=True):
    """Applied when the tape is read up to ``through``."""

    through: int


class TakeOver(Message, frozen=True, kw_only=True):
    """Raise from now on what is true from this position on, and let go of what was kept of before."""

    at: int


class Drain(Message, frozen=True, kw_only=True):
    """Applied when the tape is read up to ``through`` and every signal of it is stored."""

    through: int


class StopFeed(Message, frozen=True, kw_only=True):
    """Write nothing more to the tape and say FeedFinished."""


class ReportFeed(Message, frozen=True, kw_only=True):
    """Say how a live feed stands; result: :class:`FeedReported`, without venues of a feed that replays."""


class Reconnect(Message, frozen=True, kw_only=True):
    """Replace connections of a venue without a gap; result: :class:`Reconnecting`.

    Attributes:
        connection: the name of one; empty: all of the venue.
    """

    venue: str
    connection: str = ""


class QuerySignals(Message, frozen=True, kw_only=True):
    """Result: :class:`SignalsFound`, the signals of this run in order of tape sequence, trader, instrument."""

    after: int
    limit: int


class BeginEpoch(Message, frozen=True, kw_only=True):
    """Count another start of a floor in this database; result: :class:`EpochBegun`."""


CommandBody = (
    Init | Ping | GetStatus | Inspect | Configure | Cleanup
    | CheckTraders | AddTrader | UpdateTrader | RemoveTrader | SyncTraders | RunTraders | ReportTrader | RankTraders
    | Begin | FreezeCheckpoint | Resume | ReadThrough | Yield | TakeOver | Drain
    | StopFeed | ReportFeed | Reconnect | QuerySignals | BeginEpoch
)  # fmt: skip

URGENT = (Ping, Cleanup)
"""Commands that never wait behind others: they have a lane of their own."""


# Answers


class RuleProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that cannot run."""

    trader: str
    text: str
    column: int
    message: str
    hint: str


class TradersChecked(Message, frozen=True, kw_only=True):
    """``columns``: per trader, the distinct columns its rule needs; ``problems``: the rules that cannot run."""

    columns: dict[str, tuple[str, ...]]
    problems: tuple[RuleProblem, ...]


class TradersSynced(Message, frozen=True, kw_only=True):
    """All traders run, except those refused, by name, for these reasons."""

    refused: dict[str, str]


class TradersRun(Message, frozen=True, kw_only=True):
    """Instruments (``venue:symbol``) that each trader matches now; traders that match none are left out.

    Attributes:
        evaluations: rules that were tested, one for each pair of trader and instrument.
    """

    matches: dict[str, tuple[str, ...]]
    evaluations: int


class OwnRuleReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule of a strategy has done: how often it was decided and became true."""

    name: str
    rule: str
    evaluations: int
    matches: int


class StrategyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy has done, besides what every trader does.

    Attributes:
        state: waiting, running or failed.
        calls: ticks, bars and signals of its rules that it was given; failures: of them, those it did not take.
        held_back: what it was not given because effects were stopped.
        mean_us: time of a call in this worker, us; 0 before the first.
        slow_calls: calls in this worker that broke its budget for one.
        kept_bytes: estimate of what it keeps; 0 before it was looked at.
        last_failure: in this worker; empty without one.
    """

    state: str
    calls: int
    failures: int
    held_back: int
    mean_us: float
    slow_calls: int
    kept_bytes: int
    last_failure: str
    rules: tuple[OwnRuleReport, ...]


class TraderReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a trader has done. Counts outlive its workers; time is that of this one.

    Attributes:
        evaluations: how often its rule was decided, of a strategy its own rules; matches: became true; signals: given.
        busy_seconds: that it took: an estimate. A column that several traders read is shared by them.
        share: of the time that all traders of its worker took together, 0 to 1.
    """

    name: str
    evaluations: int
    matches: int
    signals: int
    busy_seconds: float
    share: float
    strategy: StrategyReport | None = None


class TradersReported(Message, frozen=True, kw_only=True):
    """What traders have done, in the order that was asked for."""

    reports: tuple[TraderReport, ...]


class Progress(msgspec.Struct, frozen=True):
    """How far a worker is, so that one that is alive but stuck is told from one that is idle.

    Attributes:
        done: grows with every piece of work.
        waiting: work that the worker could do now; 0 while it waits for somebody else.
    """

    done: int
    waiting: int


class Pong(Message, frozen=True, kw_only=True):
    """A worker is alive; ``traders`` is what it runs, of a trader worker."""

    progress: Progress
    traders: TradersHeld | None = None


class Yielded(Message, frozen=True, kw_only=True):
    """A trader worker has stopped before this record of the tape."""

    position: int


class CheckpointTaken(Message, frozen=True, kw_only=True):
    """A checkpoint at ``position`` stands and stays."""

    position: int
    size: int


class FeedReported(Message, frozen=True, kw_only=True):
    """How a live feed stands, venue by venue."""

    venues: tuple[VenueReport, ...]


class Reconnecting(Message, frozen=True, kw_only=True):
    """The connections that are being replaced."""

    connections: tuple[str, ...]


class SignalsFound(Message, frozen=True, kw_only=True):
    """``after`` continues the query; -1 when that was all."""

    signals: tuple[Signal, ...]
    after: int


class EpochBegun(Message, frozen=True, kw_only=True):
    """Starts of a floor that this database has seen, this one included."""

    epoch: int


class Inspected(Message, frozen=True, kw_only=True):
    """What the worker's process has loaded."""

    modules: tuple[str, ...]


class WorkerReport(Message, frozen=True, kw_only=True):
    """A worker as it sees itself.

    Attributes:
        uptime: seconds; busy: of them, spent working.
        commands: applied; duplicates: commands that came again and were not applied again.
        details: of its kind, by name; counts unless the name says otherwise.
    """

    uptime: float
    busy: float
    commands: int
    duplicates: int
    threads: int
    descriptors: int
    details: dict[str, float]


Result = (
    TradersChecked | TradersSynced | TradersRun | TradersReported | Yielded | CheckpointTaken
    | FeedReported | Reconnecting
    | Pong | WorkerReport | Inspected | SignalsFound | EpochBegun
)  # fmt: skip
