"""The closed bars and columns of one interval of one instrument."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

from tickfloor.contracts.bars import Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import NAN, REVISABLE_BARS, Indicator
from tickfloor.market.bars import START_MS, revise, start_of
from tickfloor.traders.columns.forming_fields import bar_value
from tickfloor.traders.columns.frames import FRAME, Frames
from tickfloor.traders.columns.lane_program import IndicatorStep, LaneProgram, ValueStep
from tickfloor.traders.state.checkpoint import ENCODER, LaneState, LateTrade

FRAMES = REVISABLE_BARS + 2
"""Columns at closed bars that are kept: after taking back the most, the last and the one before are still there."""

Step = tuple[int, int, Callable[..., float]]
"""Slot of a computed column, slot of its input, and the function that commits a closed bar."""


class Lane:
    """Columns of one interval, closed bar by closed bar.

    While nothing is forming, the columns keep showing the bar that closed last.

    Attributes:
        is_forming: whether the columns of the current bar show one that is forming.
    """

    __slots__ = (
        "_bars", "_closes", "_columns", "_frames", "_indicators", "_noted_places", "_packed", "_program", "_since",
        "_steps", "_trimmed", "is_forming",
    )  # fmt: skip

    def __init__(
        self, program: LaneProgram, frames: Frames, state: LaneState | None = None, *, began_late: bool = False
    ) -> None:
        self._frames = frames
        self._packed: bytes | None = None
        self._bars: list[Bar] = [array("d", bar).tolist() for bar in state.bars] if state else []
        self._trimmed = state.trimmed if state else began_late
        self._closes = state.closes if state else 0
        self._indicators: dict[str, Indicator] = {}
        self._columns = [array("d", row) for row in state.rows] if state else []
        self.is_forming = False
        self._compute(program, _held(state) if state else {}, state.indicators if state else {})

    def _compute(self, program: LaneProgram, held: "dict[str, tuple[int, int]]", packed: dict[str, bytes]) -> None:
        """Compute these columns from here on; ``held`` says where a column lay in a row, and when it began."""
        self._packed = None
        self._program = program
        places = [held[key][0] if key in held else -1 for key in program.keys]
        if places != list(range(len(held))):
            self._columns = [
                array("d", [row[place] if place >= 0 else NAN for place in places]) for row in self._columns
            ]
        self._since = [held[key][1] if key in held else self._closes for key in program.keys]
        noted = [slot for slot, _, _ in program.noted] + [slot for slot, _ in program.noted_after]
        self._noted_places = [program.slots.index(slot) for slot in noted]
        kept, self._indicators = self._indicators, {}
        self._steps = [self._step(step, kept, packed) for step in program.steps]
        self._show_closed()

    def conform(self, program: LaneProgram) -> None:
        """Compute other columns from here on; what both have goes on, and what is new begins with the next bar."""
        if (program.keys, program.slots) == (self._program.keys, self._program.slots):
            self._program = program
            return
        held = {key: (place, self._since[place]) for place, key in enumerate(self._program.keys)}
        self._compute(program, held, {})

    def _step(self, step: IndicatorStep | ValueStep, kept: dict[str, Indicator], packed: dict[str, bytes]) -> Step:
        frames = self._frames
        if isinstance(step, ValueStep):
            value = step.value
            frames.compute(step.slot, FRAME, lambda now: value(now, frames.closed))
            return (step.slot, FRAME, lambda closed: value(closed, frames.before))
        indicator = kept.get(step.key)
        if indicator is None:
            indicator = INDICATORS[step.function](*step.parameters)
            if step.key in packed:
                indicator.restore(packed[step.key])
        self._indicators[step.key] = indicator
        value_now, close = indicator.value_now, indicator.close
        if len(step.sources) == 1:
            frames.compute(step.slot, step.sources[0], value_now, indicator)
            return (step.slot, step.sources[0], close)
        several = itemgetter(*step.sources)
        frames.compute(step.slot, FRAME, lambda now: value_now(*several(now)), indicator)
        return (step.slot, FRAME, lambda closed: close(*several(closed)))

    @property
    def young(self) -> set[str]:
        """The columns that no bar has closed for since they began, apart from those noted at a close."""
        noted = set(self._noted_places)
        return {
            key
            for place, (key, since) in enumerate(zip(self._program.keys, self._since, strict=True))
            if since == self._closes and place not in noted
        }

    @property
    def fields(self) -> list[tuple[int, int]]:
        """Slot and field of the columns of the current bar."""
        return self._program.fields

    @property
    def interval(self) -> Interval:
        """Of which interval the columns are."""
        return self._program.interval

    def packed(self) -> bytes:
        """Return the state to go on from, apart from the forming bar; packed anew only after a bar has closed."""
        if self._packed is None:
            self._packed = ENCODER.encode(self.state())
        return self._packed

    def state(self) -> LaneState:
        """Return the state to go on from, apart from the forming bar."""
        return LaneState(
            bars=[array("d", bar).tobytes() for bar in self._bars],
            trimmed=self._trimmed,
            closes=self._closes,
            keys=self._program.keys,
            since=self._since,
            rows=[row.tobytes() for row in self._columns],
            indicators={key: indicator.state() for key, indicator in self._indicators.items()},
        )

    def start(self, bar: Bar) -> None:
        """Show the forming bar instead of the one that closed last."""
        self.is_forming = True
        now = self._frames.now
        for slot, field in self._program.fields:
            now[slot] = bar_value(bar, field)
        for slot, field, back in self._program.history:
            now[slot] = self._past(back - 1, field)
        self._frames.release(slot for slot, _, _ in self._steps)

    def close(self, bar: Bar) -> None:
        """Commit a closed bar; how market columns and those of other intervals stand at this moment belongs to it."""
        frames, program = self._frames, self._program
        for _, _, chain in program.noted:
            frames.refresh(chain)
        now = frames.now
        self._commit(bar, [*(now[source] for _, source, _ in program.noted), *(NAN for _ in program.noted_after)])
        self._show_closed()

    def note_after(self) -> None:
        """Note how closed columns of other intervals stand, once everything that closes together has closed."""
        noted_after = self._program.noted_after
        if noted_after and self._columns:  # none in a lane that is younger than the close
            self._packed = None
            closed, row = self._frames.closed, self._columns[-1]
            for place, (slot, source) in zip(self._noted_places[-len(noted_after) :], noted_after, strict=True):
                closed[slot] = row[place] = closed[source]

    def replay(self, bars: Sequence[Bar], *, trimmed: bool, taken_for: Mapping[int, float]) -> None:
        """Commit bars that closed before this lane began; what is noted at a close is not known of them.

        Args:
            bars: oldest first.
            trimmed: whether there were older ones.
            taken_for: by slot, what is taken for noted at the last of them all the same.
        """
        unknown = [NAN] * len(self._noted_places)
        for bar in bars[:-1]:
            self._commit(bar, unknown)
        if bars:
            noted = [taken_for.get(self._program.slots[place], NAN) for place in self._noted_places]
            self._commit(bars[-1], noted)
        for place in self._noted_places:
            self._since[place] = self._closes
        self._trimmed |= trimmed
        self._show_closed()

    def _commit(self, bar: Bar, noted: Sequence[float]) -> None:
        program = self._program
        self._packed = None
        self._closes += 1
        self._bars.append(bar)
        self._trim()
        closed, before = self._frames.closed, self._frames.before
        for slot in program.slots:
            before[slot] = closed[slot]
        for slot, field in program.fields:
            closed[slot] = bar_value(bar, field)
        for slot, field, back in program.history:
            closed[slot] = self._past(back, field)
        for place, value in zip(self._noted_places, noted, strict=True):
            closed[program.slots[place]] = value
        for slot, source, close in self._steps:
            closed[slot] = close(closed if source < 0 else closed[source])
        self._columns.append(array("d", [closed[slot] for slot in program.slots]))
        if len(self._columns) > FRAMES:
            del self._columns[0]

    def _trim(self) -> None:
        beyond = len(self._bars) - self._program.depth
        if beyond > 0:
            del self._bars[:beyond]
            self._trimmed = True

    def _read_history_anew(self) -> None:
        history = [(self._program.slots.index(slot), field, back) for slot, field, back in self._program.history]
        for age, row in enumerate(reversed(self._columns)):
            for place, field, back in history:
                row[place] = self._past(back + age, field)
        self._show_closed()

    def _past(self, back: int, field: int) -> float:
        """Return a field of a closed bar, counted back from the last one; NaN before the first."""
        return bar_value(self._bars[-1 - back], field) if back < len(self._bars) else NAN

    def _show_closed(self) -> None:
        """Set the frames of closed bars, and the one of now to the last closed bar."""
        frames = self._frames
        unknown = [NAN] * len(self._program.slots)
        closed = self._columns[-1] if self._columns else unknown
        before = self._columns[-2] if len(self._columns) > 1 else unknown
        noted = {self._program.slots[place] for place in self._noted_places}
        for slot, last, previous in zip(self._program.slots, closed, before, strict=True):
            frames.closed[slot] = last
            frames.before[slot] = previous
            if slot not in noted:
                frames.now[slot] = last
        computed = [slot for slot, _, _ in self._steps]
        frames.hold(computed)
        frames.forget_reach(computed)
        self.is_forming = False

    def revise(self, trade: LateTrade) -> bool:
        """Add a late trade to the closed bars and compute the columns anew from there.

        Returns:
            Whether the columns could follow: if the bar is further back than commits can be taken back, only the
            history of bar fields does.
        """
        interval = self._program.interval
        if self._trimmed and (not self._bars or start_of(interval, trade.ts_ms) < self._bars[0][START_MS]):
            return False
        self._packed = None
        index, tail = revise(self._bars, interval, trade.ts_ms, trade.price, trade.qty, trade.bought, trade.overtaken)
        taken_back = len(self._bars) - index
        if taken_back > REVISABLE_BARS:
            self._bars[index:] = tail
            self._trim()
            self._read_history_anew()
            return False
        noted = self._take_back(taken_back)
        self._show_closed()
        if len(tail) > taken_back:  # a minute that had no trade has its bar now: noted as at the bar before
            noted.insert(0, self._noted(self._columns[-1] if self._columns else None))
        for bar, values in zip(tail, noted, strict=True):
            self._commit(bar, values)
        self._show_closed()
        return True

    def _take_back(self, bars: int) -> list[list[float]]:
        """Take back commits and return what was noted at each."""
        if not bars:
            return []
        rows = self._columns[-bars:]
        self._closes -= bars
        del self._bars[-bars:]
        del self._columns[-bars:]
        for indicator in self._indicators.values():
            indicator.rewind(bars)
        return [self._noted(row) for row in rows]

    def _noted(self, row: "array[float] | None") -> list[float]:
        return [NAN if row is None else row[place] for place in self._noted_places]


def _held(state: LaneState) -> dict[str, tuple[int, int]]:
    return {key: (place, since) for place, (key, since) in enumerate(zip(state.keys, state.since, strict=True))}
