"""What is wrong with the simulated exchange as a whole at the moment; hostilities set it, server and faces look."""

import time
from collections.abc import Callable


class Conditions:
    """All is well until told otherwise; times are of a monotonic clock.

    Attributes:
        silent_acks: how many more subscribe requests are accepted and then ignored.
        snapshot_delay: seconds that the answer to a request for a book takes.
        refuse_until: connections are refused until then.
        answer_until, answer_status, retry_after: REST answers with this status until then, and says when to come
            again, in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.silent_acks = 0
        self.refuse_until = 0.0
        self.answer_until = 0.0
        self.answer_status = 0
        self.retry_after = 0
        self._snapshot_delay = 0.0
        self._slow_until = 0.0

    def slow_snapshots(self, delay: float, seconds: float) -> None:
        """Make every answer to a request for a book wait, for so many seconds from now on."""
        self._snapshot_delay = delay
        self._slow_until = self.clock() + seconds

    @property
    def snapshot_delay(self) -> float:
        """Seconds that a book's snapshot takes now; it is taken before."""
        return self._snapshot_delay if self.clock() < self._slow_until else 0.0

    def refusing(self) -> bool:
        """Say whether connections are refused now."""
        return self.clock() < self.refuse_until

    def status(self) -> int:
        """Return the status that every REST request gets now, or 0."""
        return self.answer_status if self.clock() < self.answer_until else 0

    def ignores_subscribe(self) -> bool:
        """Say whether this subscribe request is accepted and ignored."""
        if self.silent_acks <= 0:
            return False
        self.silent_acks -= 1
        return True
