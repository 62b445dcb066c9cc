"""The closed bars and columns of one interval of one instrument."""

from array import array
from collections.abc import Callable, Sequence

from tickfloor.contracts.bars import BAR_WORDS, Bar
from tickfloor.contracts.intervals import Interval
from tickfloor.indicators.catalogue import INDICATORS
from tickfloor.indicators.protocol import NAN, REVISABLE_BARS, Indicator
from tickfloor.market.bars import BUY_VOLUME, START_MS, VOLUME, revise, start_of
from tickfloor.traders.checkpoint import ENCODER, LaneState, LateTrade
from tickfloor.traders.evaluate import Frame
from tickfloor.traders.language.vocabulary import DELTA, Input
from tickfloor.traders.layout import IndicatorStep, LaneProgram, ValueStep, Watch

FRAMES = REVISABLE_BARS + 2
"""Columns at closed bars that are kept: after taking back the most, the last and the one before are still there."""

Step = tuple[int, int, Callable[..., float], Callable[..., float]]
"""Slot, slot of the input (-1: the whole frame), the function for the forming bar, the function for a closed one."""


class Frames:
    """An instrument's columns now, at the last closed bar and at the one before, and who watches them."""

    __slots__ = ("before", "closed", "now", "touched", "watches")

    def __init__(self, width: int, watches: list[Watch | None]) -> None:
        self.now: Frame = [NAN] * width
        self.closed: Frame = [NAN] * width
        self.before: Frame = [NAN] * width
        self.watches = watches
        self.touched: set[int] = set()
        """rules to decide, by their index in the layout"""

    def show(self, slot: int, value: float) -> None:
        """Put a value into the frame of now and note whom the change concerns."""
        old = self.now[slot]
        if value != old and (value == value or old == old):
            self.now[slot] = value
            watch = self.watches[slot]
            if watch is not None:
                watch.touch(old, value, self.touched)


def bar_value(bar: Bar, field: int) -> float:
    """Return a field of a bar, or one derived from its fields."""
    if field < BAR_WORDS:
        return bar[field]
    sold = bar[VOLUME] - bar[BUY_VOLUME]
    return bar[BUY_VOLUME] - sold if field == DELTA else sold


class Lane:
    """Columns of one interval: closed ones bar by bar, the forming one at every record.

    While nothing is forming, the columns keep showing the bar that closed last.
    """

    __slots__ = (
        "_bars",
        "_closes",
        "_columns",
        "_frames",
        "_indicators",
        "_noted_places",
        "_packed",
        "_program",
        "_shows_forming",
        "_since",
        "_steps",
        "_trimmed",
    )

    def __init__(self, program: LaneProgram, frames: Frames, state: LaneState | None = None) -> None:
        self._packed: bytes | None = None
        self._program = program
        self._frames = frames
        self._bars: list[Bar] = [array("d", bar).tolist() for bar in state.bars] if state else []
        self._trimmed = state.trimmed if state else False
        self._columns = _rows(program.keys, state) if state else []
        self._closes = state.closes if state else 0
        begun = dict(zip(state.keys, state.since, strict=True)) if state else {}
        self._since = [begun.get(key, self._closes) for key in program.keys]
        self._noted_places = [program.slots.index(slot) for slot, _ in (*program.noted, *program.noted_after)]
        self._indicators: dict[str, Indicator] = {}
        self._steps = [self._step(step, state) for step in program.steps]
        self._shows_forming = False
        self._show_closed()

    def _step(self, step: IndicatorStep | ValueStep, state: LaneState | None) -> Step:
        if isinstance(step, ValueStep):
            return (step.slot, -1, step.value, step.value)
        indicator = INDICATORS[step.function](step.period)
        if state and step.key in state.indicators:
            indicator.restore(state.indicators[step.key])
        self._indicators[step.key] = indicator
        return (step.slot, step.source, indicator.value_now, indicator.close)

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

    def refresh(self, bar: Bar) -> None:  # hot path
        """Show the forming bar."""
        frames = self._frames
        now = frames.now
        for slot, field in self._program.fields:
            value = bar[field] if field < BAR_WORDS else bar_value(bar, field)
            if value != now[slot]:
                frames.show(slot, value)
        if not self._shows_forming:
            self._shows_forming = True
            for slot, field, back in self._program.history:
                frames.show(slot, self._past(back - 1, field))
        self._run(self._steps)

    def refresh_on(self, input_: Input) -> None:
        """Show what a record that is no trade changes: indicators over market columns, while a bar is forming."""
        if self._shows_forming:
            self._run([self._steps[index] for index in self._program.steps_on[input_]])

    def _run(self, steps: Sequence[Step]) -> None:  # hot path
        frames = self._frames
        now = frames.now
        for slot, source, value_now, _ in steps:
            value = value_now(now if source < 0 else now[source])
            if value != now[slot]:
                frames.show(slot, value)

    def close(self, bar: Bar) -> None:
        """Commit a closed bar; how market columns and those of other intervals stand at this moment belongs to it."""
        now, program = self._frames.now, self._program
        self._commit(bar, [*(now[source] for _, source in program.noted), *(NAN for _ in program.noted_after)])
        self._show_closed()

    def note_after(self) -> None:
        """Note how closed columns of other intervals stand, once everything that closes together has closed."""
        noted_after = self._program.noted_after
        if noted_after and self._columns:  # none in a lane that is younger than the close
            self._packed = None
            closed, row = self._frames.closed, self._columns[-1]
            for place, (slot, source) in zip(self._noted_places[-len(noted_after) :], noted_after, strict=True):
                closed[slot] = row[place] = closed[source]

    def replay(self, bars: Sequence[Bar], *, trimmed: bool) -> None:
        """Commit bars that closed before this lane began; what is noted at a close is not known of them.

        ``trimmed`` says that there were older ones.
        """
        unknown = [NAN] * len(self._noted_places)
        for bar in bars:
            self._commit(bar, unknown)
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
        closed = self._frames.closed
        for slot, field in program.fields:
            closed[slot] = bar_value(bar, field)
        for slot, field, back in program.history:
            closed[slot] = self._past(back, field)
        for place, value in zip(self._noted_places, noted, strict=True):
            closed[program.slots[place]] = value
        for slot, source, _, close in self._steps:
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
                frames.show(slot, last)
        self._shows_forming = False

    def revise(self, trade: LateTrade) -> bool:
        """Add a late trade to the closed bars and compute the columns anew from there.

        Returns:
            Whether the columns could follow: if the bar is further back than commits can be taken back, only the
            history of bar fields does.
        """
        interval = self._program.interval
        if self._trimmed and self._bars and start_of(interval, trade.ts_ms) < self._bars[0][START_MS]:
            return False
        self._packed = None
        index, tail = revise(self._bars, interval, trade.ts_ms, trade.price, trade.qty, trade.bought)
        taken_back = len(self._bars) - index
        if taken_back > REVISABLE_BARS:
            self._bars[index:] = tail
            self._trim()
            self._read_history_anew()
            return False
        noted = self._take_back(taken_back)
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


def _rows(keys: list[str], state: LaneState) -> "list[array[float]]":
    """Return saved columns as rows for these keys; a column that was not saved is unknown."""
    rows = [array("d", row) for row in state.rows]
    if keys == state.keys:
        return rows
    places = {key: place for place, key in enumerate(state.keys)}
    return [array("d", [row[places[key]] if key in places else NAN for key in keys]) for row in rows]
