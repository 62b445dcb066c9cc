"""What the workers last said of themselves, put together."""

from tickfloor.contracts.events import FeedStatus, TraderStatus
from tickfloor.contracts.latency import LatencyHistogram
from tickfloor.supervisor.process import WorkerProcess

_KEPT = 2
"""Statuses of a slot: of the newest worker that has said one, and of the one before it, which may be handing over."""


class Statuses:
    """The newest status of every worker.

    Attributes:
        feed: how far the feed is; None before it has said so.
    """

    def __init__(self) -> None:
        self.feed: FeedStatus | None = None
        self._traders: dict[str, dict[int, TraderStatus]] = {}
        """by slot and incarnation"""
        self._past_latency = LatencyHistogram()
        self._past_lost = 0

    def on_feed(self, process: WorkerProcess, message: FeedStatus) -> None:
        """Take a feed's."""
        del process
        self.feed = message

    def on_trader(self, process: WorkerProcess, message: TraderStatus) -> None:
        """Take a trader worker's, by incarnation: what a dead one had lost and measured is added up, not forgotten."""
        said = self._traders.setdefault(process.slot, {})
        if len(said) == _KEPT and process.incarnation < min(said):
            # It is counted already.
            return
        said[process.incarnation] = message
        if len(said) > _KEPT:
            status = said.pop(min(said))
            self._past_latency = self._past_latency.merge([LatencyHistogram(status.latency)])
            self._past_lost += status.lost

    def latency(self) -> LatencyHistogram:
        """Return publication to signal, all traders together."""
        return self._past_latency.merge(LatencyHistogram(status.latency) for status in self._kept())

    def missed(self) -> int:
        """Return records that traders were lapped over, each counted once for every worker that missed it."""
        return self._past_lost + sum(status.lost for status in self._kept())

    def _kept(self) -> list[TraderStatus]:
        return [status for said in self._traders.values() for status in said.values()]
