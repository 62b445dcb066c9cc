"""How far one instrument's data can be trusted."""

from typing import Final

from tickfloor.contracts.records import Quality

_STALE: Final = 1
_REPAIRING: Final = 2
_MARKS: Final = {Quality.STALE: _STALE, Quality.REPAIRING: _REPAIRING}


class Trust:
    """What is held against the data: doubts that others have, and what is missing.

    Attributes:
        trade_gap: trades are missing before the newest one.
        book_gap: book events are missing.
        clock_gap: bars were closed by a clock that was ahead, and trades come late until it has caught up.
    """

    __slots__ = ("_doubts", "book_gap", "clock_gap", "trade_gap")

    def __init__(self) -> None:
        self._doubts = 0
        self.trade_gap = False
        self.book_gap = False
        self.clock_gap = False

    def doubt(self, quality: Quality, on: bool) -> bool:
        """Take in that data is not received (STALE) or being repaired (REPAIRING), or no longer; return what is new."""
        mark = _MARKS[quality]
        doubts = self._doubts | mark if on else self._doubts & ~mark
        changed, self._doubts = doubts != self._doubts, doubts
        return changed

    @property
    def quality(self) -> Quality:
        """STALE before REPAIRING before GAP before LIVE."""
        if self._doubts:
            return Quality.STALE if self._doubts & _STALE else Quality.REPAIRING
        return Quality.GAP if self.trade_gap or self.book_gap or self.clock_gap else Quality.LIVE
