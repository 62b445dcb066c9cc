"""Which trade ids may follow one another."""

from typing import Final

from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.jumps import JumpGuard

MOST_MISSING: Final = 1_000_000_000
"""Trade ids that may be missing at once."""
MOST_UNDOUBTED: Final = 10_000
"""Trade ids that may be missing before a single trade: more, and another one must go on from there."""


class TradeIds:
    """Judges the ids of one instrument's trades that are not the expected one."""

    __slots__ = ("_anew", "_forwards", "_jumps")

    def __init__(self) -> None:
        self._forwards = JumpGuard(MOST_UNDOUBTED)
        self._jumps = JumpGuard(MOST_MISSING)
        self._anew = (-1, -1)

    def begins_anew(self, expected: int, trade_id: int) -> bool:
        """Say whether the venue numbers its trades anew, of one that is newer than the last and has a lower id.

        One such trade may be an error, and is dropped; when the next one goes on from there, it is so.
        """
        before, self._anew = self._anew, (trade_id, expected)
        return before == (trade_id - 1, expected)

    def follows(self, expected: int, trade_id: int) -> bool:
        """Say whether a trade whose id is not the expected one is new.

        Raises:
            FrameError: its id jumps too far to be believed at once.
        """
        if trade_id < expected:
            return self._jumps.believes(expected, trade_id) and expected - trade_id > MOST_MISSING
        if self._forwards.believes(expected, trade_id):
            return True
        raise FrameError(f"trade id {trade_id} where {expected} was due: believed when the next one goes on from there")
