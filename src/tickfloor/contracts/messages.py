"""How commands travel: numbered in lanes, fenced, acknowledged twice. Market data is never among messages.

A command is answered by exactly one outcome, :class:`Applied`, however often it comes. A worker that cannot answer
at once says :class:`Received` first. What is missing before a command is asked for with :class:`Missing`; a command
for another life of the worker, or from a supervisor that has been replaced, gets :class:`Fenced`.
"""

from enum import StrEnum

import msgspec

from tickfloor.contracts.commands import Result
from tickfloor.contracts.events import (
    AssignInstrument,
    CleanupComplete,
    FeedFinished,
    FeedStatus,
    FloorStatus,
    InstrumentAssigned,
    LogLine,
    Ready,
    SignalsAccepted,
    SignalsRaised,
    SignalsStored,
    StoreSignals,
    TraderStatus,
    WorkerFailed,
)
from tickfloor.contracts.message import Message
from tickfloor.contracts.telemetry import BreakerReport, LimiterReport, MetricsDelta

PROTOCOL_VERSION = 3
"""Grows when a message changes its meaning; both ends of a channel must have the same."""


class Lane(StrEnum):
    """Commands of a lane keep their order; lanes do not wait for each other."""

    WORK = "work"
    URGENT = "urgent"


class Command(Message, frozen=True, kw_only=True):
    """A command on its way.

    Attributes:
        epoch: of the supervisor, growing with each that ran on this floor's database.
        incarnation: of the worker that it is for.
        sequence: from 1 in each lane of an incarnation, without holes.
        settled: commands of the lane up to this one are answered and the answers have come: none need be kept.
        body: a msgpack-encoded :data:`~tickfloor.contracts.commands.CommandBody`; one of an unknown type is answered
            by an error.
    """

    epoch: int
    incarnation: int
    lane: Lane
    sequence: int
    settled: int
    body: msgspec.Raw


class Received(Message, frozen=True, kw_only=True):
    """All commands of the lane up to ``through`` have come; each will be answered."""

    lane: Lane
    through: int


class Applied(Message, frozen=True, kw_only=True):
    """The one outcome of a command; ``error`` is empty when its effect is there."""

    lane: Lane
    sequence: int
    error: str = ""
    result: Result | None = None


class Missing(Message, frozen=True, kw_only=True):
    """A command came before ``due``, which is to be sent first, with all that follow it."""

    lane: Lane
    due: int


class Fenced(Message, frozen=True, kw_only=True):
    """A command was for another incarnation, or from an epoch that is over; it was not applied."""

    lane: Lane
    sequence: int
    epoch: int
    incarnation: int


ToWorker = Command | SignalsAccepted | StoreSignals | InstrumentAssigned | LogLine | FloorStatus
FromWorker = (
    Received
    | Applied
    | Missing
    | Fenced
    | Ready
    | SignalsRaised
    | SignalsStored
    | AssignInstrument
    | LogLine
    | FeedStatus
    | FeedFinished
    | TraderStatus
    | MetricsDelta
    | BreakerReport
    | LimiterReport
    | WorkerFailed
    | CleanupComplete
)
