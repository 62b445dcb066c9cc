"""What the workers last said of themselves, put together."""

from tickfloor.contracts.events import FeedStatus, TraderStatus
from tickfloor.contracts.latency import LatencyHistogram
from tickfloor.supervisor.process import WorkerProcess


class Statuses:
    """The newest status of every worker.

    Attributes:
        feed: how far the feed is; None before it has said so.
    """

    def __init__(self) -> None:
        self.feed: FeedStatus | None = None
        self._traders: dict[tuple[str, int], TraderStatus] = {}

    def on_feed(self, process: WorkerProcess, message: FeedStatus) -> None:
        """Take a feed's."""
        del process
        self.feed = message

    def on_trader(self, process: WorkerProcess, message: TraderStatus) -> None:
        """Take a trader worker's, by incarnation: what a dead one had lost and measured is not forgotten."""
        self._traders[process.slot, process.incarnation] = message

    def latency(self) -> LatencyHistogram:
        """Return publication to signal, all traders together."""
        return LatencyHistogram().merge(LatencyHistogram(status.latency) for status in self._traders.values())

    def missed(self) -> int:
        """Return records that traders were lapped over, each counted once for every worker that missed it."""
        return sum(status.lost for status in self._traders.values())
