"""A venue's clock that was believed to be ahead, and has come back."""

from typing import Final

BEHIND_NS: Final = 5_000_000_000
"""A record so far behind the venue's newest time is hardly a late one: those are late by moments."""
LASTS_NS: Final = 3_000_000_000
RECORDS: Final = 3


class ClockReturn:
    """Looks for late records only, one after the other: then it is not they that are late."""

    __slots__ = ("_ahead_ns", "_count", "_since_ns", "_venue_ns")

    def __init__(self) -> None:
        self._venue_ns = -1
        self._since_ns = 0
        self._count = 0
        self._ahead_ns = 0

    def shown_by(self, ts_event: int, ts_init: int, venue_ns: int) -> int | None:
        """Take in a late record; times in ns UTC.

        Args:
            venue_ns: the venue's newest time; any record that moves it on was in time.

        Returns:
            How far the venue's clock is ahead of ours really, ns, once that is shown; before, None.
        """
        if ts_event > venue_ns - BEHIND_NS:
            return None
        ahead_ns = ts_event - ts_init
        if venue_ns != self._venue_ns:
            self._venue_ns, self._since_ns, self._count, self._ahead_ns = venue_ns, ts_init, 0, ahead_ns
        self._count += 1
        self._ahead_ns = max(self._ahead_ns, ahead_ns)
        if self._count < RECORDS or ts_init - self._since_ns < LASTS_NS:
            return None
        self._venue_ns = -1
        return self._ahead_ns
