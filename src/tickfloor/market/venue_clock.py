"""What time it is at the venue, seen from here."""

from typing import Final

GRACE_NS: Final = 250_000_000
WINDOW_NS: Final = 600_000_000_000

_NEVER = -(1 << 63)


class VenueClock:
    """Estimates the venue's time from pairs of receive time and venue time.

    The venue is at least as far ahead of our clock as the largest ``event - receive`` of the last ten to twenty
    minutes; what is missing is the shortest delay on the way. The difference may have any sign: recorders were
    seen 1.27 s behind the venue. Older pairs are forgotten, because clocks drift and are set.

    Attributes:
        newest_ahead_ns: largest difference of the current window; the hot path compares with this one number
            and calls :meth:`observe` only for a larger one.
    """

    __slots__ = ("_grace_ns", "_older_ahead_ns", "_window_end_ns", "newest_ahead_ns")

    def __init__(self, grace_ns: int = GRACE_NS) -> None:
        self._grace_ns = grace_ns
        self._older_ahead_ns = _NEVER
        self._window_end_ns = 0
        self.newest_ahead_ns = _NEVER

    def observe(self, recv_ns: int, event_ns: int) -> None:
        """Take in one pair, ns UTC."""
        if recv_ns >= self._window_end_ns:
            self._older_ahead_ns = self.newest_ahead_ns
            self.newest_ahead_ns = _NEVER
            self._window_end_ns = recv_ns + WINDOW_NS
        ahead = event_ns - recv_ns
        if ahead > self.newest_ahead_ns:
            self.newest_ahead_ns = ahead

    def begin_anew(self, recv_ns: int, ahead_ns: int) -> None:
        """Forget every pair: the venue's clock has been set, and is so far ahead, ns."""
        self._older_ahead_ns = _NEVER
        self.newest_ahead_ns = ahead_ns
        self._window_end_ns = recv_ns + WINDOW_NS

    @property
    def ahead_ns(self) -> int | None:
        """How far the venue's clock is ahead of ours, ns, as far as seen; None before the first pair."""
        ahead = max(self.newest_ahead_ns, self._older_ahead_ns)
        return None if ahead == _NEVER else ahead

    def now(self, recv_ns: int) -> int | None:
        """Return the venue's time when it is ``recv_ns`` here; None before the first pair."""
        ahead = self.ahead_ns
        return None if ahead is None else recv_ns + ahead

    def settled(self, recv_ns: int) -> int | None:
        """Return the venue time of which nothing more is expected: :meth:`now` less the grace."""
        ahead = self.ahead_ns
        return None if ahead is None else recv_ns + ahead - self._grace_ns

    def due(self, venue_ns: int) -> int | None:
        """Return the receive time at which ``venue_ns`` will be settled; None before the first pair."""
        ahead = self.ahead_ns
        return None if ahead is None else venue_ns - ahead + self._grace_ns
