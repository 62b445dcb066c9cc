"""Which of the floor's methods each request is for."""

from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.control.floor_control import ControlRefusedError, FloorControl
from tickfloor.supervisor.control.replies import ControlReply, RefusalKind
from tickfloor.supervisor.control.requests import (
    AddTrader,
    CleanupWorker,
    DrainWorker,
    EmergencyRecover,
    EmergencyResume,
    EmergencyStop,
    ListFeeds,
    ListTraders,
    ListWorkers,
    PardonTrader,
    RankTraders,
    ReconnectFeed,
    ReloadTrader,
    RemoveTrader,
    ReplaceWorker,
    RunTraders,
    ScaleTraders,
    ShowLogs,
    ShowStatistics,
    ShowTrader,
    ShowWorker,
    StopWorker,
    TraceCorrelation,
    UpdateTrader,
)

Answerable = (
    ListWorkers | ShowWorker | ReplaceWorker | DrainWorker | CleanupWorker | StopWorker | ScaleTraders
    | ShowLogs | TraceCorrelation | ShowStatistics
    | ListTraders | ShowTrader | RankTraders
    | AddTrader | UpdateTrader | RemoveTrader | PardonTrader | ReloadTrader | RunTraders
    | ListFeeds | ReconnectFeed
    | EmergencyStop | EmergencyResume | EmergencyRecover
)  # fmt: skip
"""Requests that have one reply."""

_LONGEST_NAME = 200
_LONGEST_COOLDOWN_NS = 10 * 366 * 86_400 * 10**9
_LARGEST_REVISION = 1 << 31


async def answer(floor: FloorControl, request: Answerable) -> ControlReply:
    """Return the floor's reply, or raise what the floor raises."""
    match request:
        case ListWorkers():
            return await floor.list_workers()
        case ShowWorker():
            return await floor.show_worker(request.name)
        case ReplaceWorker():
            return await floor.replace_worker(request.name)
        case DrainWorker():
            return await floor.drain_worker(request.name)
        case CleanupWorker():
            return await floor.cleanup_worker(request.name)
        case StopWorker():
            return await floor.stop_worker(request.name)
        case ScaleTraders():
            return await floor.scale_traders(request.workers)
        case ShowLogs():
            return await floor.show_logs(request.worker, request.last)
        case TraceCorrelation():
            return await floor.trace(request.id)
        case ShowStatistics():
            return await floor.show_statistics()
        case ListTraders():
            return await floor.list_traders()
        case ShowTrader():
            return await floor.show_trader(request.name)
        case RankTraders():
            return await floor.rank_traders(request.by, request.most)
        case AddTrader():
            _require_rule(request.spec)
            return await floor.add_trader(request.spec)
        case UpdateTrader():
            _require_rule(request.spec)
            return await floor.update_trader(request.spec)
        case RemoveTrader():
            return await floor.remove_trader(request.name)
        case PardonTrader():
            return await floor.pardon_trader(request.name)
        case ReloadTrader():
            return await floor.reload_trader(request.name)
        case RunTraders():
            return await floor.run_traders(request.names)
        case ListFeeds():
            return await floor.list_feeds()
        case ReconnectFeed():
            return await floor.reconnect_feed(request.venue, request.connection)
        case EmergencyStop():
            return await floor.emergency_stop()
        case EmergencyResume():
            return await floor.emergency_resume()
        case EmergencyRecover():
            return await floor.emergency_recover()


def _require_rule(spec: TraderSpec) -> None:
    """Refuse what is not a rule with a name: a strategy is code, and comes from a local file with the floor only."""
    if spec.strategy:
        raise ControlRefusedError(
            f"trader {spec.name!r} has a strategy; a running floor takes rules only: "
            "name the strategy in the rules file that the floor is started with",
            RefusalKind.REFUSED,
        )
    if not spec.name.strip() or len(spec.name) > _LONGEST_NAME or not spec.name.isprintable():
        raise ControlRefusedError(
            f"a trader's name has between 1 and {_LONGEST_NAME} characters, all of them printable", RefusalKind.INVALID
        )
    if not 0 <= spec.cooldown_ns <= _LONGEST_COOLDOWN_NS or not 1 <= spec.revision <= _LARGEST_REVISION:
        raise ControlRefusedError(
            f"trader {spec.name!r}: the cooldown is 0 to ten years, and the revision 1 to {_LARGEST_REVISION:,}",
            RefusalKind.INVALID,
        )
