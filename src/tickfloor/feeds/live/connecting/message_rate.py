"""How fast messages may be sent to a venue, and when none may be."""

from collections.abc import Callable
from typing import Final

from tickfloor.feeds.venue import Limits
from tickfloor.worker.token_bucket import TokenBucket

FIRST_PAUSE_SECONDS: Final = 2.0
MOST_PAUSE_SECONDS: Final = 60.0
FORGOTTEN_SECONDS: Final = 60.0
"""A pause that is over for so long makes the next one no longer."""


class MessageRate:
    """The messages of one connection, or of all that a venue counts together.

    Where connections share it, one message is always kept for a connection that has sent none yet: a venue closes
    what is silent for too long after its beginning, and the others may have much to send.
    """

    def __init__(self, limits: Limits, *, clock: Callable[[], int]) -> None:
        """Begin with nothing sent; ``clock`` is ns UTC."""
        self._kept = 1 if limits.messages_shared else 0
        self._bucket = TokenBucket(limits.messages_per_second, 1 + self._kept, clock=clock)
        self._clock = clock
        self._paused_until_ns = 0
        self._pause_seconds = 0.0

    def wait_seconds(self, *, first: bool) -> float:
        """Return the seconds until a message may be sent; 0 for now.

        Args:
            first: it is a connection's first.
        """
        paused_ns = self._paused_until_ns - self._clock()
        return max(paused_ns / 1e9, self._bucket.wait_seconds(1 if first else 1 + self._kept))

    def take(self) -> None:
        """Count a message as sent."""
        self._bucket.take()

    def pause(self) -> float:
        """Send nothing for a while, because the venue had too many messages.

        Returns:
            The seconds of it; 0 during a pause: what the venue says then is about messages from before it.
        """
        now = self._clock()
        if now < self._paused_until_ns:
            return 0.0
        if now - self._paused_until_ns >= FORGOTTEN_SECONDS * 1e9:
            self._pause_seconds = 0.0
        self._pause_seconds = min(max(FIRST_PAUSE_SECONDS, 2 * self._pause_seconds), MOST_PAUSE_SECONDS)
        self._paused_until_ns = now + round(self._pause_seconds * 1e9)
        return self._pause_seconds
