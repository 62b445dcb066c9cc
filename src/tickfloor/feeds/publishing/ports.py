"""What a feed needs of the tape, the board and the catalogue."""

from collections.abc import Callable, Sequence
from typing import Protocol

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval

Assign = Callable[[str, str], Instrument]
"""Returns the instrument of a venue and its native symbol; the same one every time."""


class TapePort(Protocol):
    """The writer half of a tape; see :mod:`tickfloor.contracts.records` for the record."""

    sequence: int
    """the sequence that the next record gets"""

    def append(
        self,
        ts_event: int,
        ts_init: int,
        instrument: int,
        kind: int,
        code: int,
        flags: int,
        a: float,
        b: float,
        c: float,
        d: float,
        /,
    ) -> None:
        """Append a record; readers see it after :meth:`publish`."""

    def publish(self) -> None:
        """Show what was appended."""


class BoardPort(Protocol):
    """The writer half of a board."""

    def add_instrument(self, instrument: Instrument, /) -> None:
        """Give an instrument its row.

        Raises:
            BoardFullError: there is no room for it.
        """

    def write_row(self, instrument: int, row: Sequence[float], /) -> None:
        """Publish a row, in the order of :class:`tickfloor.board.row.Field`."""

    def mark_bars_ahead(self, instrument: int, sequence: int, /) -> None:
        """Say that bars will be newer than the row until the row is written; ``sequence`` is the next record's."""

    def append_bar(self, instrument: int, interval: Interval, bar: Bar, /) -> int:
        """Add a closed bar, after which none is forming; return its slot."""

    def read_tail(self, instrument: int, interval: Interval, count: int, /) -> list[Bar]:
        """Return the newest closed bars, oldest first."""

    def closed_bars(self, instrument: int, interval: Interval, /) -> int:
        """Return how many bars have closed since the beginning."""

    def rewrite_bars(self, instrument: int, interval: Interval, index: int, bars: Sequence[Bar], /) -> None:
        """Replace the closed bars from number ``index`` on; there may be more of them than before."""

    def write_forming(self, instrument: int, interval: Interval, bar: Bar | None, /) -> None:
        """Publish the forming minute, or the closed part of a longer forming bar."""

    def write_book(
        self,
        instrument: int,
        update_id: int,
        bids: Sequence[tuple[float, float]],
        asks: Sequence[tuple[float, float]],
        /,
    ) -> None:
        """Publish the best levels of a book, best first."""


class BarObserver(Protocol):
    """Is told of every minute bar that closes or is revised."""

    def minute_bar(self, instrument: Instrument, bar: Bar, /) -> None:
        """Take in a minute bar; a bar with the same start replaces the earlier one."""


class Join(Protocol):
    """Who decides about trades that are not the next one; see :mod:`tickfloor.feeds.joining`."""

    newest: int
    """the highest id that it knows of"""
    publishing: bool
    """what the writer is given now comes from the join"""

    def offer(
        self, ts_event: int, ts_init: int, price: float, qty: float, side: int, trade_id: int, count: int, /
    ) -> bool | None:
        """Take a trade whose id is not the expected one.

        Returns:
            True if it was published or is held back, False if it is a duplicate, None to leave it to the writer.
        """

    def lacks(self, trade_id: int, /) -> bool:
        """Say whether an id is known to be missing."""

    def numbered_anew(self, trade_id: int, ts_init: int, /) -> None:
        """Take in that the venue numbers its trades anew, and that this one, not published yet, is the second."""
