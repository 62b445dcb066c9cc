"""Which workers a floor has."""

from tickfloor.supervisor.slots import Kind

FEED, STORAGE, LOGGER, CONSOLE = "feed-1", "storage-1", "logger-1", "console-1"
FEED_KIND = Kind(
    name="feed",
    entry="tickfloor.feeds.worker:make",
    cleanup_seconds=1.0,
    from_template=True,
    vital=True,
    overlaps=False,
)
TRADER_KIND = Kind(
    name="trader",
    entry="tickfloor.traders.worker:make",
    cleanup_seconds=1.0,
    from_template=True,
    vital=True,
    overlaps=True,
)
STORAGE_KIND = Kind(
    name="storage",
    entry="tickfloor.storage.worker:make",
    cleanup_seconds=5.0,
    from_template=False,
    vital=True,
    overlaps=True,
)
CONSOLE_KIND = Kind(
    name="console",
    entry="tickfloor.displays.console:make",
    cleanup_seconds=1.0,
    from_template=False,
    vital=False,
    overlaps=False,
)
LOGGER_KIND = Kind(
    name="logger",
    entry="tickfloor.logs.worker:make",
    cleanup_seconds=5.0,
    from_template=False,
    vital=False,
    overlaps=True,
)
