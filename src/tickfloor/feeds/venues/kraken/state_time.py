"""The venue time of a state: of best prices or a book, which may have stayed as they are for days."""

from tickfloor.feeds.publishing.instrument_writer import MAX_LATE_NS, NO_TIME
from tickfloor.feeds.publishing.publisher import MarketPublisher
from tickfloor.feeds.venues.rfc3339 import time_ns


def state_time(text: str | None, publisher: MarketPublisher, recv_ns: int) -> int:
    """Return a frame's venue time as ns UTC; NO_TIME where it has none or one of over a day ago. Changes nothing.

    Raises:
        FrameError: it is no time, or too far ahead to be one.
    """
    if text is None:
        return NO_TIME
    ts_event = time_ns(text)
    if ts_event < (publisher.venue_ns or recv_ns) - MAX_LATE_NS:
        return NO_TIME
    if ts_event >= publisher.minute_end_ns:
        publisher.check_time(ts_event, recv_ns)
    return ts_event
