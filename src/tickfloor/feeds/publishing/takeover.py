"""How a live feed goes on where its predecessor died: from the board and the tape that it left.

The predecessor wrote the board and then published the tape. If it died in between, the records that are on the
board already lie whole on the tape: they are published now, and rows and bars that it had not come to follow them.
"""

import os
from collections.abc import Callable

from tickfloor.board import segment
from tickfloor.board.board_reader import BoardReader
from tickfloor.board.row import Field
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.records import RECORD, Kind
from tickfloor.feeds.publishing.inheritance import Inheritance
from tickfloor.feeds.publishing.publisher import MarketPublisher

_CLOCK = int(Kind.CLOCK)


class Legacy:
    """What a predecessor has left on the board; empty where there was none.

    Attributes:
        instruments: whose rows there are.
    """

    def __init__(self, fd: int, run_id: int) -> None:
        readable = segment.read_only(fd)
        reader = BoardReader(readable, run_id=run_id)
        try:
            self.instruments: list[Instrument] = [reader.instrument(number) for number in range(reader.count())]
            self._left = [Inheritance(reader, each.id) for each in self.instruments]
        finally:
            reader.close()
            os.close(readable)

    @property
    def unsure(self) -> tuple[Instrument, ...]:
        """Return whose bars may lack or repeat trades of the moment of death."""
        return tuple(each for each, left in zip(self.instruments, self._left, strict=True) if left.unsure)

    @property
    def complete(self) -> int:
        """Every record before this sequence is whole on the tape."""
        return max((each.whole for each in self._left), default=0)

    @property
    def first_to_follow(self) -> int:
        """The earliest sequence that is of interest: that some row may not hold yet, or all, to see what is missing."""
        if any(each.lacks_trades for each in self._left):
            return 0
        return min((each.held for each in self._left), default=-1) + 1

    def follow(self, records: bytes) -> None:
        """Bring rows and bars that the predecessor had not come to write up to what the tape holds."""
        for sequence, ts_event, ts_init, number, kind, code, flags, a, b, c, d in RECORD.iter_unpack(records):
            if kind != _CLOCK:
                self._left[number].follow(sequence, ts_event, ts_init, kind, code, flags, a, b, c, d)

    def hand_over(self, publisher: Callable[[str], MarketPublisher]) -> None:
        """Let publishers go on with it, by venue, and bring the board up to it."""
        for instrument, left in zip(self.instruments, self._left, strict=True):
            publisher(instrument.venue).take_over(instrument, left.row, left.forming, left.closed, left.missing())
        newest_init = max((int(left.row[Field.TS_INIT]) for left in self._left), default=0)
        for venue in {instrument.venue for instrument in self.instruments}:
            publisher(venue).close_ended(newest_init)
            publisher(venue).write()
