"""One instrument in one engine: what its records have made of its columns, and which traders match."""

from collections.abc import Collection
from itertools import compress

import msgspec

from tickfloor.contracts.errors import CheckpointError
from tickfloor.contracts.instruments import Instrument
from tickfloor.contracts.intervals import LABELS, Interval
from tickfloor.contracts.records import Flag, Kind, Side, StatsPart
from tickfloor.indicators.protocol import LIMIT, NAN
from tickfloor.market.bars import FormingBars
from tickfloor.traders.checkpoint import (
    ENCODER,
    LANE_DECODER,
    NEVER,
    EventState,
    InstrumentCheckpoint,
    LaneState,
    LateTrade,
)
from tickfloor.traders.evaluate import Frame
from tickfloor.traders.lane import Frames, Lane
from tickfloor.traders.language.vocabulary import Input, MarketColumn
from tickfloor.traders.late_trades import add_to_forming, note_revised
from tickfloor.traders.layout import LaneProgram, Layout
from tickfloor.traders.merge import merged_lanes
from tickfloor.traders.resync import Carried, unpacked
from tickfloor.traders.statistics import Counters

INTERVALS = tuple(Interval)

# As plain integers: arithmetic on flags and look-ups of enum members cost more than the rest of a record.
_TRADE, _QUOTE, _STATS, _BAR_CLOSE, _BAR_REVISED, _QUALITY = (
    int(kind) for kind in (Kind.TRADE, Kind.QUOTE, Kind.STATS, Kind.BAR_CLOSE, Kind.BAR_REVISED, Kind.QUALITY)
)
_LATE = int(Flag.LATE)
_BUY = int(Side.BUY)
_SELL = int(Side.SELL)
_TRADE_INPUT = int(Input.TRADE)
_LAST = int(MarketColumn.LAST)
_LAST_QTY = int(MarketColumn.LAST_QTY)
_CUMULATIVE_DELTA = int(MarketColumn.CUMULATIVE_DELTA)

_QUOTE_COLUMNS = (
    MarketColumn.BID,
    MarketColumn.BID_SIZE,
    MarketColumn.ASK,
    MarketColumn.ASK_SIZE,
    MarketColumn.MID,
    MarketColumn.SPREAD,
)
_TRADE_COLUMNS = (MarketColumn.LAST, MarketColumn.LAST_QTY, MarketColumn.CUMULATIVE_DELTA)
_PRICE_COLUMNS = (MarketColumn.OPEN_24H, MarketColumn.HIGH_24H, MarketColumn.LOW_24H, MarketColumn.CHANGE_24H)
_VOLUME_COLUMNS = (MarketColumn.VOLUME_24H, MarketColumn.QUOTE_VOLUME_24H, MarketColumn.TRADES_24H)


class InstrumentState:
    """Applies the records of one instrument and decides its traders at the end of each event.

    With ``saved`` it goes on from there, as far as the columns and traders are still here; traders that are not
    ``known`` there start unknown. A :class:`~tickfloor.contracts.errors.CheckpointError` says that it was saved for
    another instrument. Without, it begins with the record of sequence ``since``.

    Attributes:
        skip_through: records up to this sequence are contained in the state already.
        frames: the columns.
    """

    __slots__ = (
        "_closed_until_ms", "_counters", "_event", "_forming", "_instrument", "_lanes", "_last_ts", "_layout",
        "_market", "_matched", "_packed", "_signalled", "_since", "_waiting", "frames", "skip_through",
    )  # fmt: skip

    def __init__(
        self,
        instrument: Instrument,
        layout: Layout,
        counters: Counters,
        saved: InstrumentCheckpoint | None = None,
        known: Collection[str] = (),
        *,
        since: int = 0,
    ) -> None:
        self._instrument = instrument
        self._layout = layout
        self._counters = counters
        self.skip_through = -1
        self.frames = Frames(layout.width, layout.unwatched)
        self._packed: msgspec.Raw | None = None
        self._since = since
        self._forming = FormingBars()
        self._closed_until_ms = [NEVER] * len(Interval)
        """end of the last closed bar per interval: a late trade before it that revised nothing came too late"""
        self._event = EventState()
        self._last_ts = NEVER
        self._market = [NAN] * len(MarketColumn)
        self._matched = [False] * len(layout.rules)
        self._signalled: dict[str, int] = {}
        self._set(MarketColumn.CUMULATIVE_DELTA, 0.0)
        self._lanes: dict[Interval, Lane] = {}
        self._waiting = set(layout.per_tick)
        """per-tick rules to decide at the next record of one of their inputs, whatever it changes"""
        if saved is not None:
            self._restore(saved, known)
        else:
            for interval, program in layout.programs.items():
                self._lanes[interval] = Lane(program, self.frames)
        self.frames.watches = layout.watches

    @property
    def instrument(self) -> Instrument:
        """Whose state this is."""
        return self._instrument

    @property
    def layout(self) -> Layout:
        """The traders of this instrument."""
        return self._layout

    # Records

    def apply(  # hot path
        self, kind: int, code: int, flags: int, ts_event: int, a: float, b: float, c: float, d: float
    ) -> None:
        """Apply one record without deciding anything."""
        self._packed = None
        if kind == _TRADE:
            self._trade(code, flags, ts_event, a, b)
        elif kind == _QUOTE:
            self._show(Input.QUOTE, _QUOTE_COLUMNS, (a, b, c, d, (a + c) / 2.0, c - a))
        elif kind == _STATS:
            if code == StatsPart.PRICES:
                self._show(Input.PRICES_24H, _PRICE_COLUMNS, (a, b, c, d))
            else:
                self._show(Input.VOLUMES_24H, _VOLUME_COLUMNS, (a, b, c))
        elif kind == _BAR_CLOSE:
            self._bar_close(INTERVALS[code], ts_event // 1_000_000)
        elif kind == _BAR_REVISED:
            self._bar_revised(INTERVALS[code])
        elif kind == _QUALITY:
            self._show(Input.QUALITY, (MarketColumn.QUALITY,), (float(code) if code else NAN,))

    def _set(self, column: int, value: float) -> None:
        if not -LIMIT < value < LIMIT:
            value = NAN
        self._market[column] = value
        for slot in self._layout.market[column]:
            self.frames.show(slot, value)

    def _show(self, input_: Input, columns: tuple[MarketColumn, ...], values: tuple[float, ...]) -> None:
        for column, value in zip(columns, values, strict=True):
            self._set(column, value)
        self._event.inputs |= int(input_)
        for lane in self._lanes.values():
            lane.refresh_on(input_)

    def _trade(self, side: int, flags: int, ts_event: int, price: float, qty: float) -> None:  # hot path
        if not -LIMIT < price * qty < LIMIT:
            self._counters.malformed += 1
            return
        if side == _BUY:
            self._set(_CUMULATIVE_DELTA, self._market[_CUMULATIVE_DELTA] + qty)
        elif side == _SELL:
            self._set(_CUMULATIVE_DELTA, self._market[_CUMULATIVE_DELTA] - qty)
        if ts_event >= self._last_ts:
            self._last_ts = ts_event
            self._set(_LAST, price)
            self._set(_LAST_QTY, qty)
        ts_ms = ts_event // 1_000_000
        self._event.inputs |= _TRADE_INPUT
        if flags & _LATE:
            self._event.late = LateTrade(ts_ms, price, qty, side == _BUY)
            return
        forming = self._forming
        forming.add_trade(ts_ms, price, qty, side == _BUY)
        for interval, lane in self._lanes.items():
            bar = forming.forming(interval)
            assert bar is not None
            lane.refresh(bar)

    def _bar_close(self, interval: Interval, end_ms: int) -> None:
        self._closed_until_ms[interval] = end_ms
        try:
            bar = self._forming.close(interval)
        except LookupError:  # the bar's trades came before this engine began
            self._counters.bars_missed += 1
            return
        lane = self._lanes.get(interval)
        if lane is not None:
            lane.close(bar)
        self._waiting.update(self._layout.crossed[interval])
        self._event.closed.append(interval)

    def _bar_revised(self, interval: Interval) -> None:
        late = self._event.late
        if late is None:  # its trade is contained in the state already
            return
        self._counters.revisions += 1
        self._event.revised.append(interval)
        note_revised(self._closed_until_ms, interval, late)
        lane = self._lanes.get(interval)
        if lane is not None and not lane.revise(late):
            self._counters.revisions_beyond_history += 1

    # Decisions

    def decide(self, ts_event: int) -> list[int]:  # hot path
        """End the event: return the traders, in order of name, that give a signal at this venue time."""
        event = self._event
        if event.late is not None:
            self._end_late(event.late)
            return []
        new: list[int] = []
        if event.inputs:
            self._decide_touched(event.inputs, new)
            event.inputs = 0
        if event.closed:
            frames = self.frames
            for lane in self._lanes.values():
                if lane.interval in event.closed:
                    lane.note_after()
            for interval in event.closed:
                self._test(self._layout.at_close[interval], frames.closed, frames.before, new)
            event.closed = []
        return [index for index in sorted(new) if self._signals(index, ts_event)] if new else new

    def _decide_touched(self, inputs: int, new: list[int]) -> None:  # hot path
        frames = self.frames
        due = frames.touched
        if self._waiting:
            of_rule = self._layout.inputs
            ready = {index for index in self._waiting if of_rule[index] & inputs}
            self._waiting -= ready
            due |= ready
        if due:
            self._test(due, frames.now, frames.closed, new)
            due.clear()

    def _test(self, due: Collection[int], current: Frame, previous: Frame, new: list[int]) -> None:  # hot path
        tests = self._layout.tests
        matched = self._matched
        for index in due:
            holds = tests[index](current, previous)
            if holds is not matched[index]:
                matched[index] = holds
                if holds:
                    new.append(index)
        self._counters.evaluations += len(due)

    def _signals(self, index: int, ts_event: int) -> bool:
        spec = self._layout.rules[index].spec
        self._counters.matches += 1
        if spec.cooldown_ns and ts_event - self._signalled.get(spec.name, NEVER) < spec.cooldown_ns:
            self._counters.cooled_down += 1
            return False
        if spec.cooldown_ns:
            self._signalled[spec.name] = ts_event
        return True

    def _end_late(self, late: LateTrade) -> None:
        """Finish a late trade: columns and matches follow, no signal is given or taken back."""
        add_to_forming(self._forming, late, self._closed_until_ms, self._event.revised)
        self._event = EventState()
        self._show_forming()
        self._match_silently(self._layout.per_tick, self._layout.at_close_alone)
        self.frames.touched.clear()
        self._waiting.clear()

    def _show_forming(self) -> None:
        for interval, lane in self._lanes.items():
            bar = self._forming.forming(interval)
            if bar is not None:
                lane.refresh(bar)

    def _match_silently(self, per_tick: Collection[int], at_close: Collection[int]) -> None:
        frames = self.frames
        silent: list[int] = []
        self._test(per_tick, frames.now, frames.closed, silent)
        self._test(at_close, frames.closed, frames.before, silent)

    # State

    def packed(self) -> msgspec.Raw:
        """Return the state to go on from; packed anew only after a record."""
        if self._packed is None:
            self._packed = msgspec.Raw(ENCODER.encode(self._checkpoint()))
        return self._packed

    def _checkpoint(self) -> InstrumentCheckpoint:
        forming = self._forming
        names = self._layout.names
        return InstrumentCheckpoint(
            key=self._instrument.key,
            since=self._since,
            skip_through=self.skip_through,
            market=self._market,
            last_ts=self._last_ts,
            minute=forming.minute,
            closed_part=forming.closed_part,
            closed_until_ms=self._closed_until_ms,
            lanes={interval.label: lane.packed() for interval, lane in self._lanes.items()},
            event=self._event,
            matched=self._names_matched(),
            signalled=self._signalled,
            replay={},
            silent=[],
            # What is touched in an unfinished event, its inputs will have decided as well.
            waiting=[names[index] for index in sorted(self._waiting | self.frames.touched)],
        )

    def carried(self) -> Carried:
        """Return what outlasts a hole in the tape."""
        return Carried(self._names_matched(), dict(self._signalled))

    def _names_matched(self) -> list[str]:
        return list(compress(self._layout.names, self._matched))

    def matches_now(self, wanted: Collection[str]) -> dict[str, bool]:
        """Return whether each of the wanted traders matches the present columns, by name; this decides nothing."""
        frames = self.frames
        return {
            rule.spec.name: rule.test(frames.closed, frames.before)
            if rule.at_close
            else rule.test(frames.now, frames.closed)
            for rule in self._layout.rules
            if rule.spec.name in wanted
        }

    def _restore(self, saved: InstrumentCheckpoint, known: Collection[str]) -> None:
        if saved.key != self._instrument.key:
            raise CheckpointError(
                f"the checkpoint's row {self._instrument.id} is {saved.key}, here it is {self._instrument.key}; "
                "start without the checkpoint"
            )
        self._since = saved.since
        self.skip_through = saved.skip_through
        self._last_ts = saved.last_ts
        for column, value in zip(MarketColumn, saved.market, strict=True):
            self._set(column, value)
        self._forming.minute = saved.minute
        self._forming.closed_part = saved.closed_part
        self._closed_until_ms = saved.closed_until_ms
        for interval, program in self._layout.programs.items():
            self._lanes[interval] = Lane(program, self.frames, self._lane_state(program, saved))
        self._show_forming()
        self._event = saved.event
        places = self._layout.places
        for name in saved.matched:
            if name in places:
                self._matched[places[name]] = True
        self._signalled = {name: at for name, at in saved.signalled.items() if name in places}
        undecided = (places.keys() - known).union(saved.waiting)
        self._waiting &= {place for name in undecided if (place := places.get(name)) is not None}
        if saved.silent:
            silent = {places[name] for name in saved.silent if name in places}
            self._match_silently(
                silent.intersection(self._layout.per_tick), silent.intersection(self._layout.at_close_alone)
            )

    def _lane_state(self, program: LaneProgram, saved: InstrumentCheckpoint) -> LaneState | None:
        label = LABELS[program.interval]
        packed = saved.lanes.get(label)
        state = None if packed is None else LANE_DECODER.decode(packed)
        bars = saved.replay.get(label)
        if bars is None:
            return state
        lane = Lane(program, self.frames)
        lane.replay(unpacked(bars), trimmed=bars.trimmed)
        return lane.state() if state is None else merged_lanes([state, lane.state()])
