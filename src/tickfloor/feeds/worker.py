"""The feed worker: the single writer of its tape and board."""

from tickfloor.contracts.settings import CaptureSource, FeedSettings, WorkerSettings
from tickfloor.feeds.replaying.worker import ReplayWorker
from tickfloor.worker.runtime import Runtime, Worker


def make(runtime: Runtime, settings: WorkerSettings) -> Worker:
    """Make the worker of a feed slot."""
    assert isinstance(settings, FeedSettings)
    source = settings.source
    if isinstance(source, CaptureSource):
        return ReplayWorker(runtime, settings, source)
    # Here, because whoever replays needs neither sockets nor their memory.
    from tickfloor.feeds.live.worker import LiveWorker

    return LiveWorker(runtime, settings, source)
