"""What a control socket needs of the floor behind it."""

from collections.abc import Sequence
from typing import Protocol

from tickfloor.contracts.commands import Measure, RuleProblem, TradersRun
from tickfloor.contracts.errors import TickfloorError
from tickfloor.contracts.traders import TraderSpec
from tickfloor.supervisor.control.log_tail import LogSubscription
from tickfloor.supervisor.control.replies import (
    EffectsSwitched,
    EmergencyRecovered,
    FeedReconnecting,
    FeedsListed,
    LogsShown,
    RefusalKind,
    StatisticsShown,
    Traced,
    TraderPlaced,
    TraderRemoved,
    TraderShown,
    TradersListed,
    TradersRanked,
    TradersScaled,
    WorkerCleanedUp,
    WorkerDrained,
    WorkerReplaced,
    WorkerShown,
    WorkersListed,
    WorkerStopped,
)


class ControlRefusedError(TickfloorError):
    """The floor does not do what it was asked; the kind says which sort of reason it has."""

    def __init__(self, reason: str, kind: RefusalKind, problems: Sequence[RuleProblem] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind
        self.problems = tuple(problems)


class FloorControl(Protocol):
    """A running floor, as somebody outside may see and move it.

    Each method returns when the effect is there and acknowledged; all messages and log lines that it causes carry the
    correlation id that is current where it is called (``worker/correlation.py``). Several may run at once; one that
    cannot meanwhile is refused as busy.

    Every method may raise :class:`ControlRefusedError`. Another TickfloorError is told as a failure, a TimeoutError
    as a timeout. All are cancelled when the floor ends.
    """

    async def list_workers(self) -> WorkersListed:
        """Describe every worker's place."""

    async def show_worker(self, name: str) -> WorkerShown:
        """Describe one worker's place."""

    async def replace_worker(self, name: str) -> WorkerReplaced:
        """Put a new worker in the place of one, or of a stopped one; a trader's work goes over without a gap."""

    async def drain_worker(self, name: str) -> WorkerDrained:
        """Return when a worker has finished what waited for it at the time of asking; it goes on working."""

    async def cleanup_worker(self, name: str) -> WorkerCleanedUp:
        """Have a worker clean up and exit, and fill its place again."""

    async def stop_worker(self, name: str) -> WorkerStopped:
        """Have a worker clean up and exit, and leave its place empty."""

    async def scale_traders(self, workers: int) -> TradersScaled:
        """Spread the traders over so many workers, without a gap."""

    async def show_logs(self, worker: str, last: int) -> LogsShown:
        """Return the last log lines of a worker, or of all (empty)."""

    async def follow_logs(self, worker: str, last: int) -> LogSubscription:
        """Return a subscription that begins with the last log lines; the caller closes it."""

    async def trace(self, identity: str) -> Traced:
        """Return what passed the supervisor with a correlation id or a signal id."""

    async def list_traders(self) -> TradersListed:
        """Describe every trader."""

    async def show_trader(self, name: str) -> TraderShown:
        """Describe one trader and what it has done."""

    async def rank_traders(self, by: Measure, most: int) -> TradersRanked:
        """Describe the first traders by a measure and what they have done."""

    async def add_trader(self, spec: TraderSpec) -> TraderPlaced:
        """Check a new trader and run it; the name must be free, and the revision is the floor's to count."""

    async def update_trader(self, spec: TraderSpec) -> TraderPlaced:
        """Check a trader's new description and run it so; an invalid one leaves it as it is."""

    async def remove_trader(self, name: str) -> TraderRemoved:
        """Run a trader no more."""

    async def pardon_trader(self, name: str) -> TraderPlaced:
        """Lift a trader's quarantine and run it again."""

    async def reload_trader(self, name: str) -> TraderPlaced:
        """Run a strategy as its file is now, and pardon it; one whose file cannot run goes on as it was."""

    async def run_traders(self, names: tuple[str, ...]) -> TradersRun:
        """Evaluate traders now, all without names, in every worker that has some."""

    async def list_feeds(self) -> FeedsListed:
        """Describe the live feed, venue by venue."""

    async def reconnect_feed(self, venue: str, connection: str) -> FeedReconnecting:
        """Replace a venue's connections, or the one of that name, without a gap."""

    async def show_statistics(self) -> StatisticsShown:
        """Return the figures of the router, the metrics, the lifecycle and whatever else counts."""

    async def emergency_stop(self) -> EffectsSwitched:
        """Stop all effects on the world outside."""

    async def emergency_resume(self) -> EffectsSwitched:
        """Allow effects again."""

    async def emergency_recover(self) -> EmergencyRecovered:
        """Restart every worker and restore what shall be."""
