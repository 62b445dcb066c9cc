"""One venue's events become tape records and board state, and time passes for its bars.

All instruments of a venue share one venue clock, kept as the current venue minute. Every bar ends at a whole
minute, so the hot path needs one comparison: a record at or after the end of the minute moves the minute on
and closes what ended; a trade before its start is late.
"""

from bisect import insort
from collections.abc import Sequence
from typing import Final

from tickfloor.board.row import Field
from tickfloor.contracts.bars import Bar
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import Interval
from tickfloor.contracts.records import Kind
from tickfloor.feeds.errors import FrameError
from tickfloor.feeds.publishing.clock_return import ClockReturn
from tickfloor.feeds.publishing.instrument_writer import InstrumentWriter
from tickfloor.feeds.publishing.ports import Assign, BarObserver, BoardPort, TapePort
from tickfloor.market.bars import FormingBars
from tickfloor.market.venue_clock import GRACE_NS, VenueClock

MINUTE_NS: Final = Interval.M1.ns
MAX_AHEAD_NS: Final = 3_600_000_000_000
"""A venue time further ahead of the receive time is refused: believed, it would close every bar."""
MAX_JUMP_NS: Final = 60_000_000_000
"""A venue time this far ahead of the estimate and of our own clock is refused, until several in a row agree."""
BELIEVED_DOUBTS: Final = 3
BELIEVED_AFTER_NS: Final = 1_000_000_000
"""So many agreeing times, and for so long, with none between them that could be."""
LATEST_NS: Final = 7_258_118_400_000_000_000
"""The year 2200: a venue time beyond it is refused however often it comes, no record can hold much later ones."""
MAX_BEHIND_NS: Final = 86_400_000_000_000
"""A first record or a trade further behind is refused."""
NEVER_NS: Final = 1 << 63
CLOCK_INSTRUMENT: Final = 0
"""A CLOCK record is of no instrument; readers look at its kind first."""


class MarketPublisher:
    """Publishes one venue's market.

    Attributes:
        minute_start_ns: the venue minute that is forming; trades before it are late.
        minute_end_ns: venue time at which it ends; 0 before the first record.
        venue_ns: newest venue time seen, 0 before the first.
        tick_due_ns: receive time from which :meth:`tick` has something to do. It moves with every record.
        forming_end_ns: earliest end of a forming bar of the venue.
        clock: estimate of the venue's time.
        dirty: instruments whose board state is older than the tape.
    """

    __slots__ = (
        "_assign",
        "_clock_gap",
        "_clock_return",
        "_doubted_after_ns",
        "_doubted_at_ns",
        "_doubted_ns",
        "_doubted_since_ns",
        "_doubts",
        "_writers",
        "_writers_by_id",
        "bar_slots",
        "board",
        "clock",
        "dirty",
        "forming_end_ns",
        "minute_end_ns",
        "minute_start_ns",
        "observer",
        "tape",
        "tick_due_ns",
        "venue",
        "venue_ns",
    )

    def __init__(
        self,
        tape: TapePort,
        board: BoardPort,
        assign: Assign,
        venue: str,
        *,
        bar_slots: int = 512,
        grace_ns: int = GRACE_NS,
        observer: BarObserver | None = None,
    ) -> None:
        """Begin with no instrument.

        Args:
            bar_slots: slots of a bar ring on the board (``BoardLayout.ring``), for BAR_REVISED records.
            grace_ns: how long after a bar's estimated end :meth:`tick` waits for records before closing it.
            observer: told of every minute bar; None live.
        """
        self.tape = tape
        self.board = board
        self.venue = venue
        self.bar_slots = bar_slots
        self.observer = observer
        self.clock = VenueClock(grace_ns)
        self.minute_start_ns = 0
        self.minute_end_ns = 0
        self.venue_ns = 0
        self.tick_due_ns = NEVER_NS
        self.forming_end_ns = NEVER_NS
        self._clock_return = ClockReturn()
        self._clock_gap = False
        self._doubted_ns = 0
        self._doubted_at_ns = 0
        self._doubted_since_ns = 0
        self._doubted_after_ns = 0
        self._doubts = 0
        self.dirty: list[InstrumentWriter] = []
        self._assign = assign
        self._writers: dict[str, InstrumentWriter] = {}
        self._writers_by_id: list[InstrumentWriter] = []

    def open(self, symbol: str) -> InstrumentWriter:
        """Return the writer of an instrument, which gets its row at the first call.

        Raises:
            BoardFullError: the board has no room for another instrument.
        """
        writer = self._writers.get(symbol)
        if writer is None:
            instrument = self._assign(self.venue, symbol)
            self.board.add_instrument(instrument)
            writer = self._writers[symbol] = InstrumentWriter(self, instrument)
            insort(self._writers_by_id, writer, key=lambda each: each.instrument.id)
        return writer

    def take_over(
        self,
        instrument: Instrument,
        row: Sequence[float],
        forming: FormingBars,
        closed: Sequence[tuple[Interval, Bar]],
        missing: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Go on with an instrument of a predecessor; see :meth:`InstrumentWriter.restore`.

        Raises:
            BoardFullError, LayoutMismatchError: the board is not the predecessor's.
        """
        self.board.add_instrument(instrument)
        writer = self._writers[instrument.symbol] = InstrumentWriter(self, instrument)
        insort(self._writers_by_id, writer, key=lambda each: each.instrument.id)
        writer.restore(row, forming, closed, missing)
        self.forming_until(writer.forming_end_ns)
        self.venue_ns = max(self.venue_ns, int(row[Field.TS_EVENT]))
        self.minute_start_ns = self.venue_ns - self.venue_ns % MINUTE_NS
        self.minute_end_ns = self.minute_start_ns + MINUTE_NS

    def close_ended(self, ts_init: int) -> None:
        """Close what a predecessor left forming though it ended before the venue minute that others had reached.

        Args:
            ts_init: when the predecessor last received something, ns UTC.
        """
        if self.forming_end_ns <= self.minute_start_ns:
            self._close_until(self.venue_ns, ts_init)

    def known(self, symbol: str) -> InstrumentWriter | None:
        """Return the writer of an instrument that has been opened, else None."""
        return self._writers.get(symbol)

    @property
    def writers(self) -> tuple[InstrumentWriter, ...]:
        """Every opened instrument's writer, by instrument id."""
        return tuple(self._writers_by_id)

    def check_time(self, ts_event: int, ts_init: int) -> None:
        """Refuse a venue time that cannot be, ns UTC; changes nothing.

        Raises:
            FrameError: it is further ahead than can be, or the first and over a day behind the receive time.
        """
        if ts_event > LATEST_NS:
            raise FrameError(f"venue time {ts_event} ns is after the year 2200")
        now = self.clock.now(ts_init)
        if now is None:
            if ts_event > ts_init + MAX_AHEAD_NS:
                raise FrameError(f"venue time {ts_event} ns is over an hour ahead of the receive time {ts_init} ns")
        elif ts_event > max(now, ts_init) + MAX_JUMP_NS:
            # One wrong time, believed, would make every trade until then late. Clocks are set, too: so records
            # that agree, with none between them that could be, are believed in the end.
            if ts_init != self._doubted_at_ns:
                agrees = abs(ts_event - self._doubted_ns) <= MAX_JUMP_NS and self._doubted_after_ns == self.venue_ns
                self._doubts = self._doubts + 1 if agrees else 1
                self._doubted_since_ns = self._doubted_since_ns if agrees else ts_init
                self._doubted_ns, self._doubted_at_ns, self._doubted_after_ns = ts_event, ts_init, self.venue_ns
            if self._doubts < BELIEVED_DOUBTS or ts_init - self._doubted_since_ns < BELIEVED_AFTER_NS:
                raise FrameError(
                    f"venue time {ts_event} ns is {(ts_event - now) / 1e9:,.0f} s ahead of the venue's clock"
                )
        else:
            self._doubts = 0
        if not self.minute_end_ns and ts_event < ts_init - MAX_BEHIND_NS:
            raise FrameError(f"venue time {ts_event} ns is over a day behind the receive time {ts_init} ns")

    def advance(self, ts_event: int, ts_init: int) -> None:
        """Move the venue minute on to a record's venue time and close every bar that ends until then.

        Raises:
            FrameError: see :meth:`check_time`; nothing was changed.
        """
        self.check_time(ts_event, ts_init)
        self.clock.observe(ts_init, ts_event)
        self._close_until(ts_event, ts_init)
        if self._clock_gap:
            self._set_clock_gap(False, ts_init)

    def late(self, ts_event: int, ts_init: int) -> None:
        """Take in the times of a trade whose minute has closed: perhaps that was closed by a clock that was ahead."""
        ahead_ns = self._clock_return.shown_by(ts_event, ts_init, self.venue_ns)
        if ahead_ns is not None:
            self.clock.begin_anew(ts_init, ahead_ns)
            self._set_due()
            self._set_clock_gap(True, ts_init)

    def _set_clock_gap(self, on: bool, ts_init: int) -> None:
        self._clock_gap = on
        for writer in self._writers_by_id:
            writer.clock_gap(on, ts_init)

    def observe(self, ts_event: int, ts_init: int) -> None:
        """Take in a pair of times that shows the venue further ahead than before."""
        self.clock.observe(ts_init, ts_event)
        self._set_due()

    def forming_until(self, end_ns: int) -> None:
        """Note that a bar with this end is forming."""
        if end_ns < self.forming_end_ns:
            self.forming_end_ns = end_ns
            self._set_due()

    def tick(self, recv_ns: int) -> None:
        """Close bars by the clock when no record does. Cheap and idle before :attr:`tick_due_ns`.

        In a replay it is called with the receive time of every frame before the frame, so that the outcome
        depends on the capture alone.
        """
        if recv_ns < self.tick_due_ns:
            return
        settled = self.clock.settled(recv_ns)
        if settled is None or settled < self.forming_end_ns:
            self._set_due()
            return
        boundary = settled - settled % MINUTE_NS
        self.tape.append(boundary, recv_ns, CLOCK_INSTRUMENT, int(Kind.CLOCK), 0, 0, 0.0, 0.0, 0.0, 0.0)
        self._close_until(boundary, recv_ns)

    def write(self) -> None:
        """Bring the board up to the tape: rows, forming bars and books of every instrument that changed."""
        dirty = self.dirty
        for writer in dirty:
            writer.write_board()
        dirty.clear()

    def flush(self) -> None:
        """Write the board, then show the tape's records. Once per socket read or batch.

        Where several publishers share a tape, call :meth:`write` of each and publish the tape once.
        """
        self.write()
        self.tape.publish()

    def _close_until(self, venue_ns: int, ts_init: int) -> None:
        boundary = venue_ns - venue_ns % MINUTE_NS
        self.minute_start_ns = boundary
        self.minute_end_ns = boundary + MINUTE_NS
        if venue_ns > self.venue_ns:
            self.venue_ns = venue_ns
        if self.forming_end_ns <= boundary:
            earliest = NEVER_NS
            for writer in self._writers_by_id:
                if writer.forming_end_ns <= boundary:
                    writer.close_bars(boundary, ts_init)
                if writer.forming_end_ns < earliest:
                    earliest = writer.forming_end_ns
            self.forming_end_ns = earliest
        self._set_due()

    def _set_due(self) -> None:
        due = self.clock.due(self.forming_end_ns)
        self.tick_due_ns = NEVER_NS if due is None or self.forming_end_ns == NEVER_NS else due
