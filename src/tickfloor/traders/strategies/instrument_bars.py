"""The bars of one instrument, built from the tape with the feed's own arithmetic."""

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.market.bars import START_MS, FormingBars
from tickfloor.traders.columns.late_trades import add_to_forming, note_revised
from tickfloor.traders.state.checkpoint import NEVER, LateTrade
from tickfloor.traders.state.resync import InstrumentView
from tickfloor.traders.strategies.checkpoint import BarsCheckpoint


class InstrumentBars:
    """Forms bars of all intervals and closes them where the tape says so.

    A bar whose first trades came before this began is not whole: nobody is given it.

    Attributes:
        skip_through: records up to this sequence are contained already.
        late: a trade of a closed minute, until its event ends.
    """

    __slots__ = ("_closed_until_ms", "_forming", "_revised", "_whole", "late", "skip_through")

    def __init__(self, *, whole: bool) -> None:
        self.skip_through = -1
        self.late: LateTrade | None = None
        self._forming = FormingBars()
        self._whole = [whole] * len(Interval)
        self._closed_until_ms = [NEVER] * len(Interval)
        self._revised: list[int] = []

    @classmethod
    def of_view(cls, view: InstrumentView) -> "InstrumentBars":
        """Return the bars as the board shows them."""
        made = cls(whole=True)
        made.skip_through = view.sequence
        made._forming.minute = view.minute and list(view.minute)
        for interval, part in view.closed_parts.items():
            made._forming.closed_part[interval] = list(part)
        for interval, bars in view.bars.items():
            if bars:
                made._closed_until_ms[interval] = int(bars[-1][START_MS]) + interval.ms
        return made

    @classmethod
    def restored(cls, saved: BarsCheckpoint) -> "InstrumentBars":
        """Return the bars that gave a checkpoint."""
        made = cls(whole=False)
        made.skip_through = saved.skip_through
        made.late = saved.late
        made._forming.minute = saved.minute
        made._forming.closed_part = saved.closed_part
        made._whole = saved.whole
        made._closed_until_ms = saved.closed_until_ms
        made._revised = saved.revised
        return made

    def checkpoint(self, key: str) -> BarsCheckpoint:
        """Return the state to go on from; pack it before the next record."""
        return BarsCheckpoint(
            key=key,
            skip_through=self.skip_through,
            minute=self._forming.minute,
            closed_part=self._forming.closed_part,
            closed_until_ms=self._closed_until_ms,
            whole=self._whole,
            late=self.late,
            revised=self._revised,
        )

    def add_trade(self, ts_ms: int, price: float, qty: float, bought: bool, overtaken: bool) -> None:
        """Add a trade of the forming minute."""
        self._forming.add_trade(ts_ms, price, qty, bought, overtaken)

    def close(self, interval: Interval, end_ms: int) -> Bar | None:
        """Close a bar and return it, or None if its first trades were not seen."""
        self._closed_until_ms[interval] = end_ms
        whole = self._whole[interval]
        self._whole[interval] = True
        try:
            bar = self._forming.close(interval)
        except LookupError:
            return None
        return bar if whole else None

    def revised(self, interval: Interval) -> None:
        """Note that a closed bar has taken the late trade in."""
        if self.late is None:  # its trade is contained already
            return
        self._revised.append(interval)
        note_revised(self._closed_until_ms, interval, self.late)

    def end_event(self) -> None:
        """Add a late trade to the longer bars that are still forming."""
        if self.late is None:
            return
        add_to_forming(self._forming, self.late, self._closed_until_ms, self._revised)
        self.late = None
        self._revised = []
