"""What a command asks of a running floor, through its control socket."""

from typing import Annotated

import msgspec

from tickfloor.contracts.commands import Measure
from tickfloor.contracts.traders import TraderSpec

PROTOCOL_VERSION = 1
"""Grows when a request or a reply changes its meaning; a command and a floor must have the same."""

WorkerCount = Annotated[int, msgspec.Meta(ge=1, le=16)]
TraderCount = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
LineCount = Annotated[int, msgspec.Meta(ge=0, le=10_000)]


class Request(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Base of all requests; a reply comes when the effect is there."""


class ListWorkers(Request, frozen=True, kw_only=True):
    """Reply: WorkersListed."""


class ShowWorker(Request, frozen=True, kw_only=True):
    """Reply: WorkerShown."""

    name: str


class ReplaceWorker(Request, frozen=True, kw_only=True):
    """Put a new incarnation in a worker's place: a trader worker without a gap, any other restarted. Reply:
    WorkerReplaced.
    """

    name: str


class DrainWorker(Request, frozen=True, kw_only=True):
    """Have a worker finish all that waits for it now; it goes on working. Reply: WorkerDrained."""

    name: str


class CleanupWorker(Request, frozen=True, kw_only=True):
    """Have a worker let go of everything and exit; another takes its place. Reply: WorkerCleanedUp."""

    name: str


class StopWorker(Request, frozen=True, kw_only=True):
    """Clean a worker up and leave its place empty. Reply: WorkerStopped."""

    name: str


class ScaleTraders(Request, frozen=True, kw_only=True):
    """Run the traders in so many workers. Reply: TradersScaled."""

    workers: WorkerCount


class ShowLogs(Request, frozen=True, kw_only=True):
    """The last log lines, of one worker or of all (empty). Reply: LogsShown."""

    worker: str = ""
    last: LineCount = 100


class FollowLogs(Request, frozen=True, kw_only=True):
    """As ShowLogs, and then every line that comes: a LogsShown each time, until the asker hangs up."""

    worker: str = ""
    last: LineCount = 10


class TraceCorrelation(Request, frozen=True, kw_only=True):
    """The path of a correlation id or a signal id. Reply: Traced."""

    id: str


class ListTraders(Request, frozen=True, kw_only=True):
    """Reply: TradersListed."""


class ShowTrader(Request, frozen=True, kw_only=True):
    """Reply: TraderShown."""

    name: str


class RankTraders(Request, frozen=True, kw_only=True):
    """The first traders by a measure. Reply: TradersRanked."""

    by: Measure = Measure.TIME
    most: TraderCount = 20


class AddTrader(Request, frozen=True, kw_only=True):
    """Run one more trader; its revision is the floor's to count. Reply: TraderPlaced."""

    spec: TraderSpec


class UpdateTrader(Request, frozen=True, kw_only=True):
    """Run a trader of this name as described here; its revision is the floor's to count. Reply: TraderPlaced."""

    spec: TraderSpec


class RemoveTrader(Request, frozen=True, kw_only=True):
    """Reply: TraderRemoved."""

    name: str


class PardonTrader(Request, frozen=True, kw_only=True):
    """Lift a trader's quarantine. Reply: TraderPlaced."""

    name: str


class ReloadTrader(Request, frozen=True, kw_only=True):
    """Run a strategy as its file is now; one in quarantine is pardoned by it. Reply: TraderPlaced."""

    name: str


class RunTraders(Request, frozen=True, kw_only=True):
    """Evaluate traders now, all without ``names``; it raises no signal. Reply: TradersRun."""

    names: tuple[str, ...] = ()


class ShowStatistics(Request, frozen=True, kw_only=True):
    """Reply: StatisticsShown."""


class EmergencyStop(Request, frozen=True, kw_only=True):
    """Stop all effects on the world outside, in every worker. Reply: EffectsSwitched."""


class EmergencyResume(Request, frozen=True, kw_only=True):
    """Allow effects again. Reply: EffectsSwitched."""


class ListFeeds(Request, frozen=True, kw_only=True):
    """Reply: FeedsListed."""


class ReconnectFeed(Request, frozen=True, kw_only=True):
    """Replace connections of a venue without a gap. Reply: FeedReconnecting.

    Attributes:
        connection: the name of one; empty: all of the venue.
    """

    venue: str
    connection: str = ""


class EmergencyRecover(Request, frozen=True, kw_only=True):
    """Restart every worker and restore traders and displays from what shall be. Reply: EmergencyRecovered."""


ControlRequest = (
    ListWorkers | ShowWorker | ReplaceWorker | DrainWorker | CleanupWorker | StopWorker | ScaleTraders
    | ShowLogs | FollowLogs | TraceCorrelation | ShowStatistics
    | ListTraders | ShowTrader | RankTraders
    | AddTrader | UpdateTrader | RemoveTrader | PardonTrader | ReloadTrader | RunTraders
    | ListFeeds | ReconnectFeed
    | EmergencyStop | EmergencyResume | EmergencyRecover
)  # fmt: skip


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A request on its way."""

    protocol: int
    request: msgspec.Raw


def question(request: ControlRequest) -> Question:
    """Return a request as it is sent."""
    return Question(protocol=PROTOCOL_VERSION, request=msgspec.Raw(msgspec.json.encode(request)))


def decode_request(payload: bytes) -> ControlRequest:
    """Return the request that a question asks.

    Raises:
        msgspec.MsgspecError, ValueError, RecursionError: it is none.
    """
    asked = msgspec.json.decode(payload, type=Question)
    if asked.protocol != PROTOCOL_VERSION:
        raise ValueError(
            f"the floor speaks protocol {PROTOCOL_VERSION} and the command {asked.protocol}; "
            "use the tickfloor that the floor was started with"
        )
    request: ControlRequest = msgspec.json.decode(asked.request, type=ControlRequest)
    return request
